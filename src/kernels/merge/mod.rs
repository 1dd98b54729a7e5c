//! Buckets of a hash grid, the rounds of exact greedy and of soft suppression, and the groups of merging.

pub(crate) mod bucket_crowd;
pub(crate) mod bucket_fill;
pub(crate) mod bucket_key;
pub(crate) mod claim;
pub(crate) mod claim_key;
pub(crate) mod fold;
pub(crate) mod fold_args;
pub(crate) mod group_args;
pub(crate) mod group_key;
pub(crate) mod jump;
pub(crate) mod kept_count;
pub(crate) mod kept_scatter;
pub(crate) mod merge_finish;
pub(crate) mod merge_reset;
pub(crate) mod merge_start;
pub(crate) mod output_key;
pub(crate) mod output_order;
pub(crate) mod resolve;
pub(crate) mod round_args;
pub(crate) mod settle;
pub(crate) mod soft_pick;
pub(crate) mod soft_reset;
pub(crate) mod soft_update;
pub(crate) mod soft_visit;
pub(crate) mod visit;

#[cfg(test)]
mod overlap_tests;

use crate::geom::{Metric, soft};

/// When two boxes match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MatchRule {
    pub(crate) metric: Metric,
    /// 0, where every pair matches, or a normal f32 up to 1.
    pub(crate) threshold: f32,
    pub(crate) class_aware: bool,
}

/// Uniform of the merge kernels; `shaders/shared/match_params.wgsl` is its twin.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct MatchParams {
    zero: u32,
    mantissa: u32,
    exponent: i32,
    iou: u32,
    class_aware: u32,
    all: u32,
    span: u32,
    bucket_bits: u32,
    cut_loses: u32,
    most: u32,
    fade_scale: u32,
    score_floor: f32,
    slice: u32,
    pad: [u32; 3],
}

/// Levels of the grid.
const LEVELS: i32 = 32;

impl MatchParams {
    pub(crate) fn new(rule: &MatchRule, bucket_bits: u32) -> Self {
        let all = rule.threshold < f32::MIN_POSITIVE;
        let bits = if all { 1.0_f32 } else { rule.threshold }.to_bits();
        let significand = (bits & 0x007f_ffff) | 0x0080_0000;
        let exponent = (bits >> 23).cast_signed();
        // The midpoint of the threshold and the f32 below it, where the spacing halves at a power of two.
        let (mantissa, exponent) = if significand == 0x0080_0000 {
            (4 * significand - 1, exponent - 152)
        } else {
            (2 * significand - 1, exponent - 151)
        };
        // Sides of boxes that match by IoU differ by at most 1 / threshold; one level more for rounding.
        let span = match rule.metric {
            Metric::Iou => (128 - (bits >> 23).cast_signed()).clamp(1, LEVELS),
            Metric::Ios => LEVELS,
        };
        Self {
            zero: 0,
            mantissa,
            exponent,
            iou: u32::from(rule.metric == Metric::Iou),
            class_aware: u32::from(rule.class_aware),
            all: u32::from(all),
            span: span.cast_unsigned(),
            bucket_bits,
            cut_loses: 0,
            most: u32::MAX,
            fade_scale: 0,
            score_floor: 0.0,
            slice: 0,
            pad: [0; 3],
        }
    }

    /// Leaves at most so many boxes.
    pub(crate) fn with_most(self, most: Option<u32>) -> Self {
        Self { most: most.unwrap_or(u32::MAX), ..self }
    }

    /// Boxes that an inner tile edge cuts rank after all others.
    pub(crate) fn with_cut_losing(self) -> Self {
        Self { cut_loses: 1, ..self }
    }

    /// For soft suppression, where all boxes that overlap count.
    pub(crate) fn with_fade(self, sigma: f32, score_floor: f32) -> Self {
        Self {
            all: 0,
            span: LEVELS.cast_unsigned(),
            fade_scale: soft::fade_scale(sigma),
            // The shaders compare bits: -0.0 becomes 0.0.
            score_floor: score_floor + 0.0,
            ..self
        }
    }

    /// For folding: boxes match above the threshold, not at it, and at 2^-126 where it is 0; members before `slice`
    /// are done.
    pub(crate) fn for_fold(rule: &MatchRule, slice: u32) -> Self {
        let threshold = rule.threshold.next_up().max(f32::MIN_POSITIVE);
        Self { slice, ..Self::new(&MatchRule { threshold, ..*rule }, 0) }
    }
}
