//! What keeps precision down: the error analysis of the COCO toolkit, as SAHI runs it.
//!
//! Each part is a precision curve under a rule more lenient than the one before, so that the area between two curves is
//! what one kind of error costs:
//!
//! | part | what is forgiven |
//! |---|---|
//! | `C75` | nothing: overlap of at least 0.75 |
//! | `C50` | overlap of at least 0.5 is enough |
//! | `Loc` | overlap of at least 0.1 is enough: errors of place |
//! | `Sim` | detections on objects of the same supercategory |
//! | `Oth` | detections on objects of any other class |
//! | `BG` | all other false detections: 1 as far as the recall of `Oth` reaches |
//! | `FN` | objects not found: 1 |
//!
//! SAHI gives 0 where there is nothing to find in a range of sizes (and 1 for `FN`); here the range has no value.
//! SAHI also takes the id of a category for its place in a list, which holds only if ids count from 0.

use crate::curve::{ABSENT, RECALLS, mean};
use crate::dataset::Dataset;
use crate::detections::Detection;
use crate::entries::Annotation;
use crate::error::Result;
use crate::evaluation::{ClassResult, Evaluation};
use crate::groups::{Index, Truth, coco_truth};
use crate::matching::Ignoring;
use crate::settings::{AreaRange, Settings};
use std::collections::{HashMap, HashSet};

/// Names of the parts, from the strictest.
pub const BREAKDOWN_PARTS: [&str; 7] = ["C75", "C50", "Loc", "Sim", "Oth", "BG", "FN"];

/// Detections of a class in a picture that count.
const MOST: usize = 500;

/// The parts of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakdownClass {
    /// Id of the category.
    pub id: u64,
    /// Name of the category.
    pub name: String,
    /// For each range of sizes, the precision of each part at recall 0, 0.01, ..., 1; none if there is nothing to find.
    pub curves: Vec<Option<[Vec<f64>; 7]>>,
}

/// The parts of all classes that the data set has objects of.
#[derive(Clone, Debug, PartialEq)]
pub struct Breakdown {
    /// The ranges of sizes; the first is that of all.
    pub areas: Vec<AreaRange>,
    /// The classes by ascending id.
    pub classes: Vec<BreakdownClass>,
}

impl Breakdown {
    /// Analyses detections by a data set; of the settings, areas and categories count. Objects of categories that are
    /// not chosen are other classes.
    ///
    /// # Errors
    ///
    /// If the settings do not hold ([`Settings::check`]).
    pub fn new(dataset: &Dataset, detections: &[Detection], settings: &Settings) -> Result<Self> {
        let strict = Settings {
            iou_thresholds: vec![0.1, 0.5, 0.75],
            max_detections: vec![MOST],
            class_agnostic: false,
            ..settings.clone()
        };
        strict.check(dataset)?;
        let lenient = Settings { iou_thresholds: vec![0.1], ..strict.clone() };
        let present: HashSet<u64> = dataset.annotations.iter().map(|one| one.category_id).collect();
        let groups: HashMap<u64, &str> = dataset
            .categories
            .iter()
            .filter_map(|category| Some((category.id, category.supercategory()?)))
            .collect();
        let index = Index::new(dataset, detections, false);
        let class = |id: u64| {
            let judge = |settings: &Settings, forgives: &dyn Fn(u64) -> bool| {
                let admit = |annotation: &Annotation| match annotation.category_id {
                    own if own == id => Some(coco_truth(annotation)),
                    other if forgives(other) => {
                        Some(Truth { crowd: true, ignore: true, ..coco_truth(annotation) })
                    }
                    _ => None,
                };
                let found = index.groups(&admit, &|category| category == id, MOST);
                let class = ClassResult::new(Some(id), String::new(), &found, settings, Ignoring::Coco);
                Evaluation::of_classes(settings.clone(), vec![class])
            };
            let similar = |other: u64| groups.get(&id).is_some_and(|group| groups.get(&other) == Some(group));
            let own = judge(&strict, &|_| false);
            let (similar, other) = (judge(&lenient, &similar), judge(&lenient, &|_| true));
            let curves = |area: usize| {
                let other = other.curve(None, 0, area)?;
                let found = other.iter().map(|value| if *value > 0.0 { 1.0 } else { 0.0 }).collect();
                Some([
                    own.curve(None, 2, area)?,
                    own.curve(None, 1, area)?,
                    own.curve(None, 0, area)?,
                    similar.curve(None, 0, area)?,
                    other,
                    found,
                    vec![1.0; RECALLS],
                ])
            };
            BreakdownClass {
                id,
                name: dataset.category_name(id).to_owned(),
                curves: (0..strict.areas.len()).map(curves).collect(),
            }
        };
        let ids = strict.category_ids(dataset).into_iter().filter(|id| present.contains(id));
        let classes = ids.map(class).collect();
        Ok(Self { areas: strict.areas, classes })
    }

    /// The area under the curve of each part, for a class by its place or the mean of all; -1 if there is nothing to
    /// find.
    pub fn parts(&self, class: Option<usize>, area: usize) -> [f64; 7] {
        let under = |curve: Vec<f64>| curve.iter().sum::<f64>() / curve.len() as f64;
        self.curves(class, area).map_or([ABSENT; 7], |curves| curves.map(under))
    }

    /// The curve of each part, for a class by its place or the mean of all; `None` if there is nothing to find.
    pub fn curves(&self, class: Option<usize>, area: usize) -> Option<[Vec<f64>; 7]> {
        let chosen = match class {
            Some(class) => self.classes.get(class..=class).unwrap_or_default(),
            None => &self.classes,
        };
        let curves: Vec<&[Vec<f64>; 7]> =
            chosen.iter().filter_map(|class| class.curves.get(area)?.as_ref()).collect();
        if curves.is_empty() {
            return None;
        }
        let at = |part: usize, i: usize| mean(curves.iter().map(|curves| curves[part].get(i).copied()));
        Some(std::array::from_fn(|part| (0..RECALLS).map(|i| at(part, i)).collect()))
    }
}
