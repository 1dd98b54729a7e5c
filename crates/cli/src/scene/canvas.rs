//! A grey picture and the soft shapes that objects are drawn with.

use super::random::Field;
use image::{Rgb, RgbImage};

/// A grey picture, rows packed.
#[derive(Clone, Debug)]
pub(crate) struct Canvas {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

/// A rectangle with round corners in the axes of an object. Its edge fades over `soft` pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Middle, along and across the object.
    pub(super) middle: [f32; 2],
    /// Half of its sides.
    pub(super) half: [f32; 2],
    /// Radius of its corners, at most half of its shorter side.
    pub(super) radius: f32,
    /// Width of the fading edge.
    pub(super) soft: f32,
    /// Grey level.
    pub(super) tone: f32,
    /// Share of it that covers what is below, in [0, 1].
    pub(super) cover: f32,
}

impl Shape {
    /// How much of a point the shape covers, in [0, 1].
    fn cover_at(&self, point: [f32; 2]) -> f32 {
        let out: [f32; 2] = std::array::from_fn(|axis| {
            (point[axis] - self.middle[axis]).abs() - self.half[axis] + self.radius
        });
        let (a, b) = (out[0].max(0.0), out[1].max(0.0));
        let distance = (a * a + b * b).sqrt() + out[0].max(out[1]).min(0.0) - self.radius;
        (0.5 - distance / self.soft).clamp(0.0, 1.0) * self.cover
    }

    /// How far the shape reaches from the object's middle.
    fn reach(&self) -> f32 {
        let side = |axis: usize| self.middle[axis].abs() + self.half[axis] + self.soft;
        side(0) + side(1)
    }
}

/// A change of this many grey levels shows: pixels that an object changes by as much or more are its own.
const SHOWS: u8 = 8;

impl Canvas {
    /// A black picture.
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self { width, height, pixels: vec![0; width as usize * height as usize] }
    }

    /// The grey pixels as red, green and blue.
    pub(crate) fn to_rgb(&self) -> RgbImage {
        RgbImage::from_fn(self.width, self.height, |x, y| Rgb([self.at(x, y); 3]))
    }

    /// The level of a pixel of the picture.
    pub(crate) fn at(&self, x: u32, y: u32) -> u8 {
        self.pixels[y as usize * self.width as usize + x as usize]
    }

    /// Draws shapes over each other around `middle`, turned by the direction `axis` of length 1. Returns the edges
    /// `[x0, y0, x1, y1]` of the pixels that they change visibly; none if there are none.
    pub(super) fn stamp(&mut self, middle: [f32; 2], axis: [f32; 2], shapes: &[Shape]) -> Option<[u32; 4]> {
        let reach = shapes.iter().map(Shape::reach).fold(0.0, f32::max);
        let span = |at: f32, size: u32| {
            let from = (at - reach).floor().max(0.0) as u32;
            from..((at + reach).ceil().max(0.0) as u32 + 1).min(size)
        };
        let mut edges: Option<[u32; 4]> = None;
        for y in span(middle[1], self.height) {
            for x in span(middle[0], self.width) {
                let (dx, dy) = (x as f32 + 0.5 - middle[0], y as f32 + 0.5 - middle[1]);
                let point = [dx * axis[0] + dy * axis[1], dy * axis[0] - dx * axis[1]];
                let index = y as usize * self.width as usize + x as usize;
                let before = self.pixels[index];
                let after = shapes.iter().fold(f32::from(before), |level, shape| {
                    level + (shape.tone - level) * shape.cover_at(point)
                });
                let after = after.round().clamp(0.0, 255.0) as u8;
                self.pixels[index] = after;
                if after.abs_diff(before) >= SHOWS {
                    edges = Some(edges.map_or([x, y, x + 1, y + 1], |[x0, y0, x1, y1]| {
                        [x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)]
                    }));
                }
            }
        }
        edges
    }

    /// Blurs with the weights 1, 2, 1 along both axes; the border is repeated.
    pub(super) fn blur(&mut self) {
        let width = self.width as usize;
        let along = |row: &[u8], x: usize| {
            let (left, right) = (row[x.saturating_sub(1)], row[(x + 1).min(width - 1)]);
            u16::from(left) + 2 * u16::from(row[x]) + u16::from(right)
        };
        let sums = |row: &[u8]| (0..width).map(|x| along(row, x)).collect::<Vec<u16>>();
        let mut above: Option<Vec<u16>> = None;
        for y in 0..self.height as usize {
            let here = sums(&self.pixels[y * width..][..width]);
            let next = (y + 1 < self.height as usize).then(|| sums(&self.pixels[(y + 1) * width..][..width]));
            let (upper, lower) = (above.as_ref().unwrap_or(&here), next.as_ref().unwrap_or(&here));
            for x in 0..width {
                self.pixels[y * width + x] = ((upper[x] + 2 * here[x] + lower[x] + 8) / 16) as u8;
            }
            above = Some(here);
        }
    }

    /// Adds the noise of a sensor, up to 3 levels.
    pub(super) fn add_noise(&mut self, field: Field) {
        let width = self.width as usize;
        for (y, row) in self.pixels.chunks_exact_mut(width).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                let share = field.at(x as i32, y as i32);
                // Two numbers of one: their sum is near 0 most of the time.
                let second = (share * 4096.0).fract();
                *pixel = pixel.saturating_add_signed(((share + second - 1.0) * 3.5).round() as i8);
            }
        }
    }
}
