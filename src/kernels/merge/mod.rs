//! Buckets of a hash grid and the rounds of exact greedy suppression.

pub(crate) mod bucket_crowd;
pub(crate) mod bucket_fill;
pub(crate) mod bucket_key;
pub(crate) mod kept_count;
pub(crate) mod kept_scatter;
pub(crate) mod merge_finish;
pub(crate) mod merge_reset;
pub(crate) mod merge_start;
pub(crate) mod resolve;
pub(crate) mod round_args;
pub(crate) mod visit;

#[cfg(test)]
mod overlap_tests;

use crate::geom::Metric;

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
        }
    }
}
