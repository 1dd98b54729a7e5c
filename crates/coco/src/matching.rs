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

/// Square pixels that two boxes share.
pub(crate) fn intersection(a: [f64; 4], b: [f64; 4]) -> f64 {
    let width = (a[0] + a[2]).min(b[0] + b[2]) - a[0].max(b[0]);
    if width <= 0.0 {
        return 0.0;
    }
    let height = (a[1] + a[3]).min(b[1] + b[3]) - a[1].max(b[1]);
    if height <= 0.0 { 0.0 } else { width * height }
}

/// Intersection over union of a detection and an object; with a crowd, over the detection's area.
pub(crate) fn iou(found: [f64; 4], truth: [f64; 4], crowd: bool) -> f64 {
    let shared = intersection(found, truth);
    if shared == 0.0 {
        return 0.0;
    }
    let area = found[2] * found[3];
    shared / if crowd { area } else { area + truth[2] * truth[3] - shared }
}

/// For each detection of a group the objects that it overlaps enough for the lowest threshold, in order.
#[derive(Debug)]
pub(crate) struct Overlaps {
    pairs: Vec<(usize, f64)>,
    ends: Vec<usize>,
}

impl Overlaps {
    /// Overlaps of at least `least`, in (0, 1].
    pub(crate) fn new(group: &Group, least: f64) -> Self {
        let least = capped(least);
        let mut pairs = Vec::new();
        let mut ends = Vec::with_capacity(group.found.len());
        for found in &group.found {
            for (place, truth) in group.truths.iter().enumerate() {
                let overlap = iou(found.bbox, truth.bbox, truth.crowd);
                if overlap >= least {
                    pairs.push((place, overlap));
                }
            }
            ends.push(pairs.len());
        }
        Self { pairs, ends }
    }

    fn of(&self, detection: usize) -> &[(usize, f64)] {
        let start = if detection == 0 { 0 } else { self.ends[detection - 1] };
        &self.pairs[start..self.ends[detection]]
    }
}

/// A threshold of 1 is met by an overlap that rounding keeps below it.
fn capped(threshold: f64) -> f64 {
    threshold.min(1.0 - 1e-10)
}

/// How detections are matched beyond COCO's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignoring {
    /// By overlap alone.
    Coco,
    /// A detection without a match is ignored too where its share inside an ignored object reaches the threshold.
    ByShare,
}

/// Matches the detections of a group, best first, each to the object that it overlaps most, objects that count before
/// ignored ones. Objects outside `range` are ignored, as are unmatched detections outside it. Appends an outcome for
/// each detection.
pub(crate) fn match_group(
    group: &Group,
    overlaps: &Overlaps,
    range: &AreaRange,
    threshold: f64,
    ignoring: Ignoring,
    outcomes: &mut Vec<Outcome>,
) {
    let ignored: Vec<bool> = group.truths.iter().map(|truth| is_ignored(truth, range)).collect();
    let mut taken = vec![false; group.truths.len()];
    for (number, found) in group.found.iter().enumerate() {
        let free = |place: usize| !taken[place] || group.truths[place].crowd;
        let best_of = |class: bool| {
            let mut best = None;
            let mut least = capped(threshold);
            for &(place, overlap) in overlaps.of(number) {
                if ignored[place] == class && free(place) && overlap >= least {
                    least = overlap;
                    best = Some(place);
                }
            }
            best
        };
        let mut best = best_of(false).or_else(|| best_of(true));
        if best.is_none() && ignoring == Ignoring::ByShare {
            best = most_inside(found.bbox, group, &ignored, capped(threshold));
        }
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

/// The ignored object that most of a detection lies in, if that is a share of at least `least`.
fn most_inside(found: [f64; 4], group: &Group, ignored: &[bool], least: f64) -> Option<usize> {
    let mut best = None;
    let mut least = least;
    for (place, truth) in group.truths.iter().enumerate().filter(|(place, _)| ignored[*place]) {
        let share = iou(found, truth.bbox, true);
        if share >= least {
            least = share;
            best = Some(place);
        }
    }
    best
}
