//! The counters of one picture, at the start of the result buffer.

use crate::geom::Edges;
use bytemuck::{Pod, Zeroable};

/// Counters of one picture, 64 bytes; `shaders/shared/header.wgsl` is its twin. The first four words are the
/// arguments of an indirect draw with one instance per merged box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// Vertices per instance: 4, a triangle strip.
    pub vertex_count: u32,
    /// Merged boxes.
    pub boxes: u32,
    /// Always 0.
    pub first_vertex: u32,
    /// Always 0.
    pub first_instance: u32,
    /// Candidates found, counted past the capacity.
    pub candidates: u32,
    /// Candidates stored: the smaller of `candidates` and `capacity`.
    pub kept_candidates: u32,
    /// Candidates dropped because a coordinate or the score was NaN or infinite.
    pub not_finite: u32,
    /// Candidates dropped because nothing of their box lies in the tile.
    pub empty: u32,
    /// Boxes that the merge's rounds left undecided; 0 when the result is final.
    pub undecided: u32,
    /// Merge rounds that had work.
    pub rounds: u32,
    /// [`Header::COOKIE`] once everything else is written.
    pub cookie: u32,
    /// Capacity of the candidate buffer.
    pub capacity: u32,
    /// Chunks of tiles that were decoded; fewer than the picture has if the driver dropped work.
    pub chunks: u32,
    /// Always 0.
    pub pad: [u32; 3],
}

impl Header {
    /// The value of [`Header::cookie`] in a finished result: a killed run leaves another.
    pub const COOKIE: u32 = 0x7469_6c65;
}

/// One box on the GPU, 32 bytes; `shaders/shared/candidate.wgsl` is its twin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Candidate {
    /// x0 y0 x1 y1 in pixels of the full image.
    pub rect: crate::geom::RectPx,
    /// Score in `[0, 1]`.
    pub score: f32,
    /// Class index.
    pub class_id: u32,
    /// Index of the tile it was found in, 28 bits, and above it the inner edges of the tile that it touches.
    pub tile: u32,
    /// Index of the anchor in the tile.
    pub anchor: u32,
}

const TILE_BITS: u32 = 28;

impl Candidate {
    /// The word `tile`.
    pub(crate) fn tile_word(index: u32, edges: Edges) -> u32 {
        index & ((1 << TILE_BITS) - 1) | u32::from(edges.bits()) << TILE_BITS
    }

    /// Index of the tile it was found in.
    #[must_use]
    pub fn tile_index(&self) -> u32 {
        self.tile & ((1 << TILE_BITS) - 1)
    }

    /// Inner edges of the tile that it touches.
    #[must_use]
    pub fn edges(&self) -> Edges {
        u8::try_from(self.tile >> TILE_BITS).ok().and_then(Edges::from_bits).unwrap_or_default()
    }
}
