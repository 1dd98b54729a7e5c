//! From outcomes in the order of scores to precision and recall.

use crate::matching::Outcome;
use std::cmp::Ordering;

/// Recall values at which precision is read: 0, 0.01, ..., 1.
pub(crate) const RECALLS: usize = 101;

/// Precision over recall at one threshold, for one class and range of sizes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    /// Precision at each of the 101 recall values, falling; 0 where the recall is not reached.
    pub(crate) precision: Vec<f64>,
    /// The highest recall reached.
    pub(crate) recall: f64,
}

impl Curve {
    /// The curve of outcomes in the order of scores; none without objects to find.
    pub(crate) fn new(outcomes: impl Iterator<Item = Outcome>, positives: usize) -> Option<Self> {
        if positives == 0 {
            return None;
        }
        let (mut hits, mut wrong) = (0.0, 0.0);
        let mut points: Vec<(f64, f64)> = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Hit => hits += 1.0,
                Outcome::False => wrong += 1.0,
                Outcome::Ignored => continue,
            }
            // The addition of the machine's epsilon is part of pycocotools' formula.
            points.push((hits / positives as f64, hits / (wrong + hits + f64::EPSILON)));
        }
        let recall = points.last().map_or(0.0, |(recall, _)| *recall);
        let mut highest = 0.0f64;
        for (_, precision) in points.iter_mut().rev() {
            highest = highest.max(*precision);
            *precision = highest;
        }
        let read = |wanted: f64| {
            let first = points.partition_point(|(recall, _)| *recall < wanted);
            points.get(first).map_or(0.0, |(_, precision)| *precision)
        };
        Some(Self { precision: (0..RECALLS).map(|i| read(recall_at(i))).collect(), recall })
    }

    /// The mean of the precision over the recall values.
    pub(crate) fn mean(&self) -> f64 {
        self.precision.iter().sum::<f64>() / self.precision.len() as f64
    }
}

/// The recall value `i` of 101.
pub(crate) fn recall_at(i: usize) -> f64 {
    i as f64 * (1.0 / 100.0)
}

/// Order of scores, highest first, equal ones as they stand.
pub(crate) fn by_score(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| descending(scores[*a], scores[*b]));
    order
}

/// The order of two scores, the higher first.
pub(crate) fn descending(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

/// The mean of the values of those classes that have one; -1 if none has.
pub(crate) fn mean(values: impl Iterator<Item = Option<f64>>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values.flatten() {
        sum += value;
        count += 1.0;
    }
    if count == 0.0 { ABSENT } else { sum / count }
}

/// What stands for a measure that does not exist, as in pycocotools.
pub(crate) const ABSENT: f64 = -1.0;
