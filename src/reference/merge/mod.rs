//! Oracle of the merge: six algorithms, each step as its definition puts it.

mod fade;
mod groups;
mod open;
mod soft;
#[cfg(test)]
mod tests;

use crate::geom::{Edges, Metric, RectPx};
use std::cmp::Ordering;

pub use fade::{factor, faded, term};
use groups::{Group, fold, greedy, mean, transitive};

/// A box to merge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scored {
    /// The box in pixels of the full image.
    pub rect: RectPx,
    /// Score; larger is better.
    pub score: f32,
    /// Class index.
    pub class_id: u32,
    /// Inner edges of its tile that it touches.
    pub edges: Edges,
}

/// What becomes of boxes that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Greedy suppression.
    Nms,
    /// Greedy merging.
    GreedyNmm,
    /// Transitive merging.
    Nmm,
    /// Gaussian soft suppression.
    SoftNms,
    /// Greedy suppression, whole boxes first.
    KeepBest,
    /// Weighted mean of greedy groups.
    Wbf,
}

/// How to merge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// What becomes of boxes that match.
    pub kind: Kind,
    /// What is compared with the threshold.
    pub metric: Metric,
    /// Two boxes match from this metric on; 0: any two.
    pub threshold: f32,
    /// Whether only boxes of one class match.
    pub class_aware: bool,
    /// Width of the soft decay.
    pub sigma: f32,
    /// Least score that soft suppression leaves.
    pub score_floor: f32,
    /// Most boxes to leave.
    pub max_boxes: Option<u32>,
}

impl Rule {
    fn matches(&self, a: &RectPx, b: &RectPx) -> bool {
        self.threshold <= 0.0 || self.metric.of(a, b) >= self.threshold
    }
}

/// A box that remains.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Index in the input of the box or of the one that took the others.
    pub kept: u32,
    /// The box.
    pub rect: RectPx,
    /// Its score.
    pub score: f32,
    /// Its class.
    pub class_id: u32,
}

impl Outcome {
    fn of(boxes: &[Scored], kept: u32) -> Self {
        let Scored { rect, score, class_id, .. } = boxes[kept as usize];
        Self { kept, rect, score, class_id }
    }
}

/// Indices of all boxes, best first: score descending, then class (if `class_aware`), x0, y0, x1, y1 ascending,
/// then index. -0.0 equals 0.0; nothing may be NaN.
#[must_use]
pub fn rank(boxes: &[Scored], class_aware: bool) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(boxes.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by(|&a, &b| compare(&boxes[a as usize], &boxes[b as usize], class_aware));
    order
}

fn number(a: f32, b: f32) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

fn corners(a: &RectPx, b: &RectPx) -> Ordering {
    number(a.x0, b.x0).then(number(a.y0, b.y0)).then(number(a.x1, b.x1)).then(number(a.y1, b.y1))
}

fn compare(a: &Scored, b: &Scored, class_aware: bool) -> Ordering {
    let class = if class_aware { a.class_id.cmp(&b.class_id) } else { Ordering::Equal };
    number(b.score, a.score).then(class).then(corners(&a.rect, &b.rect))
}

/// Indices of the boxes that greedy suppression keeps, best first. A box is dropped if `metric` with a kept better
/// one (of its class, if `class_aware`) is `>= threshold`; a threshold `<= 0` matches every such pair.
///
/// Source: SAHI 0.12.6, `nms_numpy` and `batched_nms`.
#[must_use]
pub fn nms(boxes: &[Scored], metric: Metric, threshold: f32, class_aware: bool) -> Vec<u32> {
    let kind = Kind::Nms;
    let rule = Rule { kind, metric, threshold, class_aware, sigma: 0.5, score_floor: 0.0, max_boxes: None };
    merge(boxes, &rule).iter().map(|outcome| outcome.kept).collect()
}

/// What remains of `boxes`, in the order of the library's result.
#[must_use]
pub fn merge(boxes: &[Scored], rule: &Rule) -> Vec<Outcome> {
    let ranked = rank(boxes, rule.class_aware);
    let mut result = match rule.kind {
        Kind::Nms => keepers(boxes, &greedy(boxes, rule, &ranked)),
        Kind::KeepBest => keep_best(boxes, rule, &ranked),
        Kind::SoftNms => soft::suppress(boxes, rule, &ranked),
        Kind::Wbf => greedy(boxes, rule, &ranked).iter().map(|group| mean(boxes, group)).collect(),
        Kind::GreedyNmm => folded(boxes, rule, &greedy(boxes, rule, &ranked)),
        Kind::Nmm => folded(boxes, rule, &transitive(boxes, rule, &ranked)),
    };
    result.truncate(rule.max_boxes.map_or(usize::MAX, |most| most as usize));
    result
}

fn keepers(boxes: &[Scored], groups: &[Group]) -> Vec<Outcome> {
    groups.iter().map(|group| Outcome::of(boxes, group.keeper)).collect()
}

fn keep_best(boxes: &[Scored], rule: &Rule, ranked: &[u32]) -> Vec<Outcome> {
    let (mut walk, cut): (Vec<u32>, Vec<u32>) =
        ranked.iter().partition(|&&index| boxes[index as usize].edges.is_empty());
    walk.extend(cut);
    let mut is_kept = vec![false; boxes.len()];
    for group in greedy(boxes, rule, &walk) {
        is_kept[group.keeper as usize] = true;
    }
    let kept = ranked.iter().filter(|&&index| is_kept[index as usize]);
    kept.map(|&index| Outcome::of(boxes, index)).collect()
}

/// Source: SAHI 0.12.6, `_batched_apply` (class first) and `_apply_merge`.
fn folded(boxes: &[Scored], rule: &Rule, groups: &[Group]) -> Vec<Outcome> {
    let mut result: Vec<Outcome> = groups.iter().map(|group| fold(boxes, rule, group)).collect();
    if rule.class_aware && rule.max_boxes.is_none() {
        result.sort_by_key(|outcome| boxes[outcome.kept as usize].class_id);
    }
    result
}
