//! `bench`: how fast a device detects, by tile size and by layer.

mod bitmap;
mod document;
mod layers;
mod measure;
mod plot;
mod roofline;
mod spread;
mod tables;

pub(crate) use document::{csv, document};
pub(crate) use layers::Layers;
pub(crate) use measure::{Measured, Patience, Runs, measure};
pub(crate) use plot::{png, svg};
pub(crate) use roofline::{Cost, Roofline};
pub(crate) use spread::Spread;
pub(crate) use tables::tables;

use layers::Work;

/// What was measured with what.
#[derive(Debug)]
pub(crate) struct Report {
    /// Name of the adapter.
    pub(crate) device: String,
    /// Its interface, as in `vulkan`.
    pub(crate) backend: String,
    /// Its driver with version.
    pub(crate) driver: String,
    /// Whether it has the timestamps that stages need.
    pub(crate) timestamps: bool,
    /// Side of the cooperative matrices that convolutions may use.
    pub(crate) matrices: Option<u32>,
    /// Name of the model.
    pub(crate) model: String,
    /// Columns and rows of the network's input.
    pub(crate) net: [u32; 2],
    /// Columns and rows of the picture; none if each row has its own.
    pub(crate) size: Option<[u32; 2]>,
    /// Its file; none if it was drawn.
    pub(crate) image: Option<String>,
    /// Overlap of tiles.
    pub(crate) overlap: [f64; 2],
    /// Whether the whole picture is one more tile.
    pub(crate) full_image: bool,
    /// Pictures in flight that were timed beside one at a time.
    pub(crate) in_flight: u32,
    /// What runs are set against.
    pub(crate) roofline: Roofline,
    /// Operations for one tile.
    pub(crate) flop: u64,
    /// By tile size, or by number of tiles.
    pub(crate) rows: Vec<Row>,
    /// The layers of the network, if they were asked for and could be timed.
    pub(crate) layers: Option<Layers>,
}

/// A tile size, or a number of tiles.
#[derive(Debug)]
pub(crate) struct Row {
    /// Columns and rows of the picture.
    pub(crate) size: [u32; 2],
    /// Side of a tile in pixels.
    pub(crate) tile: u32,
    /// What was measured, or why nothing was.
    pub(crate) outcome: Result<Measured, String>,
}

impl Report {
    /// What the network did, and the time that it took; none where the device cannot tell.
    fn rates(&self, found: &Measured) -> Option<Work> {
        let ms = found.part("network")?.median;
        let (tiles, chunks) = (f64::from(found.tiles), f64::from(found.chunks));
        let cost = Cost::of_network(&found.cost);
        let (flop, bytes) = (cost.flop as f64 * tiles, self.roofline.bytes(cost, tiles, chunks));
        let bound_ms = self.roofline.network_ms(&found.cost.nodes, tiles, chunks);
        let by_copy = self.roofline.copy_ms(bytes) >= self.roofline.fma_ms(flop);
        (ms > 0.0).then_some(Work { ms, flop, bytes, bound_ms, by_copy })
    }

    /// Operations as a share of what the device can do in the time.
    fn fma_share(&self, work: Work) -> f64 {
        self.roofline.fma_ms(work.flop) / work.ms
    }

    /// Bytes as a share of what the device can copy in the time.
    fn copy_share(&self, work: Work) -> f64 {
        self.roofline.copy_ms(work.bytes) / work.ms
    }
}
