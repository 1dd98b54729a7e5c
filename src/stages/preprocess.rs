//! Crop, resize, letterbox and normalise the tiles of a chunk.

use super::frame::{Band, Frame};
use crate::error::{Error, Result};
use crate::geom::{Edges, Tile, TileGrid, TileTransform};
use crate::gpu::{Bind, Recorder};
use crate::kernels::nn::conv_pointwise::ConvArgs;
use crate::kernels::nn::{Launch, Map};
use crate::kernels::preprocess::{ResampleArgs, Source, SourceTile, resample, resample_texture, stem};
use crate::model::InputSpec;
use std::ops::Range;

/// Where pixels come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PixelSource<'a> {
    Frame(&'a Frame),
    /// The caller's texture, and whether loads from it decode sRGB.
    Texture(&'a wgpu::TextureView, bool),
}

/// The tiles of a picture as the kernels read them.
///
/// # Errors
/// `Unsupported` if a tile is so large that its sample positions leave 31 bits.
pub(crate) fn source_tiles(grid: &TileGrid, input: &InputSpec) -> Result<Vec<SourceTile>> {
    grid.tiles
        .iter()
        .zip(0..)
        .map(|(tile, index)| {
            let transform = TileTransform::new(tile.rect, [input.width, input.height], input.resize);
            for (side, resized) in
                [(tile.rect.width(), transform.resized[0]), (tile.rect.height(), transform.resized[1])]
            {
                if 2 * u64::from(side) * u64::from(resized) >= 1 << 31 {
                    return Err(Error::unsupported(format!(
                        "a tile side of {side} pixels resized to {resized} is too large; use a smaller tile"
                    )));
                }
            }
            Ok(SourceTile::new(index, tile, inner_edges(grid, tile), input))
        })
        .collect()
}

/// The edges of a tile beyond which the picture goes on.
fn inner_edges(grid: &TileGrid, tile: &Tile) -> Edges {
    let rect = tile.rect;
    [
        (rect.x0 > 0, Edges::LEFT),
        (rect.y0 > 0, Edges::TOP),
        (rect.x1 < grid.image_width, Edges::RIGHT),
        (rect.y1 < grid.image_height, Edges::BOTTOM),
    ]
    .into_iter()
    .filter(|&(is_inner, _)| is_inner)
    .fold(Edges::NONE, |edges, (_, edge)| edges.union(edge))
}

/// Records the preprocessing of tiles `chunk` of `grid` with the first convolution `conv`; the network's input is not written.
/// All pixels must be in one binding.
pub(crate) fn record_stem(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    source: PixelSource<'_>,
    (grid, tiles, chunk): (&TileGrid, &wgpu::Buffer, Range<u32>),
    (input, conv): (&InputSpec, &ConvArgs<'_>),
) -> Result<()> {
    let args = |source| ResampleArgs { input, tiles, first_tile: chunk.start, source, dst: conv.src };
    match source {
        PixelSource::Texture(view, srgb) => {
            let pixels = args(texture_source(grid));
            stem::record(recorder, launch, (&pixels, conv), Bind::View(view), Some(srgb))
        }
        PixelSource::Frame(frame) => {
            let [band] = &frame.bands[..] else {
                return Err(Error::unsupported("a picture in bands of rows cannot be read by a convolution"));
            };
            let pixels = args(frame_source(frame, band));
            stem::record(recorder, launch, (&pixels, conv), Bind::Buffer(&band.buffer), None)
        }
    }
}

fn texture_source(grid: &TileGrid) -> Source {
    Source { row_bytes: 0, pixel_bytes: 0, bgr: false, rows: [0, grid.image_height] }
}

fn frame_source(frame: &Frame, band: &Band) -> Source {
    Source {
        row_bytes: frame.row_bytes,
        pixel_bytes: frame.format.bytes(),
        bgr: frame.format.is_bgr(),
        rows: band.rows,
    }
}

/// Records the preprocessing of tiles `chunk` of `grid` into `dst`.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    source: PixelSource<'_>,
    (grid, tiles, chunk): (&TileGrid, &wgpu::Buffer, Range<u32>),
    (input, dst): (&InputSpec, Map<'_>),
) -> Result<()> {
    let args = |source| ResampleArgs { input, tiles, first_tile: chunk.start, source, dst };
    match source {
        PixelSource::Texture(view, srgb) => {
            resample_texture::record(recorder, launch, &args(texture_source(grid)), (view, srgb))
        }
        PixelSource::Frame(frame) => {
            let used = &grid.tiles[chunk.start as usize..chunk.end as usize];
            for band in &frame.bands {
                let touched = band.rows[0] == 0
                    || used.iter().any(|t| t.rect.y0 < band.rows[1] && t.rect.y1 > band.rows[0]);
                if touched {
                    resample::record(recorder, launch, &args(frame_source(frame, band)), &band.buffer)?;
                }
            }
            Ok(())
        }
    }
}
