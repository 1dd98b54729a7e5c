//! The model format: graph, weights, input specification and head, in one safetensors file. Pure: no GPU.
//!
//! [`Model::from_bytes`] checks everything (versions, names, shapes, finite weights, head) before anything
//! reaches a device. docs/MODEL_FORMAT.md describes the file.

mod advice;
mod arena;
mod cost;
mod fuse;
mod gather;
mod graph;
mod nearest;
mod separable;
mod shapes;
mod spec;
mod views;
mod weights;

pub use advice::{FocusMap, Fusion, Recommended};
pub(crate) use arena::{ArenaPlan, Sharing};
pub use cost::{Cost, NodeCost};
pub use fuse::fuse;
pub(crate) use gather::{Gather, Gathers, MAX_SEGMENTS, MAX_SOURCES, Segment};
pub use graph::{
    Activation, Axis, BinaryKind, Digit, Graph, Node, Op, Output, OutputOrder, PoolKind, ReduceKind,
    Residual, ResizeKind,
};
pub(crate) use nearest::NearestSums;
pub use separable::SeparablePairs;
pub(crate) use separable::{PATCH_BYTES, patch_pixels};
pub use shapes::Shapes;
pub use spec::{ChannelOrder, FORMAT_VERSION, InputSpec, Model, ModelInfo};
pub use weights::{Tensor, Weights};
