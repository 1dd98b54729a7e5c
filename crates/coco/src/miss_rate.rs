//! The log-average miss rate of pedestrian benchmarks.

use crate::curve::{ABSENT, by_score, mean};
use crate::groups::Group;
use crate::matching::{Outcome, Overlaps, is_ignored};
use crate::settings::AreaRange;

/// False positives per image at which the miss rate is read: nine values evenly spaced in their logarithm.
pub(crate) const FPPI: [f64; 9] = [
    0.01,
    0.017_782_794_100_389_23,
    0.031_622_776_601_683_79,
    0.056_234_132_519_034_91,
    0.1,
    0.177_827_941_003_892_3,
    0.316_227_766_016_837_94,
    0.562_341_325_190_349_1,
    1.0,
];

/// Detections this much smaller or larger than the range of sizes take part too, by their side.
const SLACK: f64 = 1.25;

/// Miss rates of a class at [`FPPI`] for each threshold; none if there is nothing to find. `images` is the number of
/// pictures of the data set.
pub(crate) fn miss_rates(
    groups: &[Group],
    range: &AreaRange,
    thresholds: &[f64],
    images: usize,
) -> Vec<Option<[f64; 9]>> {
    let positives =
        groups.iter().flat_map(|group| &group.truths).filter(|truth| !is_ignored(truth, range)).count();
    if positives == 0 {
        return vec![None; thresholds.len()];
    }
    let least = thresholds.iter().copied().fold(1.0, f64::min);
    let mut scores = Vec::new();
    let mut outcomes = vec![Vec::new(); thresholds.len()];
    for group in groups {
        let group = Group {
            truths: group.truths.clone(),
            found: group.found.iter().filter(|found| takes_part(found.area(), range)).copied().collect(),
        };
        scores.extend(group.found.iter().map(|found| found.score));
        let (ious, shares) = (Overlaps::ious(&group, least), Overlaps::shares(&group, least));
        for (outcomes, &threshold) in outcomes.iter_mut().zip(thresholds) {
            match_group(&group, &ious, &shares, range, threshold, outcomes);
        }
    }
    let order = by_score(&scores);
    let rates = |outcomes: &Vec<Outcome>| {
        let in_order = order.iter().map(|place| outcomes[*place]);
        FPPI.map(|wanted| miss_rate(in_order.clone(), positives, images, wanted))
    };
    outcomes.iter().map(|outcomes| Some(rates(outcomes))).collect()
}

/// Whether a detection of `area` takes part in a range of sizes.
fn takes_part(area: f64, range: &AreaRange) -> bool {
    let side = area.sqrt();
    side >= range.min.sqrt() / SLACK && side < range.max.sqrt() * SLACK
}

/// Each detection, best first, takes the object that counts and that it overlaps most; else it is ignored if its share
/// inside an ignored object reaches the threshold.
fn match_group(
    group: &Group,
    ious: &Overlaps,
    shares: &Overlaps,
    range: &AreaRange,
    threshold: f64,
    outcomes: &mut Vec<Outcome>,
) {
    let ignored: Vec<bool> = group.truths.iter().map(|truth| is_ignored(truth, range)).collect();
    let mut taken = vec![false; group.truths.len()];
    for number in 0..group.found.len() {
        let hit = ious.best(number, threshold, |place| !ignored[place] && !taken[place]);
        outcomes.push(match hit {
            Some(place) => {
                taken[place] = true;
                Outcome::Hit
            }
            None if shares.best(number, threshold, |place| ignored[place]).is_some() => Outcome::Ignored,
            None => Outcome::False,
        });
    }
}

/// The share of objects missed while at most `fppi` detections an image are false.
fn miss_rate(outcomes: impl Iterator<Item = Outcome>, positives: usize, images: usize, fppi: f64) -> f64 {
    let (mut hits, mut wrong) = (0.0, 0.0);
    for outcome in outcomes {
        match outcome {
            Outcome::Hit => hits += 1.0,
            Outcome::False => wrong += 1.0,
            Outcome::Ignored => {}
        }
        if wrong / images as f64 > fppi {
            break;
        }
    }
    1.0 - hits / positives as f64
}

/// The geometric mean of miss rates of all classes; 0 if one is 0, -1 if there is none.
pub(crate) fn log_average<'a>(rates: impl Iterator<Item = &'a [f64; 9]>) -> f64 {
    let logs = rates.flatten().map(|rate| Some(rate.ln()));
    let mut logs = logs.peekable();
    if logs.peek().is_none() { ABSENT } else { mean(logs).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::{Found, Truth};

    fn truth(x: f64, ignore: bool) -> Truth {
        Truth { bbox: [x, 0.0, 10.0, 10.0], area: 100.0, crowd: false, ignore }
    }

    fn found(x: f64, score: f64) -> Found {
        Found { bbox: [x, 0.0, 10.0, 10.0], score }
    }

    #[test]
    fn by_hand() {
        let range = AreaRange::new("all", 4.0, 1e10);
        // Two objects, an ignored one; a hit, a miss, one ignored, one hit after a false positive.
        let groups = [Group {
            truths: vec![truth(0.0, false), truth(100.0, false), truth(200.0, true)],
            found: vec![found(0.0, 0.9), found(204.0, 0.8), found(50.0, 0.7), found(101.0, 0.6)],
        }];
        let rates = |images| miss_rates(&groups, &range, &[0.5], images)[0].unwrap();
        // One image: one false positive is 1 per image, reached at the last point alone.
        let mut one = [0.5; 9];
        one[8] = 0.0;
        assert_eq!(rates(1), one);
        assert_eq!(log_average([&one].into_iter()), 0.0);
        assert_eq!(log_average([&[0.5; 9]].into_iter()), 0.5);
        assert_eq!(log_average(std::iter::empty()), -1.0);
        // A hundred: it is 0.01.
        assert_eq!(rates(100), [0.0; 9]);
        assert!(miss_rates(&groups, &AreaRange::new("large", 1e4, 1e10), &[0.5], 1)[0].is_none());
    }

    #[test]
    fn a_false_positive_first_misses_all() {
        let range = AreaRange::new("all", 4.0, 1e10);
        let groups =
            [Group { truths: vec![truth(0.0, false)], found: vec![found(50.0, 0.9), found(0.0, 0.8)] }];
        assert_eq!(miss_rates(&groups, &range, &[0.5], 1)[0].unwrap()[..8], [1.0; 8]);
    }

    #[test]
    fn points_are_evenly_spaced() {
        for (i, fppi) in FPPI.iter().enumerate() {
            assert!((fppi.log10() - (i as f64 / 4.0 - 2.0)).abs() < 1e-12);
        }
    }
}
