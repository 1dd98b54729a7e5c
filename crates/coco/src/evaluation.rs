//! Average precision and recall as pycocotools' `COCOeval` computes them for boxes.

use crate::curve::{Curve, by_score, mean};
use crate::dataset::Dataset;
use crate::detections::Detection;
use crate::error::Result;
use crate::groups::{Group, Index, coco_truth};
use crate::matching::{Ignoring, Outcome, Overlaps, is_ignored, match_group};
use crate::settings::{AreaRange, Settings};

/// A class, or all of them as one, with its measures.
#[derive(Clone, Debug)]
pub struct ClassResult {
    /// Id of the category; `None` if all count as one.
    pub id: Option<u64>,
    /// Name of the category.
    pub name: String,
    /// Objects of each range of sizes that are to be found.
    pub objects: Vec<usize>,
    /// Detections, at most the largest count for each picture.
    pub detections: usize,
    /// By area, then count of detections, then threshold; none if there is nothing to find.
    cells: Vec<Option<Cell>>,
    /// By area, then threshold, at the largest count.
    curves: Vec<Option<Vec<f64>>>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    precision: f64,
    recall: f64,
}

/// The measures of detections.
#[derive(Clone, Debug)]
pub struct Evaluation {
    settings: Settings,
    classes: Vec<ClassResult>,
}

impl Evaluation {
    /// Judges detections by a data set. Counts of detections are taken in ascending order.
    ///
    /// Where pycocotools reads the id of an annotation as "matched", id 0 there means "not matched"; here it does not.
    ///
    /// # Errors
    ///
    /// If the settings do not hold ([`Settings::check`]).
    pub fn new(dataset: &Dataset, detections: &[Detection], settings: &Settings) -> Result<Self> {
        settings.check(dataset)?;
        let mut settings = settings.clone();
        settings.max_detections.sort_unstable();
        let ids = settings.category_ids(dataset);
        let index = Index::new(dataset, detections, settings.class_agnostic);
        let most = settings.max_detections.last().copied().unwrap_or(0);
        let judge = |id: Option<u64>, name: String| {
            let takes = |category: u64| match id {
                Some(id) => category == id,
                None => ids.binary_search(&category).is_ok(),
            };
            let groups = index.groups(
                &|annotation| takes(annotation.category_id).then(|| coco_truth(annotation)),
                &takes,
                most,
            );
            ClassResult::new(id, name, &groups, &settings, Ignoring::Coco)
        };
        let classes = if settings.class_agnostic {
            vec![judge(None, "all classes".to_owned())]
        } else {
            ids.iter().map(|&id| judge(Some(id), dataset.category_name(id).to_owned())).collect()
        };
        Ok(Self { settings, classes })
    }

    /// An evaluation of classes that were judged one by one.
    pub(crate) fn of_classes(settings: Settings, classes: Vec<ClassResult>) -> Self {
        Self { settings, classes }
    }

    /// What was measured.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The classes by ascending id.
    pub fn classes(&self) -> &[ClassResult] {
        &self.classes
    }

    /// Average precision: the mean over classes, thresholds and 101 recall values, in [0, 1]; -1 if there is nothing
    /// to find. `iou` and `class` choose a threshold and a class by their places; `None` stands for the mean of all.
    pub fn precision(&self, class: Option<usize>, iou: Option<usize>, area: usize) -> f64 {
        self.mean_of(class, iou, area, self.settings.max_detections.len() - 1, |cell| cell.precision)
    }

    /// Average recall with a count of detections by its place, otherwise as [`Evaluation::precision`].
    pub fn recall(&self, class: Option<usize>, iou: Option<usize>, area: usize, count: usize) -> f64 {
        self.mean_of(class, iou, area, count, |cell| cell.recall)
    }

