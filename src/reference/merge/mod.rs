//! Oracle of exact greedy non-maximum suppression.

mod fade;

use crate::geom::{Metric, RectPx};
use std::cmp::Ordering;
use std::collections::BTreeMap;

pub use fade::{factor, faded, term};

/// A box to merge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The box in pixels of the full image.
    pub rect: RectPx,
    /// Score; larger is better.
    pub score: f32,
    /// Class index.
    pub class_id: u32,
}

/// Indices of all boxes, best first: score descending, then class (if `class_aware`), x0, y0, x1, y1 ascending,
/// then index. -0.0 equals 0.0; nothing may be NaN.
#[must_use]
pub fn rank(boxes: &[Scored], class_aware: bool) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(boxes.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by(|&a, &b| compare(&boxes[a as usize], &boxes[b as usize], class_aware));
    order
}

fn compare(a: &Scored, b: &Scored, class_aware: bool) -> Ordering {
    let number = |a: f32, b: f32| a.partial_cmp(&b).unwrap_or(Ordering::Equal);
    let class = if class_aware { a.class_id.cmp(&b.class_id) } else { Ordering::Equal };
    number(b.score, a.score)
        .then(class)
        .then(number(a.rect.x0, b.rect.x0))
        .then(number(a.rect.y0, b.rect.y0))
        .then(number(a.rect.x1, b.rect.x1))
        .then(number(a.rect.y1, b.rect.y1))
}

/// Indices of the boxes that greedy suppression keeps, best first. A box is dropped if `metric` with a kept better
/// one (of its class, if `class_aware`) is `>= threshold`; a threshold `<= 0` matches every such pair.
///
/// Source: SAHI 0.12.6, `nms_numpy` and `batched_nms`.
#[must_use]
pub fn nms(boxes: &[Scored], metric: Metric, threshold: f32, class_aware: bool) -> Vec<u32> {
    let mut kept: BTreeMap<u32, Vec<RectPx>> = BTreeMap::new();
    let mut result = Vec::new();
    for index in rank(boxes, class_aware) {
        let candidate = &boxes[index as usize];
        let group = kept.entry(if class_aware { candidate.class_id } else { 0 }).or_default();
        let rect = &candidate.rect;
        let matched = |better: &RectPx| threshold <= 0.0 || metric.of(better, rect) >= threshold;
        if !group.iter().any(matched) {
            group.push(*rect);
            result.push(index);
        }
    }
    result
}
