//! What `eval` computes, as a document and as tables.

mod document;
mod plots;
mod tables;

pub(crate) use document::document;
pub(crate) use plots::draw;
pub(crate) use tables::tables;

use tilehawk_coco::{Breakdown, Dataset, Detections, Evaluation, TinyPerson};

/// The files and their measures.
pub(crate) struct Judged {
    /// The objects.
    pub(crate) dataset: Dataset,
    /// The detections.
    pub(crate) found: Detections,
    /// Average precision and recall.
    pub(crate) result: Evaluation,
    /// TinyPerson's measures, if asked for.
    pub(crate) tiny: Option<TinyPerson>,
    /// What precision is lost to, if asked for.
    pub(crate) breakdown: Option<Breakdown>,
}

/// Names and values of all measures of a class by its place, or of the mean of all; -1 if there is nothing to find.
fn measures(result: &Evaluation, class: Option<usize>) -> Vec<(String, f64)> {
    let settings = result.settings();
    let thresholds = [("AP", None), ("AP50", result.iou_place(0.5)), ("AP75", result.iou_place(0.75))];
    let mut measures = Vec::new();
    for (area, range) in settings.areas.iter().enumerate() {
        for (name, iou) in thresholds {
            if name == "AP" || iou.is_some() {
                measures.push((of_area(name, area, &range.name), result.precision(class, iou, area)));
            }
        }
    }
    let last = settings.max_detections.len() - 1;
    for (count, most) in settings.max_detections.iter().enumerate() {
        measures.push((format!("AR_{most}"), result.recall(class, None, 0, count)));
    }
    for (area, range) in settings.areas.iter().enumerate() {
        measures.push((of_area("AR", area, &range.name), result.recall(class, None, area, last)));
    }
    measures
}

/// The name of a measure in a range of sizes; the first range is that of all.
fn of_area(name: &str, area: usize, range: &str) -> String {
    if area == 0 { name.to_owned() } else { format!("{name}_{range}") }
}