    /// Precision at recall 0, 0.01, ..., 1 of a class, or the mean of all; `None` if there is nothing to find.
    pub fn curve(&self, class: Option<usize>, iou: usize, area: usize) -> Option<Vec<f64>> {
        let place = area * self.settings.iou_thresholds.len() + iou;
        let curves: Vec<&Vec<f64>> =
            self.chosen(class).iter().filter_map(|class| class.curves.get(place)?.as_ref()).collect();
        let first = curves.first()?;
        let value = |i: usize| mean(curves.iter().map(|curve| curve.get(i).copied()));
        Some((0..first.len()).map(value).collect())
    }

    /// The place of a threshold among those of the settings.
    pub fn iou_place(&self, iou: f64) -> Option<usize> {
        self.settings.iou_thresholds.iter().position(|known| (known - iou).abs() < 1e-9)
    }

    fn chosen(&self, class: Option<usize>) -> &[ClassResult] {
        match class {
            Some(class) => self.classes.get(class..=class).unwrap_or_default(),
            None => &self.classes,
        }
    }

    fn mean_of(
        &self,
        class: Option<usize>,
        iou: Option<usize>,
        area: usize,
        count: usize,
        value: impl Fn(&Cell) -> f64,
    ) -> f64 {
        let (counts, thresholds) = (self.settings.max_detections.len(), self.settings.iou_thresholds.len());
        let start = (area * counts + count) * thresholds;
        let places = iou.map_or(start..start + thresholds, |iou| start + iou..start + iou + 1);
        let cells = self.chosen(class).iter().flat_map(|class| class.cells.get(places.clone()));
        mean(cells.flatten().map(|cell| cell.as_ref().map(&value)))
    }
}

impl ClassResult {
    /// Judges a class by its groups.
    pub(crate) fn new(
        id: Option<u64>,
        name: String,
        groups: &[Group],
        settings: &Settings,
        ignoring: Ignoring,
    ) -> Self {
        let scores: Vec<f64> =
            groups.iter().flat_map(|group| &group.found).map(|found| found.score).collect();
        let ranks: Vec<usize> = groups.iter().flat_map(|group| 0..group.found.len()).collect();
        let order = by_score(&scores);
        let outcomes = outcomes(groups, settings, ignoring);
        let objects: Vec<usize> = settings.areas.iter().map(|area| to_find(groups, area)).collect();
        let (mut cells, mut curves) = (Vec::new(), Vec::new());
        let thresholds = settings.iou_thresholds.len();
        for (area, &positives) in objects.iter().enumerate() {
            for (number, &most) in settings.max_detections.iter().enumerate() {
                for outcomes in &outcomes[area * thresholds..(area + 1) * thresholds] {
                    let counted =
                        order.iter().filter(|place| ranks[**place] < most).map(|place| outcomes[*place]);
                    let curve = Curve::new(counted, positives);
                    cells.push(
                        curve.as_ref().map(|curve| Cell { precision: curve.mean(), recall: curve.recall }),
                    );
                    if number + 1 == settings.max_detections.len() {
                        curves.push(curve.map(|curve| curve.precision));
                    }
                }
            }
        }
        Self { id, name, objects, detections: scores.len(), cells, curves }
    }
}

/// Objects of a range of sizes that are to be found.
pub(crate) fn to_find(groups: &[Group], area: &AreaRange) -> usize {
    groups.iter().flat_map(|group| &group.truths).filter(|truth| !is_ignored(truth, area)).count()
}

/// Outcomes of all detections, group by group, for each area, then threshold.
fn outcomes(groups: &[Group], settings: &Settings, ignoring: Ignoring) -> Vec<Vec<Outcome>> {
    let thresholds = settings.iou_thresholds.len();
    let least = settings.iou_thresholds.iter().copied().fold(1.0, f64::min);
    let mut outcomes = vec![Vec::new(); settings.areas.len() * thresholds];
    for group in groups {
        let overlaps = Overlaps::ious(group, least);
        let shares = (ignoring == Ignoring::ByShare).then(|| Overlaps::shares(group, least));
        for (place, outcomes) in outcomes.iter_mut().enumerate() {
            let (area, threshold) =
                (&settings.areas[place / thresholds], settings.iou_thresholds[place % thresholds]);
            match_group(group, &overlaps, shares.as_ref(), area, threshold, outcomes);
        }
    }
    outcomes
}
