//! The slice grid of SAHI (`get_slice_bboxes`, `get_auto_slice_params`), with an optional full-image tile.

use super::{IRectPx, rect::RectPx};
use crate::error::{Error, Result};

/// How large a tile is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TileSize {
    /// Width and height in pixels of the image.
    Fixed {
        /// Columns, at least 1.
        width: u32,
        /// Rows, at least 1.
        height: u32,
    },
    /// From the image size, by SAHI's bands; brings its own overlap.
    Auto,
}

impl TileSize {
    /// A square tile.
    #[must_use]
    pub const fn square(side: u32) -> Self {
        Self::Fixed { width: side, height: side }
    }
}

/// What a tile grid is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridOptions {
    /// Tile size.
    pub tile: TileSize,
    /// Overlap as a share of the tile width and height, each in `[0, 1)`; unused for [`TileSize::Auto`].
    pub overlap: [f64; 2],
    /// Adds the whole image as one more tile at the end, if the grid has more than one tile.
    pub full_image: bool,
}

impl Default for GridOptions {
    fn default() -> Self {
        Self { tile: TileSize::square(640), overlap: [0.2, 0.2], full_image: false }
    }
}

/// One tile: where it lies, and which of its edges are edges of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Pixels of the full image.
    pub rect: IRectPx,
}

impl Tile {
    /// The tile's rectangle as floats.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "image sides stay below 2^24, see TileGrid::new")]
    pub fn rect_px(&self) -> RectPx {
        let [x0, y0, x1, y1] = self.rect.to_array();
        RectPx::new(x0 as f32, y0 as f32, x1 as f32, y1 as f32)
    }
}

/// The tiles of one image, row-major (rows outer), the full-image tile last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileGrid {
    /// Columns of the image.
    pub image_width: u32,
    /// Rows of the image.
    pub image_height: u32,
    /// The tiles in order.
    pub tiles: Vec<Tile>,
}

/// Sides beyond this are refused: pixel coordinates must be exact in f32.
pub const MAX_IMAGE_SIDE: u32 = 1 << 23;
/// More tiles than this are refused: such a grid is a mistake in the options.
pub const MAX_TILES: usize = 1 << 20;

impl TileGrid {
    /// Cuts an image of `width` x `height` pixels.
    ///
    /// # Errors
    /// `Input` if a side is 0 or above 2^23, the tile is 0, the overlap is outside `[0, 1)` or leaves no step,
    /// or the grid would have more than 2^20 tiles.
    pub fn new(width: u32, height: u32, options: &GridOptions) -> Result<Self> {
        if width == 0 || height == 0 || width > MAX_IMAGE_SIDE || height > MAX_IMAGE_SIDE {
            return Err(Error::input(format!(
                "image size {width}x{height} is outside 1..={MAX_IMAGE_SIDE} pixels a side"
            )));
        }
        let (size, overlap) = match options.tile {
            TileSize::Fixed { width: tile_width, height: tile_height } => {
                let overlap = [
                    overlap_px("x", options.overlap[0], tile_width)?,
                    overlap_px("y", options.overlap[1], tile_height)?,
                ];
                ([tile_width, tile_height], overlap)
            }
            TileSize::Auto => auto_slice(width, height),
        };
        check_tile_count([width, height], size, overlap)?;
        let mut tiles = walk([width, height], size, overlap);
        if options.full_image && tiles.len() > 1 {
            tiles.push(Tile { rect: IRectPx::new(0, 0, width, height) });
        }
        Ok(Self { image_width: width, image_height: height, tiles })
    }
}

/// `trunc(ratio * size)` in f64: f32 gives another answer for hundreds of pairs.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie in [0, size)")]
fn overlap_px(axis: &str, ratio: f64, size: u32) -> Result<u32> {
    if size == 0 {
        return Err(Error::input(format!("tile size 0 on the {axis} axis: give at least 1 pixel")));
    }
    if !(0.0..1.0).contains(&ratio) {
        return Err(Error::input(format!("overlap {ratio} on the {axis} axis is outside [0, 1)")));
    }
    let overlap = (ratio * f64::from(size)).trunc() as u32;
    if overlap >= size {
        return Err(Error::input(format!("overlap {ratio} of a {size}-pixel tile leaves no step to walk")));
    }
    Ok(overlap)
}

