//! Filled rectangles, outlines and lines, clipped to the picture.

use image::{Rgb, RgbImage};
use tilehawk::geom::RectPx;

/// Whole pixels, columns `x0..x1` and rows `y0..y1`; may lie partly outside of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PixelRect {
    pub(super) x0: i64,
    pub(super) y0: i64,
    pub(super) x1: i64,
    pub(super) y1: i64,
}

impl PixelRect {
    pub(super) const fn new(x0: i64, y0: i64, x1: i64, y1: i64) -> Self {
        Self { x0, y0, x1, y1 }
    }

    /// The pixels of a picture that a box touches, at least one.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the picture")]
    pub(super) fn covering(rect: RectPx, size: [u32; 2]) -> Self {
        let axis = |low: f32, high: f32, size: u32| {
            let size = i64::from(size);
            let start = (low.floor() as i64).clamp(0, size - 1);
            (start, (high.ceil() as i64).clamp(start + 1, size))
        };
        let (x0, x1) = axis(rect.x0, rect.x1, size[0]);
        let (y0, y1) = axis(rect.y0, rect.y1, size[1]);
        Self { x0, y0, x1, y1 }
    }

    pub(super) const fn grown(self, by: i64) -> Self {
        Self { x0: self.x0 - by, y0: self.y0 - by, x1: self.x1 + by, y1: self.y1 + by }
    }

    pub(super) const fn width(self) -> i64 {
        self.x1 - self.x0
    }

    pub(super) const fn height(self) -> i64 {
        self.y1 - self.y0
    }

    /// The nearest point of the rectangle to another.
    pub(super) fn nearest(self, [x, y]: [i64; 2]) -> [i64; 2] {
        [x.clamp(self.x0, self.x1 - 1), y.clamp(self.y0, self.y1 - 1)]
    }
}

/// Fills a rectangle.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clipped to the picture")]
pub(super) fn fill(picture: &mut RgbImage, rect: PixelRect, colour: Rgb<u8>) {
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    for y in rect.y0.clamp(0, height)..rect.y1.clamp(0, height) {
        for x in rect.x0.clamp(0, width)..rect.x1.clamp(0, width) {
            picture.put_pixel(x as u32, y as u32, colour);
        }
    }
}

/// Draws the edge of a rectangle: the innermost line lies on its own edge pixels, further ones go outwards, and the
/// pixels around are darkened, so that bright colours show on bright ground.
pub(super) fn outline(picture: &mut RgbImage, rect: PixelRect, line: u32, colour: Rgb<u8>) {
    let line = i64::from(line);
    let outer = rect.grown(line - 1);
    darken_edge(picture, outer.grown(1));
    fill(picture, PixelRect { y1: outer.y0 + line, ..outer }, colour);
    fill(picture, PixelRect { y0: outer.y1 - line, ..outer }, colour);
    fill(picture, PixelRect { x1: outer.x0 + line, ..outer }, colour);
    fill(picture, PixelRect { x0: outer.x1 - line, ..outer }, colour);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clipped to the picture")]
fn darken_edge(picture: &mut RgbImage, rect: PixelRect) {
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    let mut darken = |x: i64, y: i64| {
        if (0..width).contains(&x) && (0..height).contains(&y) {
            picture.get_pixel_mut(x as u32, y as u32).0.iter_mut().for_each(|channel| *channel /= 2);
        }
    };
    for x in rect.x0..rect.x1 {
        darken(x, rect.y0);
        darken(x, rect.y1 - 1);
    }
    for y in rect.y0 + 1..rect.y1 - 1 {
        darken(rect.x0, y);
        darken(rect.x1 - 1, y);
    }
}

/// Draws a straight line.
pub(super) fn line(picture: &mut RgbImage, from: [i64; 2], to: [i64; 2], width: u32, colour: Rgb<u8>) {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let steps = dx.abs().max(dy.abs()).max(1);
    let half = i64::from(width) / 2;
    for step in 0..=steps {
        let (x, y) = (from[0] + dx * step / steps, from[1] + dy * step / steps);
        let (left, top) = (x - half, y - half);
        let dot = PixelRect::new(left, top, left + i64::from(width), top + i64::from(width));
        fill(picture, dot, colour);
    }
}
