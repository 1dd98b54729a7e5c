//! Which detections of a group count as right, by the rules of COCO.

use crate::groups::{Group, Truth};
use crate::settings::AreaRange;

/// What a detection counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Right.
    Hit,
    /// Wrong.
    False,
    /// Neither.
    Ignored,
}

/// How detections on ignored objects are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignoring {
    /// By intersection over union; with a crowd, over the detection's area.
    Coco,
    /// In the same way, and then by the share of the detection that lies in an ignored object.
    ByShare,
}

/// Square pixels that two boxes share.
fn intersection(a: [f64; 4], b: [f64; 4]) -> f64 {
    let width = (a[0] + a[2]).min(b[0] + b[2]) - a[0].max(b[0]);
    if width <= 0.0 {
        return 0.0;
    }
    let height = (a[1] + a[3]).min(b[1] + b[3]) - a[1].max(b[1]);
    if height <= 0.0 { 0.0 } else { width * height }
}

/// Intersection over union of a detection and an object; with a crowd, over the detection's area.
fn iou(found: [f64; 4], truth: [f64; 4], crowd: bool) -> f64 {
    let shared = intersection(found, truth);
    if shared == 0.0 {
        return 0.0;
    }
    let area = found[2] * found[3];
    shared / if crowd { area } else { area + truth[2] * truth[3] - shared }
}

/// The share of a detection that lies in an object.
fn share(found: [f64; 4], truth: [f64; 4]) -> f64 {
    iou(found, truth, true)
}

/// For each detection of a group the objects that it overlaps enough for the lowest threshold, in order.
#[derive(Debug)]
pub(crate) struct Overlaps {
    pairs: Vec<(usize, f64)>,
    ends: Vec<usize>,
}

impl Overlaps {
    /// Intersections over unions of at least `least`, in (0, 1].
    pub(crate) fn ious(group: &Group, least: f64) -> Self {
        Self::of(group, least, |found, truth| iou(found, truth.bbox, truth.crowd))
    }

    /// Shares of detections inside objects of at least `least`, in (0, 1].
    pub(crate) fn shares(group: &Group, least: f64) -> Self {
        Self::of(group, least, |found, truth| share(found, truth.bbox))
    }

    fn of(group: &Group, least: f64, overlap: impl Fn([f64; 4], &Truth) -> f64) -> Self {
        let least = capped(least);
        let mut pairs = Vec::new();
        let mut ends = Vec::with_capacity(group.found.len());
        for found in &group.found {
            for (place, truth) in group.truths.iter().enumerate() {
                let overlap = overlap(found.bbox, truth);
                if overlap >= least {
                    pairs.push((place, overlap));
                }
            }
            ends.push(pairs.len());
        }
        Self { pairs, ends }
    }

    /// The object that `detection` overlaps most, by at least `threshold`, among those that `admits`; of equal ones
    /// the last.
    pub(crate) fn best(
        &self,
        detection: usize,
        threshold: f64,
        admits: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let start = if detection == 0 { 0 } else { self.ends[detection - 1] };
        let mut best = None;
        let mut least = capped(threshold);
        for &(place, overlap) in &self.pairs[start..self.ends[detection]] {
            if overlap >= least && admits(place) {
                least = overlap;
                best = Some(place);
            }
        }
        best
    }
}

/// A threshold of 1 is met by an overlap that rounding keeps below it.
fn capped(threshold: f64) -> f64 {
    threshold.min(1.0 - 1e-10)
}

/// Matches the detections of a group, best first, each to the object that it overlaps most, objects that count before
/// ignored ones. Objects outside `range` are ignored, as are unmatched detections outside it. With `shares`, a
/// detection without a match is ignored where its share inside an ignored object reaches the threshold. Appends an
/// outcome for each detection.
pub(crate) fn match_group(
    group: &Group,
    overlaps: &Overlaps,
    shares: Option<&Overlaps>,
    range: &AreaRange,
    threshold: f64,
    outcomes: &mut Vec<Outcome>,
) {
    let ignored: Vec<bool> = group.truths.iter().map(|truth| is_ignored(truth, range)).collect();
    let mut taken = vec![false; group.truths.len()];
    for (number, found) in group.found.iter().enumerate() {
        let free = |place: usize| !taken[place] || group.truths[place].crowd;
        let best = overlaps
            .best(number, threshold, |place| !ignored[place] && free(place))
            .or_else(|| overlaps.best(number, threshold, |place| ignored[place] && free(place)))
            .or_else(|| shares?.best(number, threshold, |place| ignored[place]));
        outcomes.push(match best {
            Some(place) => {
                taken[place] = true;
                if ignored[place] { Outcome::Ignored } else { Outcome::Hit }
            }
            None if range.excludes(found.area()) => Outcome::Ignored,
            None => Outcome::False,
        });
    }
}

/// Whether an object does not count in `range`.
pub(crate) fn is_ignored(truth: &Truth, range: &AreaRange) -> bool {
    truth.ignore || range.excludes(truth.area)
}