fn check_tile_count(image: [u32; 2], size: [u32; 2], overlap: [u32; 2]) -> Result<()> {
    let count = |axis: usize| {
        let step = u64::from(size[axis] - overlap[axis].min(size[axis] - 1));
        u64::from(image[axis].saturating_sub(size[axis])).div_ceil(step) + 1
    };
    let tiles = count(0) * count(1);
    if tiles > MAX_TILES as u64 {
        return Err(Error::input(format!(
            "{tiles} tiles of {}x{} pixels are more than {MAX_TILES}: use a larger tile or less overlap",
            size[0], size[1]
        )));
    }
    Ok(())
}

/// SAHI's walk: a tile that would cross the right or bottom edge is shifted back, and the walk ends at the edge.
fn walk(image: [u32; 2], size: [u32; 2], overlap: [u32; 2]) -> Vec<Tile> {
    let columns = axis_ranges(image[0], size[0], overlap[0]);
    let rows = axis_ranges(image[1], size[1], overlap[1]);
    rows.iter()
        .flat_map(|&(y0, y1)| {
            columns.iter().map(move |&(x0, x1)| Tile { rect: IRectPx::new(x0, y0, x1, y1) })
        })
        .collect()
}

fn axis_ranges(length: u32, size: u32, overlap: u32) -> Vec<(u32, u32)> {
    let mut ranges = Vec::new();
    let mut start = 0;
    loop {
        let end = start + size;
        if end >= length {
            ranges.push((length.saturating_sub(size), length));
            return ranges;
        }
        ranges.push((start, end));
        start = end - overlap;
    }
}

/// SAHI's `get_auto_slice_params`: bands by the power of two below the pixel count.
fn auto_slice(width: u32, height: u32) -> ([u32; 2], [u32; 2]) {
    let pixels = u64::from(width) * u64::from(height);
    let factor = pixels.next_power_of_two().trailing_zeros().saturating_sub(1);
    let (slide, tenths) = match factor {
        0..=18 => return ([width, height], [0, 0]),
        19..=20 => (1, 8),
        21..=23 => (2, 4),
        _ => (4, 4),
    };
    let (columns, rows) = match width.cmp(&height) {
        std::cmp::Ordering::Less => (slide, slide * 2),
        std::cmp::Ordering::Greater => (slide * 2, slide),
        std::cmp::Ordering::Equal => (slide, slide),
    };
    let size = [(width / columns).max(1), (height / rows).max(1)];
    let ratio = f64::from(tenths) / 10.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ratio < 1")]
    let overlap = size.map(|side| (ratio * f64::from(side)).trunc() as u32);
    (size, overlap)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(width: u32, height: u32, tile: u32, overlap: f64) -> Result<TileGrid> {
        let options = GridOptions { tile: TileSize::square(tile), overlap: [overlap; 2], full_image: false };
        TileGrid::new(width, height, &options)
    }

    #[test]
    fn known_counts() {
        assert_eq!(grid(3840, 2160, 640, 0.2).unwrap().tiles.len(), 32);
        assert_eq!(grid(641, 641, 640, 0.2).unwrap().tiles.len(), 4);
        assert_eq!(grid(100, 50, 640, 0.2).unwrap().tiles[0].rect, IRectPx::new(0, 0, 100, 50));
    }

    #[test]
    fn full_image_only_beside_others() {
        let options = GridOptions { full_image: true, ..GridOptions::default() };
        assert_eq!(TileGrid::new(640, 640, &options).unwrap().tiles.len(), 1);
        let tiles = TileGrid::new(641, 640, &options).unwrap().tiles;
        assert_eq!(tiles.len(), 3);
        assert_eq!(tiles[2].rect, IRectPx::new(0, 0, 641, 640));
    }

    #[test]
    fn bad_options_are_refused() {
        assert!(grid(100, 100, 0, 0.2).is_err());
        assert!(grid(100, 100, 10, 1.0).is_err());
        assert!(grid(100, 100, 10, -0.1).is_err());
        assert!(grid(100, 100, 10, f64::NAN).is_err());
        assert!(grid(0, 100, 10, 0.0).is_err());
        assert!(grid(8_000_000, 8_000_000, 1, 0.0).is_err());
    }
}
