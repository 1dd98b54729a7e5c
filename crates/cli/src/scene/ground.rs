//! The picture of the ground: the warmth of its surfaces, with texture, and slightly blurred.

use super::canvas::Canvas;
use super::random::Field;
use super::town::{Surface, Town};
use std::num::NonZero;
use std::thread;

/// Draws the town into the whole canvas, bands of rows at once.
pub(super) fn draw(canvas: &mut Canvas, town: &Town, seed: u64) {
    let noise: [Field; 4] = std::array::from_fn(|octave| Field::new(seed, 16 + octave as u64));
    let width = canvas.width as usize;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let rows = (canvas.height as usize).div_ceil(threads);
    thread::scope(|scope| {
        for (number, band) in canvas.pixels.chunks_mut(rows * width).enumerate() {
            scope.spawn(move || {
                for (y, row) in (number * rows..).zip(band.chunks_exact_mut(width)) {
                    for (x, pixel) in row.iter_mut().enumerate() {
                        *pixel = level(town, x as f32, y as f32, noise);
                    }
                }
            });
        }
    });
    canvas.blur();
}

/// Grey level of a pixel.
fn level(town: &Town, x: f32, y: f32, noise: [Field; 4]) -> u8 {
    let surface = town.surface(town.of_picture([x, y]));
    tone(surface, x, y, noise).round().clamp(0.0, 255.0) as u8
}

/// Grey level of a surface, 0 cold to 255 warm: levels of an evening after a sunny day.
fn tone(surface: Surface, x: f32, y: f32, noise: [Field; 4]) -> f32 {
    // Level, and how strong the coarse and the fine texture are.
    let (level, coarse, fine) = match surface {
        Surface::Road => (139.0, 9.0, 1.5),
        Surface::Line => (152.0, 9.0, 1.5),
        Surface::Kerb => (128.0, 6.0, 3.0),
        Surface::Pavement => (150.0, 8.0, 3.0),
        Surface::Lawn => (104.0, 8.0, 8.0),
        Surface::Tree(depth) => (84.0 + 10.0 * depth, 4.0, 15.0),
        Surface::Roof(warmth) => (88.0 + 60.0 * warmth, 8.0, 3.0),
        Surface::Parapet => (164.0, 8.0, 4.0),
        Surface::Fixture(warmth) => (60.0 + 160.0 * warmth, 3.0, 3.0),
    };
    let broad = noise[0].smooth(x, y, 384.0) * 0.7 + noise[1].smooth(x, y, 96.0) * 0.3;
    let small = noise[2].smooth(x, y, 18.0) * 0.5 + noise[3].smooth(x, y, 5.0) * 0.5;
    level + broad * coarse * 1.6 + small * fine
}
