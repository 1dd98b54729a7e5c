//! The measures of the TinyPerson benchmark (Yu et al., Scale Match for Tiny Person Detection, WACV 2020).
//!
//! They follow the benchmark's public code: objects marked `ignore`, `iscrowd` or `uncertain` are ignored, and a
//! detection without a match is ignored where its share inside an ignored object reaches the threshold; average
//! precision takes 200 detections a picture, the miss rate 1000, of a side from 1/1.25 of the range's smallest to 1.25
//! times its largest; the miss rate is the geometric mean over nine points and over classes, and 0 if one of them is.
//!
//! Where it differs: the ranges start at a side of 2, as the paper says, not 1 or 0. A miss rate at fewer false
//! positives than the first detection brings is 1, where the code wraps around to the last detection's. In the miss
//! rate a detection is ignored by its share alone, where the code takes that share once more for an intersection over
//! union; crowds are ignored there too; and visibility is not looked at.

use crate::dataset::Dataset;
use crate::detections::Detection;
use crate::entries::Annotation;
use crate::error::Result;
use crate::evaluation::{ClassResult, Evaluation};
use crate::groups::{Index, Truth};
use crate::matching::Ignoring;
use crate::miss_rate::{log_average, miss_rates};
use crate::settings::{AreaRange, Settings};
use serde_json::Value;

/// Detections of a class in a picture that count for average precision.
const MOST_FOR_PRECISION: usize = 200;
/// Detections of a class in a picture that count for the miss rate.
const MOST_FOR_MISSES: usize = 1000;
/// Names and sides in pixels (square root of the area) of the ranges.
const BINS: [(&str, f64, f64); 7] = [
    ("all", 2.0, 1e5),
    ("tiny", 2.0, 20.0),
    ("tiny1", 2.0, 8.0),
    ("tiny2", 8.0, 12.0),
    ("tiny3", 12.0, 20.0),
    ("small", 20.0, 32.0),
    ("reasonable", 32.0, 1e5),
];

/// The measures of a range of sizes; -1 where there is nothing to find.
#[derive(Clone, Debug, PartialEq)]
pub struct TinyBin {
    /// The range, in square pixels.
    pub area: AreaRange,
    /// Objects to be found.
    pub objects: usize,
    /// Average precision in [0, 1] at each of [`TinyPerson::THRESHOLDS`].
    pub precision: [f64; 3],
    /// Log-average miss rate in [0, 1], lower is better, at each of [`TinyPerson::THRESHOLDS`].
    pub miss_rate: [f64; 3],
}

/// The measures of all ranges: `all`, `tiny`, `tiny1`, `tiny2`, `tiny3`, `small`, `reasonable`.
#[derive(Clone, Debug, PartialEq)]
pub struct TinyPerson {
    /// The ranges in that order.
    pub bins: Vec<TinyBin>,
}

impl TinyPerson {
    /// Overlaps from which a box counts as found.
    pub const THRESHOLDS: [f64; 3] = [0.25, 0.5, 0.75];

    /// Judges detections by a data set; of the settings, categories and their treatment as one count.
    ///
    /// # Errors
    ///
    /// If the settings do not hold ([`Settings::check`]).
    pub fn new(dataset: &Dataset, detections: &[Detection], settings: &Settings) -> Result<Self> {
        let areas = BINS.map(|(name, min, max)| AreaRange::new(name, min * min, max * max)).to_vec();
        let settings = Settings {
            iou_thresholds: Self::THRESHOLDS.to_vec(),
            max_detections: vec![MOST_FOR_PRECISION],
            areas,
            ..settings.clone()
        };
        settings.check(dataset)?;
        let ids = settings.category_ids(dataset);
        let index = Index::new(dataset, detections, settings.class_agnostic);
        let sets: Vec<Vec<u64>> =
            if settings.class_agnostic { vec![ids] } else { ids.into_iter().map(|id| vec![id]).collect() };
        let (mut classes, mut misses) = (Vec::new(), Vec::new());
        for set in sets {
            let takes = |category: u64| set.binary_search(&category).is_ok();
            let admit = |annotation: &Annotation| takes(annotation.category_id).then(|| truth(annotation));
            let groups = index.groups(&admit, &takes, MOST_FOR_MISSES);
            classes.push(ClassResult::new(None, String::new(), &groups, &settings, Ignoring::ByShare));
            let rates = settings
                .areas
                .iter()
                .map(|area| miss_rates(&groups, area, &settings.iou_thresholds, dataset.images.len()));
            misses.push(rates.collect::<Vec<_>>());
        }
        let objects = |area: usize| classes.iter().map(|class| class.objects[area]).sum();
        let objects: Vec<usize> = (0..settings.areas.len()).map(objects).collect();
        let result = Evaluation::of_classes(settings.clone(), classes);
        let bin = |(place, area): (usize, AreaRange)| TinyBin {
            area,
            objects: objects[place],
            precision: [0, 1, 2].map(|iou| result.precision(None, Some(iou), place)),
            miss_rate: [0, 1, 2].map(|iou| log_average(misses.iter().filter_map(|m| m[place][iou].as_ref()))),
        };
        Ok(Self { bins: settings.areas.into_iter().enumerate().map(bin).collect() })
    }
}

/// The benchmark's rule of what is ignored.
fn truth(annotation: &Annotation) -> Truth {
    let uncertain = match annotation.extra.get("uncertain") {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        _ => false,
    };
    Truth {
        bbox: annotation.bbox,
        area: annotation.area,
        crowd: annotation.iscrowd,
        ignore: annotation.ignore || annotation.iscrowd || uncertain,
    }
}
