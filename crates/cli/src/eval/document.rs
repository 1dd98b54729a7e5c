//! The JSON document of `eval`, described in docs/FORMATS.md.

use super::{Judged, measures};
use serde_json::{Map, Value, json};
use std::path::Path;
use tilehawk_coco::{AreaRange, BREAKDOWN_PARTS, Breakdown, Evaluation, TinyPerson};

/// All settings and measures.
pub(crate) fn document(judged: &Judged, truth: &Path, found: &Path) -> Value {
    let result = &judged.result;
    let settings = result.settings();
    let classes: Vec<Value> = (0..result.classes().len()).map(|class| class_entry(result, class)).collect();
    let mut document = json!({
        "ground_truth": truth.display().to_string(),
        "detections": found.display().to_string(),
        "images": judged.dataset.images.len(),
        "iou_thresholds": settings.iou_thresholds,
        "max_detections": settings.max_detections,
        "areas": areas(&settings.areas),
        "class_agnostic": settings.class_agnostic,
        "left_out": {
            "unknown_images": judged.found.unknown_images,
            "unknown_categories": judged.found.unknown_categories,
            "negative": judged.found.negative,
        },
        "overall": overall(result),
        "classes": classes,
    });
    if let Some(tiny) = &judged.tiny {
        document["tiny"] = tiny_entry(tiny);
    }
    if let Some(breakdown) = &judged.breakdown {
        document["breakdown"] = breakdown_entry(breakdown);
    }
    document
}

fn areas(areas: &[AreaRange]) -> Vec<Value> {
    areas.iter().map(|area| json!({"name": area.name, "min": area.min, "max": area.max})).collect()
}

fn overall(result: &Evaluation) -> Value {
    let objects: usize = result.classes().iter().map(|class| class.objects[0]).sum();
    let detections: usize = result.classes().iter().map(|class| class.detections).sum();
    let mut entry = Map::new();
    entry.insert("objects".to_owned(), objects.into());
    entry.insert("detections".to_owned(), detections.into());
    entry.extend(measures(result, None).into_iter().map(|(name, value)| (name, value.into())));
    entry.into()
}

fn class_entry(result: &Evaluation, place: usize) -> Value {
    let class = &result.classes()[place];
    let mut entry = Map::new();
    entry.insert("id".to_owned(), class.id.into());
    entry.insert("name".to_owned(), class.name.as_str().into());
    entry.insert("objects".to_owned(), class.objects[0].into());
    entry.insert("detections".to_owned(), class.detections.into());
    entry.extend(measures(result, Some(place)).into_iter().map(|(name, value)| (name, value.into())));
    entry.into()
}

fn tiny_entry(tiny: &TinyPerson) -> Value {
    let bins = tiny.bins.iter().map(|bin| {
        json!({
            "name": bin.area.name,
            "min": bin.area.min,
            "max": bin.area.max,
            "objects": bin.objects,
            "AP": bin.precision,
            "MR": bin.miss_rate,
        })
    });
    json!({"iou_thresholds": TinyPerson::THRESHOLDS, "bins": bins.collect::<Vec<_>>()})
}

fn breakdown_entry(breakdown: &Breakdown) -> Value {
    let parts = |class: Option<usize>| -> Vec<[f64; 7]> {
        (0..breakdown.areas.len()).map(|area| breakdown.parts(class, area)).collect()
    };
    let classes = breakdown.classes.iter().enumerate();
    let classes = classes
        .map(|(place, class)| json!({"id": class.id, "name": class.name, "areas": parts(Some(place))}));
    json!({
        "parts": BREAKDOWN_PARTS,
        "areas": areas(&breakdown.areas),
        "overall": parts(None),
        "classes": classes.collect::<Vec<_>>(),
    })
}
