//! Merging of boxes that overlap, on the GPU and without a detector.

mod boxes;
mod buffer;
mod buffers;

pub use boxes::BoxMerger;
pub use buffer::{GpuBoxes, MergeBuffers, MergedBuffer};

pub use crate::geom::Algorithm;

use crate::error::{Error, Result};
use crate::geom::{Edges, Metric, RectPx};
use crate::gpu::Context;
use crate::kernels::merge::MatchRule;
use crate::stages::Candidate;
use crate::stages::merge::{DEFAULT_ROUNDS, MergeInput, Method};
use crate::stages::rank::Ranker;
use serde::{Deserialize, Serialize};
use wgpu::Buffer;

/// How to merge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MergeOptions {
    /// What becomes of boxes that match.
    pub algorithm: Algorithm,
    /// What is compared with the threshold.
    pub metric: Metric,
    /// Two boxes match if the metric is at least this: 0 (any two match) or 2^-126 to 1.
    pub threshold: f32,
    /// Whether boxes of different classes may match.
    pub class_agnostic: bool,
    /// Width of the decay of `SoftNms`, 0.01 to 10: `exp(-metric^2 / sigma)`.
    pub sigma: f32,
    /// Boxes that `SoftNms` leaves with a lower score are dropped; 0 to 1.
    pub score_floor: f32,
    /// Most boxes to leave, the best ones, at least 1; `None`: all.
    pub max_boxes: Option<u32>,
    /// Rounds per submission, 1 to 4,096, made even. More submissions follow where boxes are left undecided.
    pub rounds: u32,
}

impl Default for MergeOptions {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Nms,
            metric: Metric::Iou,
            threshold: 0.5,
            class_agnostic: false,
            sigma: 0.5,
            score_floor: 0.001,
            max_boxes: None,
            rounds: DEFAULT_ROUNDS,
        }
    }
}

impl MergeOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    /// `Input` naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.threshold != 0.0 && !(f32::MIN_POSITIVE..=1.0).contains(&self.threshold) {
            return Err(Error::input(format!(
                "merge threshold {} is neither 0 nor between 2^-126 and 1",
                self.threshold
            )));
        }
        if !(0.01..=10.0).contains(&self.sigma) {
            return Err(Error::input(format!("sigma {} is not between 0.01 and 10", self.sigma)));
        }
        if !(0.0..=1.0).contains(&self.score_floor) {
            return Err(Error::input(format!("score floor {} is outside 0..=1", self.score_floor)));
        }
        if self.max_boxes == Some(0) {
            return Err(Error::input("at most 0 boxes: give at least 1, or no limit"));
        }
        if !(1..=1 << 12).contains(&self.rounds) {
            return Err(Error::input(format!("{} merge rounds are not between 1 and 4096", self.rounds)));
        }
        Ok(())
    }

    /// What a merge of ranked candidates with these options reads.
    pub(crate) fn input<'a>(
        &self,
        ranker: &'a Ranker,
        candidates: &'a Buffer,
        header: &'a Buffer,
    ) -> MergeInput<'a> {
        let group = |transitive, mean| Method::Group { transitive, mean };
        let method = match self.algorithm {
            Algorithm::Nms => Method::Suppress { cut_loses: false },
            Algorithm::KeepBest => Method::Suppress { cut_loses: true },
            Algorithm::GreedyNmm => group(false, false),
            Algorithm::Nmm => group(true, false),
            Algorithm::Wbf => group(false, true),
            Algorithm::SoftNms => Method::Soften { sigma: self.sigma, score_floor: self.score_floor },
        };
        let class_aware = !self.class_agnostic;
        let merging = matches!(self.algorithm, Algorithm::GreedyNmm | Algorithm::Nmm);
        MergeInput {
            ranker,
            candidates,
            header,
            rule: MatchRule { metric: self.metric, threshold: self.threshold, class_aware },
            method,
            by_class: merging && class_aware && self.max_boxes.is_none(),
            most: self.max_boxes,
            rounds: self.rounds,
        }
    }

    /// Whether the algorithm computes with scores, which then lie in 0 to 1.
    fn weighs(&self) -> bool {
        matches!(self.algorithm, Algorithm::SoftNms | Algorithm::Wbf)
    }
}

/// A box to merge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MergeBox {
    /// The box in pixels; `x0 <= x1`, `y0 <= y1`, no coordinate beyond ±1e18.
    pub rect: RectPx,
    /// Score, finite; larger is better.
    pub score: f32,
    /// Class index.
    pub class_id: u32,
    /// Inner edges of its tile that it touches; only `Algorithm::KeepBest` looks at them.
    pub edges: Edges,
}

impl From<&Candidate> for MergeBox {
    fn from(item: &Candidate) -> Self {
        Self { rect: item.rect, score: item.score, class_id: item.class_id, edges: item.edges() }
    }
}

/// What a merge cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeStats {
    /// Rounds that had work.
    pub rounds: u32,
    /// Submissions to the GPU.
    pub submissions: u32,
    /// GPU memory held, bytes.
    pub gpu_bytes: u64,
}

/// The boxes that remain.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Merged {
    /// Index in the input of each remaining box, which for merged ones is that of the box that took the others.
    ///
    /// Order: score descending, then class (unless class-agnostic), x0, y0, x1, y1 ascending, then index. `Nmm` and
    /// `GreedyNmm` that keep classes apart put the class first, as SAHI does, unless `max_boxes` is given; merged
    /// boxes stand where the box that took the others would.
    pub kept: Vec<u32>,
    /// The remaining boxes, in the same order.
    pub boxes: Vec<MergeBox>,
    /// What it cost.
    pub stats: MergeStats,
}

/// Merges boxes once; a [`BoxMerger`] keeps its buffers for the next time.
///
/// # Errors
/// As [`BoxMerger::merge`].
pub fn merge_boxes(context: &Context, boxes: &[MergeBox], options: &MergeOptions) -> Result<Merged> {
    BoxMerger::new(context).merge(boxes, options)
}
