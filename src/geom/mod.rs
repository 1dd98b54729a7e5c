//! Rectangles, tile grids and the transforms between a tile and the network's input. Pure: no GPU.

mod algorithm;
mod edges;
mod grid;
mod letterbox;
mod overlap;
mod rect;
mod shape;
pub(crate) mod soft;

pub use algorithm::Algorithm;
pub use edges::Edges;
pub use grid::{GridOptions, MAX_IMAGE_SIDE, MAX_TILES, Tile, TileGrid, TileSize};
pub use letterbox::{ResizeMode, TileTransform};
pub use overlap::Metric;
pub use rect::{IRectPx, RectPx};
pub use shape::Shape;
