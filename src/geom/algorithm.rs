//! The ways to merge boxes by name; what they do lies in `stages/merge`.

use serde::{Deserialize, Serialize};

/// How boxes that match are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Algorithm {
    /// Exact greedy non-maximum suppression: from the best box on, each kept box drops those that match it.
    #[default]
    Nms,
    /// Greedy non-maximum merging (SAHI): as `Nms`, but each kept box takes the boxes that it drops, best first,
    /// and grows to the union with each that still matches (metric above the threshold) when its turn comes.
    GreedyNmm,
    /// Non-maximum merging (SAHI): as `GreedyNmm`, but a box that was taken goes on taking others for its keeper,
    /// so that chains of overlapping parts become one box.
    Nmm,
    /// Gaussian soft suppression (Bodla et al., 2017): each box lowers the scores of those that it overlaps by
    /// `exp(-metric^2 / sigma)`; boxes whose score falls below `score_floor` are dropped. Uses no threshold.
    SoftNms,
    /// As `Nms`, but boxes that an inner tile edge cuts rank after all whole ones, so that a whole box always
    /// wins over its cut-off parts.
    KeepBest,
    /// Weighted box fusion: groups as those of `GreedyNmm`; a group's box is the mean of all its boxes, weighted
    /// by score, and has the score of the best.
    Wbf,
}
