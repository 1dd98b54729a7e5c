//! Crop, bilinear resize, letterbox and normalisation on the CPU.

use crate::geom::{IRectPx, TileTransform};
use crate::model::{ChannelOrder, InputSpec};

/// A picture of three 8-bit channels, red first.
#[derive(Clone, Copy, Debug)]
pub struct Rgb<'a> {
    /// Columns.
    pub width: usize,
    /// `3 * width * height` bytes.
    pub pixels: &'a [u8],
}

/// The network's input `[3, height, width]` for one tile.
#[must_use]
pub fn resample(picture: Rgb<'_>, tile: IRectPx, input: &InputSpec) -> Vec<f32> {
    let transform = TileTransform::new(tile, [input.width, input.height], input.resize);
    let [left, top] = transform.offset;
    let [width, height] = transform.resized;
    let mut output = Vec::with_capacity(3 * input.width as usize * input.height as usize);
    for channel in 0..3 {
        let stored = if input.order == ChannelOrder::Bgr { 2 - channel } else { channel };
        let pixel = |x: u32, y: u32| {
            f32::from(picture.pixels[(y as usize * picture.width + x as usize) * 3 + stored])
        };
        for y in 0..input.height {
            for x in 0..input.width {
                let inside = x >= left && y >= top && x - left < width && y - top < height;
                let value = if inside {
                    let (x0, x1, fx) = sample_point(x - left, tile.width(), width);
                    let (y0, y1, fy) = sample_point(y - top, tile.height(), height);
                    let row = |y: u32| {
                        let (a, b) = (pixel(tile.x0 + x0, tile.y0 + y), pixel(tile.x0 + x1, tile.y0 + y));
                        a + (b - a) * fx
                    };
                    row(y0) + (row(y1) - row(y0)) * fy
                } else {
                    input.pad
                };
                output.push((value - input.mean[channel]) / input.std[channel]);
            }
        }
    }
    output
}

/// Half-pixel centres, clamped to the tile: the two source positions and the weight of the second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positions inside the tile")]
fn sample_point(at: u32, source: u32, target: u32) -> (u32, u32, f32) {
    let point = (f64::from(at) + 0.5) * f64::from(source) / f64::from(target) - 0.5;
    let point = point.clamp(0.0, f64::from(source - 1));
    let first = point.floor();
    (first as u32, (first as u32 + 1).min(source - 1), (point - first) as f32)
}
