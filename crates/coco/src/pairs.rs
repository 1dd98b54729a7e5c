//! Which detection finds which object, at one threshold.

use crate::groups::{Found, Group, Truth};
use crate::matching::Overlaps;

/// Pairs the detections of one class in one picture with its objects by COCO's rules: best scores first, each with the
/// free object that it overlaps most, by an intersection over union of at least `iou`, in (0, 1].
///
/// `objects` are boxes `[x, y, width, height]`, `found` boxes with their scores. Returns the object of each detection,
/// in the order given; none if it found nothing.
pub fn pairs(objects: &[[f64; 4]], found: &[([f64; 4], f64)], iou: f64) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by(|&a, &b| found[b].1.total_cmp(&found[a].1));
    let group = Group {
        truths: objects
            .iter()
            .map(|&bbox| Truth { bbox, area: bbox[2] * bbox[3], crowd: false, ignore: false })
            .collect(),
        found: order.iter().map(|&place| Found { bbox: found[place].0, score: found[place].1 }).collect(),
    };
    let overlaps = Overlaps::ious(&group, iou);
    let mut taken = vec![false; objects.len()];
    let mut pairs = vec![None; found.len()];
    for (number, &place) in order.iter().enumerate() {
        if let Some(object) = overlaps.best(number, iou, |object| !taken[object]) {
            taken[object] = true;
            pairs[place] = Some(object);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_score_takes_the_object_it_overlaps_most() {
        let objects = [[0.0, 0.0, 10.0, 10.0], [4.0, 0.0, 10.0, 10.0], [50.0, 50.0, 4.0, 4.0]];
        let found = [
            ([1.0, 0.0, 10.0, 10.0], 0.5),
            ([2.5, 0.0, 10.0, 10.0], 0.9),
            ([1.0, 0.0, 10.0, 10.0], 0.4),
            ([53.0, 50.0, 4.0, 4.0], 0.8),
        ];
        assert_eq!(pairs(&objects, &found, 0.5), [Some(0), Some(1), None, None]);
        assert_eq!(pairs(&objects, &[], 0.5), []);
        assert_eq!(pairs(&[], &found, 0.5), [None; 4]);
    }
}
