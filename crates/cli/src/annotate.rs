//! Draws boxes and labels into a picture.

mod paint;
mod place;
mod text;

use crate::engine::Detection;
use crate::failure::{Failure, Outcome};
use crate::files;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use paint::PixelRect;
use place::Layout;
use std::io::Error as IoError;
use std::path::Path;
pub(crate) use text::{Lettering, blend};
use tilehawk::geom::RectPx;

/// Sizes in pixels that grow with the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Style {
    line: u32,
    font: f32,
}

impl Style {
    /// Thin lines and letters that can be read when the whole picture fills a screen.
    #[expect(clippy::cast_precision_loss, reason = "a rule of thumb")]
    fn of(picture: &RgbImage) -> Self {
        let side = picture.width().max(picture.height());
        Self { line: (side / 1300).max(1), font: (side as f32 / 145.0).max(12.0) }
    }
}

/// A box to draw.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// Where it is.
    pub(crate) rect: RectPx,
    /// Its colour.
    pub(crate) colour: Rgb<u8>,
    /// Its label, and a shorter one for where there is no room.
    pub(crate) texts: [String; 2],
    /// Higher ones are drawn on top, and labelled first.
    pub(crate) rank: f32,
}

impl Mark {
    /// The usual mark of a box with the name of its class.
    pub(crate) fn new(item: &Detection, label: &str) -> Self {
        Self {
            rect: item.rect,
            colour: colour(item.class_id),
            texts: [format!("{label} {:.2}", item.score), format!("{:.2}", item.score)],
            rank: item.score,
        }
    }
}

/// Draws `items` with `labels`, the highest scores on top.
pub(crate) fn draw(picture: &mut RgbImage, items: &[Detection], labels: &[String]) -> Outcome<()> {
    let marks: Vec<Mark> = items.iter().zip(labels).map(|(item, label)| Mark::new(item, label)).collect();
    draw_marks(picture, &marks)
}

/// Draws marks, the highest ranks on top.
pub(crate) fn draw_marks(picture: &mut RgbImage, marks: &[Mark]) -> Outcome<()> {
    let style = Style::of(picture);
    let lettering = Lettering::new(style.font).map_err(Failure::Device)?;
    let size = [picture.width(), picture.height()];
    let mut order: Vec<usize> = (0..marks.len()).collect();
    order.sort_by(|&a, &b| marks[b].rank.total_cmp(&marks[a].rank).then(a.cmp(&b)));
    let rects: Vec<PixelRect> = marks.iter().map(|mark| PixelRect::covering(mark.rect, size)).collect();
    for &index in order.iter().rev() {
        paint::outline(picture, rects[index], style.line, marks[index].colour);
    }
    let mut layout = Layout::new(size, &rects, style);
    let mut placed = Vec::with_capacity(order.len());
    for &index in &order {
        let words = marks[index].texts.each_ref().map(|text| lettering.set(text));
        if let Some((word, spot)) = layout.place(rects[index], &words) {
            placed.push((marks[index].colour, word, spot));
        }
    }
    for (fill, _, spot) in &placed {
        if let Some([from, to]) = spot.leader {
            paint::line(picture, from, to, style.line, *fill);
        }
    }
    for (fill, word, spot) in &placed {
        paint::fill(picture, spot.rect, *fill);
        lettering.draw(picture, word, spot.rect, contrast(*fill));
    }
    Ok(())
}

/// Writes a picture as PNG.
pub(crate) fn write_png(path: &Path, picture: &RgbImage) -> Outcome<()> {
    write_pixels(path, picture.as_raw(), picture.dimensions(), ExtendedColorType::Rgb8)
}

/// Writes packed pixels as PNG.
pub(crate) fn write_pixels(
    path: &Path,
    pixels: &[u8],
    (width, height): (u32, u32),
    colour: ExtendedColorType,
) -> Outcome<()> {
    files::write_whole(path, |file| {
        PngEncoder::new_with_quality(file, CompressionType::Fast, FilterType::Adaptive)
            .write_image(pixels, width, height, colour)
            .map_err(IoError::other)
    })
}

/// The colour of a class: hues a golden angle apart, so that neighbouring numbers differ most.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "values of 0..=255")]
fn colour(class_id: u32) -> Rgb<u8> {
    const GOLDEN_DEGREES: f64 = 137.507_764_05;
    const TIERS: [(f64, f64); 3] = [(0.85, 1.0), (1.0, 0.8), (0.5, 1.0)];
    let hue = (f64::from(class_id) * GOLDEN_DEGREES + 100.0) % 360.0 / 60.0;
    let (saturation, value) = TIERS[(class_id / 9 % 3) as usize];
    Rgb([5.0, 3.0, 1.0].map(|shift| {
        let k = (shift + hue) % 6.0;
        let channel = value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0);
        (channel * 255.0).round() as u8
    }))
}

/// Black or white, whichever is easier to read on `fill`.
fn contrast(fill: Rgb<u8>) -> Rgb<u8> {
    let linear = fill.0.map(|channel| (f64::from(channel) / 255.0).powf(2.2));
    let luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    // Where the contrast ratios (L + 0.05) with black and with white are equal.
    Rgb([if luminance > 0.179 { 0 } else { 255 }; 3])
}

#[cfg(test)]
mod tests;
