//! From a tile to the network's input and back (SEMANTICS section 2: OpenCV `INTER_LINEAR`, half-pixel centres).

use super::{IRectPx, RectPx};
use serde::{Deserialize, Serialize};

/// How a tile is fitted into the network's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// Both axes scaled apart to fill the input.
    Stretch,
    /// Aspect ratio kept, picture at the top left, the rest padded.
    #[default]
    LetterboxTopLeft,
    /// The same with sides rounded down instead of to nearest, as YOLOX does it.
    LetterboxTopLeftFloor,
    /// Aspect ratio kept, picture centred, the rest padded (Ultralytics).
    LetterboxCentre,
}

/// Where a tile's pixels land in the network's input, in whole input pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileTransform {
    /// The tile in pixels of the full image.
    pub tile: IRectPx,
    /// Width and height of the resized tile in input pixels.
    pub resized: [u32; 2],
    /// Left and top padding in input pixels.
    pub offset: [u32; 2],
}

impl TileTransform {
    /// The transform of `tile` into an input of `input` = width, height.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded products of sizes below 2^23 with a ratio that fits the input"
    )]
    pub fn new(tile: IRectPx, input: [u32; 2], mode: ResizeMode) -> Self {
        let (width, height) = (f64::from(tile.width()), f64::from(tile.height()));
        let ratio = (f64::from(input[0]) / width).min(f64::from(input[1]) / height);
        let resized = match mode {
            ResizeMode::Stretch => input,
            ResizeMode::LetterboxTopLeftFloor => [
                ((width * ratio).floor() as u32).clamp(1, input[0]),
                ((height * ratio).floor() as u32).clamp(1, input[1]),
            ],
            ResizeMode::LetterboxTopLeft | ResizeMode::LetterboxCentre => [
                ((width * ratio).round() as u32).clamp(1, input[0]),
                ((height * ratio).round() as u32).clamp(1, input[1]),
            ],
        };
        let offset = match mode {
            ResizeMode::LetterboxCentre => [(input[0] - resized[0]) / 2, (input[1] - resized[1]) / 2],
            ResizeMode::Stretch | ResizeMode::LetterboxTopLeft | ResizeMode::LetterboxTopLeftFloor => [0, 0],
        };
        Self { tile, resized, offset }
    }

    /// Image pixels per input pixel on each axis.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sizes below 2^24")]
    pub fn scale(&self) -> [f32; 2] {
        [
            self.tile.width() as f32 / self.resized[0] as f32,
            self.tile.height() as f32 / self.resized[1] as f32,
        ]
    }

    /// A box in input pixels as a box in the image, clamped to the tile.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sizes below 2^24")]
    pub fn to_image(&self, rect: RectPx) -> RectPx {
        let [sx, sy] = self.scale();
        let (dx, dy) = (self.offset[0] as f32, self.offset[1] as f32);
        let (width, height) = (self.tile.width() as f32, self.tile.height() as f32);
        let (x0, y0) = (self.tile.x0 as f32, self.tile.y0 as f32);
        RectPx::new(
            ((rect.x0 - dx) * sx).clamp(0.0, width) + x0,
            ((rect.y0 - dy) * sy).clamp(0.0, height) + y0,
            ((rect.x1 - dx) * sx).clamp(0.0, width) + x0,
            ((rect.y1 - dy) * sy).clamp(0.0, height) + y0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{IRectPx, ResizeMode, TileTransform};

    #[test]
    fn sides_are_rounded_as_the_mode_says() {
        let resized = |mode| TileTransform::new(IRectPx::new(0, 0, 1068, 580), [416, 416], mode).resized;
        assert_eq!(resized(ResizeMode::LetterboxTopLeft), [416, 226]);
        assert_eq!(resized(ResizeMode::LetterboxCentre), [416, 226]);
        assert_eq!(resized(ResizeMode::LetterboxTopLeftFloor), [416, 225]);
        let thin = IRectPx::new(0, 0, 4000, 1);
        assert_eq!(TileTransform::new(thin, [64, 64], ResizeMode::LetterboxTopLeftFloor).resized, [64, 1]);
    }
}
