//! What an evaluation measures.

use crate::dataset::Dataset;
use crate::error::{Error, Result};

/// Objects of these sizes, both ends included.
#[derive(Clone, Debug, PartialEq)]
pub struct AreaRange {
    /// What the range is called.
    pub name: String,
    /// Smallest area in square pixels.
    pub min: f64,
    /// Largest area in square pixels.
    pub max: f64,
}

impl AreaRange {
    /// The range of areas from `min` to `max` square pixels.
    pub fn new(name: &str, min: f64, max: f64) -> Self {
        Self { name: name.to_owned(), min, max }
    }

    /// Whether `area` lies outside.
    pub(crate) fn excludes(&self, area: f64) -> bool {
        area < self.min || area > self.max
    }
}

/// What an evaluation measures; [`Settings::default`] is what COCO does.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Overlaps from which a box counts as found, each in (0, 1], ascending.
    pub iou_thresholds: Vec<f64>,
    /// How many boxes of a class count in a picture, the best first; all measures but recall take the largest.
    pub max_detections: Vec<usize>,
    /// Sizes of objects; the first is that of all.
    pub areas: Vec<AreaRange>,
    /// Ids of the categories judged; all if `None`.
    pub categories: Option<Vec<u64>>,
    /// Whether all categories count as one.
    pub class_agnostic: bool,
}

/// Side beyond which no object is, in the ranges of COCO.
const LARGEST: f64 = 1e5;

/// 0.5, 0.55, ..., 0.95 with the rounding of numpy's `linspace`, since overlaps may equal them.
fn coco_thresholds() -> Vec<f64> {
    let step = (0.95 - 0.5) / 9.0;
    (0..9).map(|i| 0.5 + f64::from(i) * step).chain([0.95]).collect()
}

impl Default for Settings {
    fn default() -> Self {
        let areas =
            [("all", 0.0, LARGEST), ("small", 0.0, 32.0), ("medium", 32.0, 96.0), ("large", 96.0, LARGEST)];
        Self {
            iou_thresholds: coco_thresholds(),
            max_detections: vec![1, 10, 100],
            areas: areas.map(|(name, min, max)| AreaRange::new(name, min * min, max * max)).to_vec(),
            categories: None,
            class_agnostic: false,
        }
    }
}

impl Settings {
    /// Checks the settings against a data set.
    ///
    /// # Errors
    ///
    /// If a list is empty, a value is out of range, or a category is not in the data set.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let fail = |message: &str| Err(Error::new(message));
        if self.iou_thresholds.is_empty() || !self.iou_thresholds.iter().all(|t| *t > 0.0 && *t <= 1.0) {
            return fail("IOU thresholds must be above 0 and at most 1; give at least one");
        }
        if !self.iou_thresholds.is_sorted() {
            return fail("IOU thresholds must ascend; sort them");
        }
        if self.max_detections.is_empty() || self.max_detections.contains(&0) {
            return fail("counts of detections must be at least 1; give at least one");
        }
        if self.areas.is_empty() || !self.areas.iter().all(|area| area.min <= area.max) {
            return fail("each range of areas must have its smaller end first; give at least one");
        }
        for id in self.categories.iter().flatten() {
            if !dataset.categories.iter().any(|category| category.id == *id) {
                return Err(Error::new(format!("the data set has no category id {id}; leave it out")));
            }
        }
        if self.categories.as_ref().is_some_and(Vec::is_empty) {
            return fail("no categories are chosen; give at least one, or none for all");
        }
        Ok(())
    }

    /// The categories judged, ascending.
    pub(crate) fn category_ids(&self, dataset: &Dataset) -> Vec<u64> {
        let mut ids: Vec<u64> = match &self.categories {
            Some(ids) => ids.clone(),
            None => dataset.categories.iter().map(|category| category.id).collect(),
        };
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn thresholds_of_numpy() {
        let expected = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.8999999999999999, 0.95];
        assert_eq!(Settings::default().iou_thresholds, expected);
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        let text = json!({"images": [], "categories": [{"id": 2, "name": "a"}]}).to_string();
        let (dataset, _) = Dataset::parse(text.as_bytes()).unwrap();
        let good = Settings { categories: Some(vec![2]), ..Settings::default() };
        assert!(good.check(&dataset).is_ok());
        let (g, none) = (|| good.clone(), AreaRange::new("x", 2.0, 1.0));
        for (bad, reason) in [
            (Settings { iou_thresholds: vec![], ..g() }, "IOU"),
            (Settings { iou_thresholds: vec![0.0], ..g() }, "IOU"),
            (Settings { iou_thresholds: vec![f64::NAN], ..g() }, "IOU"),
            (Settings { iou_thresholds: vec![0.6, 0.5], ..g() }, "ascend"),
            (Settings { max_detections: vec![], ..g() }, "detections"),
            (Settings { max_detections: vec![0, 5], ..g() }, "detections"),
            (Settings { areas: vec![], ..g() }, "areas"),
            (Settings { areas: vec![none], ..g() }, "areas"),
            (Settings { categories: Some(vec![3]), ..g() }, "category id 3"),
            (Settings { categories: Some(vec![]), ..g() }, "categories"),
        ] {
            let message = bad.check(&dataset).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
    }
}
