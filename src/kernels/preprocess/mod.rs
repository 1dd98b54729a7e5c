//! From pixels to the network's input.

pub(crate) mod resample;
pub(crate) mod resample_texture;
pub(crate) mod stem;

use crate::error::Result;
use crate::geom::{Edges, Shape, Tile, TileTransform};
use crate::gpu::{Bind, Groups, KernelSpec, Recorder, Variant, groups_1d};
use crate::kernels::nn::{Launch, Map};
use crate::model::{ChannelOrder, InputSpec};

/// One tile on the GPU, 48 bytes; `shaders/shared/source_tile.wgsl` is its twin.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct SourceTile {
    rect: [u32; 4],
    placed: [u32; 4],
    scale: [f32; 2],
    index: u32,
    inner: u32,
}

impl SourceTile {
    /// The `index`-th tile of a picture, the image beyond its edges `inner`, with its place in the network's input.
    pub(crate) fn new(index: u32, tile: &Tile, inner: Edges, input: &InputSpec) -> Self {
        let transform = TileTransform::new(tile.rect, [input.width, input.height], input.resize);
        Self {
            rect: tile.rect.to_array(),
            placed: [transform.offset[0], transform.offset[1], transform.resized[0], transform.resized[1]],
            scale: transform.scale(),
            index,
            inner: u32::from(inner.bits()),
        }
    }
}

#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct ResampleParams {
    dst_base: u32,
    tiles: u32,
    first_tile: u32,
    dst_w: u32,
    dst_h: u32,
    row_bytes: u32,
    pixel_bytes: u32,
    bgr: u32,
    band_first: u32,
    band_end: u32,
    writes_padding: u32,
    pad_value: f32,
    mean: [f32; 4],
    std: [f32; 4],
}

/// Which pixels a dispatch reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// Bytes from one row to the next; buffers only.
    pub(crate) row_bytes: u32,
    /// 1, 3 or 4; buffers only.
    pub(crate) pixel_bytes: u32,
    /// Whether the stored order is blue first.
    pub(crate) bgr: bool,
    /// Rows this dispatch writes for.
    pub(crate) rows: [u32; 2],
}

/// What all kernels that resample take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResampleArgs<'a> {
    pub(crate) input: &'a InputSpec,
    /// Tiles of the picture.
    pub(crate) tiles: &'a wgpu::Buffer,
    /// First tile of the chunk.
    pub(crate) first_tile: u32,
    pub(crate) source: Source,
    /// The network's input map.
    pub(crate) dst: Map<'a>,
}

impl ResampleArgs<'_> {
    fn params(&self, launch: Launch) -> ResampleParams {
        let four = |v: [f32; 3], last: f32| [v[0], v[1], v[2], last];
        ResampleParams {
            dst_base: self.dst.base,
            tiles: launch.tiles,
            first_tile: self.first_tile,
            dst_w: self.dst.shape.width,
            dst_h: self.dst.shape.height,
            row_bytes: self.source.row_bytes,
            pixel_bytes: self.source.pixel_bytes,
            bgr: u32::from((self.input.order == ChannelOrder::Bgr) != self.source.bgr),
            band_first: self.source.rows[0],
            band_end: self.source.rows[1],
            writes_padding: u32::from(self.source.rows[0] == 0),
            pad_value: self.input.pad,
            mean: four(self.input.mean, 0.0),
            std: four(self.input.std, 1.0),
        }
    }
}

fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &ResampleArgs<'_>,
    (spec, variant): (&'static KernelSpec, &Variant),
    frame: Bind<'_>,
) -> Result<()> {
    let Shape { height, width, .. } = args.dst.shape;
    let kernel = recorder.context.kernel(spec, variant)?;
    let params = recorder.uniform(&args.params(launch))?;
    let groups: Groups =
        groups_1d(u64::from(launch.tiles) * u64::from(height) * u64::from(width), spec.workgroup[0]);
    let binds = [Bind::Buffer(&params), Bind::Buffer(args.tiles), frame, Bind::Buffer(args.dst.buffer)];
    recorder.dispatch(&kernel, &binds, groups)
}
