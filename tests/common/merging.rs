//! A merge on the GPU against its oracle.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part")]

use tilehawk::geom::{Metric, RectPx};
use tilehawk::reference::merge::{Kind, Outcome, Rule, Scored, merge};
use tilehawk::{Algorithm, BoxMerger, MergeBox, MergeOptions, Merged};

pub(crate) const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Nms,
    Algorithm::GreedyNmm,
    Algorithm::Nmm,
    Algorithm::SoftNms,
    Algorithm::KeepBest,
    Algorithm::Wbf,
];

pub(crate) fn options(
    algorithm: Algorithm,
    metric: Metric,
    threshold: f32,
    class_agnostic: bool,
) -> MergeOptions {
    let mut options = MergeOptions::default();
    options.algorithm = algorithm;
    options.metric = metric;
    options.threshold = threshold;
    options.class_agnostic = class_agnostic;
    options
}

pub(crate) fn scored(boxes: &[MergeBox]) -> Vec<Scored> {
    let convert =
        |&MergeBox { rect, score, class_id, edges }: &MergeBox| Scored { rect, score, class_id, edges };
    boxes.iter().map(convert).collect()
}

fn rule(options: &MergeOptions) -> Rule {
    let kind = match options.algorithm {
        Algorithm::Nms => Kind::Nms,
        Algorithm::GreedyNmm => Kind::GreedyNmm,
        Algorithm::Nmm => Kind::Nmm,
        Algorithm::SoftNms => Kind::SoftNms,
        Algorithm::KeepBest => Kind::KeepBest,
        Algorithm::Wbf => Kind::Wbf,
        other => unimplemented!("{other:?} has no oracle"),
    };
    Rule {
        kind,
        metric: options.metric,
        threshold: options.threshold,
        class_aware: !options.class_agnostic,
        sigma: options.sigma,
        score_floor: options.score_floor,
        max_boxes: options.max_boxes,
    }
}

pub(crate) fn oracle(boxes: &[MergeBox], options: &MergeOptions) -> Vec<Outcome> {
    merge(&scored(boxes), &rule(options))
}

pub(crate) fn outcomes(merged: &Merged) -> Vec<Outcome> {
    let one = |(&kept, item): (&u32, &MergeBox)| Outcome {
        kept,
        rect: item.rect,
        score: item.score,
        class_id: item.class_id,
    };
    assert_eq!(merged.kept.len(), merged.boxes.len());
    merged.kept.iter().zip(&merged.boxes).map(one).collect()
}

/// Where two results differ; -0.0 equals 0.0.
pub(crate) fn same(got: &[Outcome], expected: &[Outcome], what: &str) {
    let at = got.iter().zip(expected).position(|(a, b)| a != b);
    let counts = (got.len(), expected.len());
    let pair = at.map(|at| (got[at], expected[at]));
    assert!(got == expected, "{what}: got and expected {counts:?}; first difference at {at:?}: {pair:?}");
}

/// Merges on the GPU, which must leave what the oracle leaves.
pub(crate) fn check(
    merger: &mut BoxMerger,
    boxes: &[MergeBox],
    options: &MergeOptions,
    what: &str,
) -> Merged {
    let expected = oracle(boxes, options);
    let merged = merger.merge(boxes, options).unwrap_or_else(|e| panic!("{what}, {options:?}: {e}"));
    same(&outcomes(&merged), &expected, &format!("{what}, {options:?}"));
    merged
}

/// Boxes of 10 px, each 4 px right of the one before and worse than it.
pub(crate) fn chain(count: u32) -> Vec<MergeBox> {
    let one = |i: u32| {
        let x0 = i as f32 * 4.0;
        let score = 1.0 - i as f32 / (2 * count) as f32;
        MergeBox { rect: RectPx::new(x0, 0.0, x0 + 10.0, 10.0), score, ..MergeBox::default() }
    };
    (0..count).map(one).collect()
}
