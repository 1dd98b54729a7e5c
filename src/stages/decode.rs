//! Head maps to candidates: decode, threshold, ordered compaction.

use super::infer::Network;
use crate::error::{Error, Result};
use crate::gpu::{Context, Recorder};
use crate::heads::{BoxForm, DenseHead, DenseLevel, Head};
use crate::kernels::decode::{LevelArgs, dense, gfl, least_score, yolox};
use crate::kernels::nn::Launch;
use crate::kernels::rank::{CompactParams, compact_advance, compact_count, compact_scatter, scan};
use crate::stages::header::Candidate;

/// Buffers for the anchors of one chunk.
#[derive(Debug)]
pub(crate) struct DecodeBuffers {
    flags: wgpu::Buffer,
    found: wgpu::Buffer,
    offsets: wgpu::Buffer,
    anchors: u32,
    pub(crate) bytes: u64,
}

/// Strides (x, y) and anchors of a head's levels, in order.
fn levels(head: &Head, network: &Network<'_>) -> Result<Vec<([f32; 2], u32)>> {
    #[expect(clippy::cast_precision_loss, reason = "strides are small")]
    let square = |stride: u32| [stride as f32; 2];
    let cells = |name: &str| network.model.shapes().get(name).map(|shape| shape.pixels());
    match head {
        Head::Yolox(head) => head.levels.iter().map(|l| Ok((square(l.stride), cells(&l.classes)?))).collect(),
        Head::Gfl(head) => head.levels.iter().map(|l| Ok((square(l.stride), cells(&l.classes)?))).collect(),
        Head::Dense(head) => head.levels.iter().map(|l| Ok((l.stride, cells(&l.classes)?))).collect(),
    }
}

/// How the kernel reads a level of a dense head.
fn dense_form(head: &DenseHead, level: &DenseLevel) -> dense::DenseForm {
    dense::DenseForm {
        box_form: match head.boxes {
            BoxForm::Centre => "centre",
            BoxForm::CentreExp => "centre_exp",
            BoxForm::CentreSquare => "centre_square",
            BoxForm::Corners => "corners",
            BoxForm::Distances => "distances",
        },
        box_sigmoid: head.box_sigmoid,
        class_sigmoid: head.score.class_sigmoid,
        objectness_sigmoid: head.score.objectness_sigmoid,
        size_factor: head.size_factor,
        class_power: head.score.class_power,
        objectness_power: head.score.objectness_power,
        offset: level.offset,
        gain: level.gain,
        size: level.size,
    }
}

impl DecodeBuffers {
    /// Buffers for chunks of up to `tiles` tiles.
    pub(crate) fn new(context: &Context, network: &Network<'_>, head: &Head, tiles: u32) -> Result<Self> {
        let anchors: u64 = levels(head, network)?.iter().map(|&(_, cells)| u64::from(cells)).sum();
        let slots = anchors.saturating_mul(u64::from(tiles));
        let blocks = slots.div_ceil(u64::from(crate::kernels::rank::COMPACT_BLOCK));
        let too_many =
            || Error::capacity(format!("{slots} anchors in a chunk are too many: lower the batch"));
        if blocks > u64::from(scan::MAX_LEN) {
            return Err(too_many());
        }
        let anchors = u32::try_from(anchors).map_err(|_| too_many())?;
        let flags = context.storage("flags", slots * 4)?;
        let found = context.storage("found", slots * size_of::<Candidate>() as u64)?;
        let offsets = context.storage("offsets", (blocks + 1) * 4)?;
        let bytes = flags.size() + found.size() + offsets.size();
        Ok(Self { flags, found, offsets, anchors, bytes })
    }
}

/// What a picture's decoding reads and fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecodeTargets<'a> {
    /// Tiles of the picture.
    pub(crate) tiles: &'a wgpu::Buffer,
    pub(crate) header: &'a wgpu::Buffer,
    pub(crate) candidates: &'a wgpu::Buffer,
    /// From [`least_scores`].
    pub(crate) least_scores: &'a wgpu::Buffer,
}

/// The least score of each class on the device; `None`: the class is left out.
pub(crate) fn least_scores(context: &Context, least: &[Option<f32>]) -> Result<wgpu::Buffer> {
    let table: Vec<f32> = least.iter().copied().map(least_score).collect();
    context.buffer_with("least scores", bytemuck::cast_slice(&table), wgpu::BufferUsages::STORAGE)
}

/// Records the decoding of a chunk whose first tile is `first_tile`, appending to the picture's candidates.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    network: &Network<'_>,
    buffers: &DecodeBuffers,
    targets: &DecodeTargets<'_>,
    (first_tile, tiles): (u32, u32),
) -> Result<()> {
    let model = network.model;
    let head = model.info().head.as_ref().ok_or_else(|| Error::model("the model has no head"))?;
    let launch = Launch { f16: network.weights.f16, tiles };
    let mut first_anchor = 0;
    for (level, (stride, cells)) in levels(head, network)?.into_iter().enumerate() {
        let args = LevelArgs {
            classes: u32::try_from(model.info().classes.len()).unwrap_or(u32::MAX),
            stride,
            first_tile,
            anchors: [first_anchor, buffers.anchors],
            tiles: targets.tiles,
            least_scores: targets.least_scores,
            flags: &buffers.flags,
            found: &buffers.found,
            header: targets.header,
        };
        match head {
            Head::Yolox(head) => {
                let level = &head.levels[level];
                let maps = [
                    network.map(&level.boxes)?,
                    network.map(&level.objectness)?,
                    network.map(&level.classes)?,
                ];
                yolox::record(recorder, launch, &args, maps)?;
            }
            Head::Gfl(head) => {
                let level = &head.levels[level];
                let maps = [network.map(&level.distances)?, network.map(&level.classes)?];
                gfl::record(recorder, launch, &args, maps, (head.bins, head.centre, head.sigmoid))?;
            }
            Head::Dense(head) => {
                let level = &head.levels[level];
                let maps = [network.map(&level.boxes)?, network.map(&level.classes)?];
                let objectness = level.objectness.as_deref().map(|name| network.map(name)).transpose()?;
                dense::record(recorder, launch, &args, (maps, objectness), &dense_form(head, level))?;
            }
        }
        first_anchor += cells;
    }
    let params = CompactParams::new(tiles * buffers.anchors);
    let DecodeBuffers { flags, found, offsets, .. } = buffers;
    compact_count::record(recorder, params, flags, offsets)?;
    scan::record(recorder, offsets, params.blocks())?;
    let append = [flags, offsets, found, targets.header, targets.candidates];
    compact_scatter::record(recorder, params, append)?;
    compact_advance::record(recorder, params, offsets, targets.header)
}
