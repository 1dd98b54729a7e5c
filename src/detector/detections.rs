//! What comes out.

use crate::geom::RectPx;
use crate::gpu::{LayerTime, StageTime};
use crate::stages::{Candidate, Header};
use serde::Serialize;

/// One object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// Where it is, in pixels of the full image.
    pub rect: RectPx,
    /// How sure the network is, 0 to 1.
    pub score: f32,
    /// Index of its class.
    pub class_id: u32,
}

/// All objects of a picture, best first, and what finding them took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Detections {
    /// The objects, score descending.
    pub items: Vec<Detection>,
    /// What it took.
    pub stats: Stats,
}

/// What a picture took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Tiles, the full-image tile included.
    pub tiles: u32,
    /// Chunks the tiles were run in.
    pub chunks: u32,
    /// Candidates before merging.
    pub candidates: u32,
    /// Candidates dropped for a NaN or infinite value.
    pub not_finite: u32,
    /// Candidates dropped for having no area inside their tile.
    pub empty: u32,
    /// Rounds of the merge that had work.
    pub merge_rounds: u32,
    /// Times the picture was run: 1, and one more each time that a buffer was too small.
    pub runs: u32,
    /// Command submissions.
    pub submissions: u32,
    /// Buffer maps.
    pub maps: u32,
    /// Bytes sent to the GPU for this picture.
    pub bytes_up: u64,
    /// Host time to copy the picture to where the device fetches it from, in milliseconds; 0 for a texture. The device's
    /// own copy is the stage `upload`.
    pub upload_ms: f64,
    /// Bytes read back.
    pub bytes_down: u64,
    /// GPU memory held by the detector, in bytes.
    pub gpu_bytes: u64,
    /// GPU time per stage; empty where the device has no timestamps inside a pass. The first, `upload`, is the copy of a
    /// picture (not of a texture) from memory that the host writes, the last, `readback`, that of boxes into memory that
    /// the host sees; they are not there on devices without timestamps outside of passes. Nor are `merge` and `readback`
    /// where a picture took further submissions for them, which are not timed.
    pub stages: Vec<StageTime>,
    /// GPU time per layer of the network, in the order they run, if [`DetectorOptions::profile_layers`] is set and the
    /// device has timestamps inside a pass; empty otherwise.
    ///
    /// [`DetectorOptions::profile_layers`]: super::DetectorOptions::profile_layers
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerTime>,
}

impl Stats {
    pub(super) fn read_header(&mut self, header: &Header) {
        self.candidates = header.candidates;
        self.not_finite = header.not_finite;
        self.empty = header.empty;
        self.merge_rounds = header.rounds;
    }
}

impl From<&Candidate> for Detection {
    fn from(candidate: &Candidate) -> Self {
        Self { rect: candidate.rect, score: candidate.score, class_id: candidate.class_id }
    }
}
