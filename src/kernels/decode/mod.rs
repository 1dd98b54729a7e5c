//! One kernel per head kind: maps to candidates in the chunk's slots.

pub(crate) mod dense;
pub(crate) mod gfl;
pub(crate) mod yolox;

use crate::gpu::{Groups, groups_1d};
use crate::kernels::nn::{Launch, Map};

/// The least score of a class as the kernels read it; `None`: the class is left out. A mark below 0, since a model
/// may have scores above 1 and drivers may assume that there are no infinities.
pub(crate) fn least_score(least: Option<f32>) -> f32 {
    least.unwrap_or(-1.0)
}

/// Parameters of one level; `shaders/shared/decode.wgsl` is its twin.
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct DecodeParams {
    tiles: u32,
    first_tile: u32,
    cells_w: u32,
    cells_h: u32,
    first_anchor: u32,
    anchors: u32,
    classes: u32,
    bins: u32,
    stride: [f32; 2],
    offset: [f32; 2],
    gain: [f32; 2],
    size: [f32; 2],
    boxes_base: u32,
    boxes_tile: u32,
    objectness_base: u32,
    objectness_tile: u32,
    classes_base: u32,
    classes_tile: u32,
    size_factor: f32,
    class_power: f32,
    objectness_power: f32,
    classes_c4: u32,
    pad: [u32; 2],
}

/// What every head kernel takes for one level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevelArgs<'a> {
    pub(crate) classes: u32,
    /// Input pixels per cell, by x and y.
    pub(crate) stride: [f32; 2],
    /// First tile of the chunk.
    pub(crate) first_tile: u32,
    /// First anchor of the level in a tile, and anchors of a tile.
    pub(crate) anchors: [u32; 2],
    /// Tiles of the picture.
    pub(crate) tiles: &'a wgpu::Buffer,
    /// Least score of each class, [`least_score`] of it.
    pub(crate) least_scores: &'a wgpu::Buffer,
    /// One flag per anchor of the chunk.
    pub(crate) flags: &'a wgpu::Buffer,
    /// One candidate per anchor of the chunk.
    pub(crate) found: &'a wgpu::Buffer,
    pub(crate) header: &'a wgpu::Buffer,
}

impl DecodeParams {
    fn new(launch: Launch, args: &LevelArgs<'_>, boxes: Map<'_>, classes: Map<'_>) -> Self {
        Self {
            tiles: launch.tiles,
            first_tile: args.first_tile,
            cells_w: classes.shape.width,
            cells_h: classes.shape.height,
            first_anchor: args.anchors[0],
            anchors: args.anchors[1],
            classes: args.classes,
            stride: args.stride,
            boxes_base: boxes.base,
            boxes_tile: boxes.tile,
            classes_base: classes.base,
            classes_tile: classes.tile,
            classes_c4: classes.shape.groups_of_4(),
            ..Self::default()
        }
    }
}

fn groups(launch: Launch, classes: Map<'_>, workgroup: u32) -> Groups {
    groups_1d(u64::from(launch.tiles) * u64::from(classes.shape.pixels()), workgroup)
}
