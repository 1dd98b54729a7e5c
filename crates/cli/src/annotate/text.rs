//! Words in the font of the labels.

use super::paint::PixelRect;
use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};

/// A font at one size.
pub(crate) struct Lettering {
    font: FontRef<'static>,
    scale: PxScale,
    margin: f32,
}

/// A word set in glyphs.
#[derive(Clone)]
pub(crate) struct Word {
    glyphs: Vec<Glyph>,
    /// Columns and rows of the label, margins included.
    pub(crate) size: [i64; 2],
}

impl Lettering {
    /// The font at `size` pixels.
    pub(crate) fn new(size: f32) -> Result<Self, String> {
        let font = FontRef::try_from_slice(dejavu::sans::bold()).map_err(|e| format!("font: {e}"))?;
        Ok(Self { font, scale: PxScale::from(size), margin: (size / 8.0).round().max(1.0) })
    }

    /// Sets a word.
    #[expect(clippy::cast_possible_truncation, reason = "labels are far shorter than 2^31 pixels")]
    pub(crate) fn set(&self, text: &str) -> Word {
        let font = self.font.as_scaled(self.scale);
        let mut glyphs: Vec<Glyph> = Vec::with_capacity(text.len());
        let mut x = self.margin;
        for letter in text.chars() {
            let mut glyph = font.scaled_glyph(letter);
            if let Some(last) = glyphs.last() {
                x += font.kern(last.id, glyph.id);
            }
            glyph.position = point(x, self.margin / 2.0 + font.ascent());
            x += font.h_advance(glyph.id);
            glyphs.push(glyph);
        }
        let height = font.ascent() - font.descent() + self.margin;
        Word { glyphs, size: [(x + self.margin).ceil() as i64, height.ceil() as i64] }
    }

    /// Draws a word at the top left of `rect`, blended by coverage.
    pub(super) fn draw(&self, picture: &mut RgbImage, word: &Word, rect: PixelRect, ink: Rgb<u8>) {
        self.cover(word, |[x, y], coverage| blend(picture, [rect.x0 + x, rect.y0 + y], ink, coverage));
    }

    /// Hands out the pixels of a word, from its top left, and how much of each is covered.
    #[expect(clippy::cast_possible_truncation, reason = "pixel bounds of a label")]
    pub(crate) fn cover(&self, word: &Word, mut pixel: impl FnMut([i64; 2], f32)) {
        for glyph in &word.glyphs {
            let Some(outline) = self.font.outline_glyph(glyph.clone()) else { continue };
            let bounds = outline.px_bounds();
            let (left, top) = (bounds.min.x as i64, bounds.min.y as i64);
            outline.draw(|x, y, coverage| pixel([left + i64::from(x), top + i64::from(y)], coverage));
        }
    }
}

/// Mixes `ink` into a pixel by its share of coverage, 0 to 1; outside of the picture nothing happens.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of values of 0..=255")]
pub(crate) fn blend(picture: &mut RgbImage, [x, y]: [i64; 2], ink: Rgb<u8>, coverage: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    let Some(pixel) = picture.get_pixel_mut_checked(x, y) else { return };
    for (old, new) in pixel.0.iter_mut().zip(ink.0) {
        let mixed = f32::from(*old) + (f32::from(new) - f32::from(*old)) * coverage.clamp(0.0, 1.0);
        *old = mixed.round() as u8;
    }
}
