//! Measures equal those of pycocotools.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tilehawk_coco::{Dataset, Detections, Evaluation, Settings};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn expected() -> Vec<Value> {
    let document: Value =
        serde_json::from_slice(&std::fs::read(golden("pycocotools.json")).unwrap()).unwrap();
    document["cases"].as_array().unwrap().clone()
}

/// The measures of a case, under the names of the golden file.
fn measured(case: &Value) -> Value {
    let (dataset, _) = Dataset::load(&golden(&format!("gt{}.json", case["case"]))).unwrap();
    let found = Detections::load(&golden(&format!("dt{}.json", case["case"])), &dataset).unwrap();
    let max_detections: Vec<usize> = serde_json::from_value(case["max_dets"].clone()).unwrap();
    let settings = Settings { max_detections, ..Settings::default() };
    let result = Evaluation::new(&dataset, &found.items, &settings).unwrap();
    let ap = |iou, area| result.precision(None, iou, area);
    let (i50, i75) = (result.iou_place(0.5), result.iou_place(0.75));
    json!({
        "AP": ap(None, 0), "AP50": ap(i50, 0), "AP75": ap(i75, 0),
        "AP_small": ap(None, 1), "AP_medium": ap(None, 2), "AP_large": ap(None, 3),
        "AP50_small": ap(i50, 1), "AP50_medium": ap(i50, 2), "AP50_large": ap(i50, 3),
        "AR": result.recall(None, None, 0, 2),
    })
}

/// The first measure that differs by more than 1e-6, or is absent.
fn difference(measured: &Value, expected: &Value) -> Option<String> {
    let names =
        expected.as_object().unwrap().keys().filter(|name| !matches!(name.as_str(), "case" | "max_dets"));
    names.into_iter().find_map(|name| {
        let pair = (measured[name].as_f64(), expected[name].as_f64());
        let equal = matches!(pair, (Some(a), Some(b)) if (a - b).abs() <= 1e-6);
        (!equal).then(|| format!("{name}: {pair:?}"))
    })
}

#[test]
fn equals_pycocotools() {
    let cases = expected();
    assert_eq!(cases.len(), 3);
    for case in &cases {
        assert_eq!(difference(&measured(case), case), None, "case {}", case["case"]);
    }
}

#[test]
fn the_comparison_can_fail() {
    let case = expected().remove(0);
    let ours = measured(&case);
    for name in ["AP", "AP75", "AP50_large", "AR"] {
        let mut other = case.clone();
        other[name] = json!(case[name].as_f64().unwrap() + 2e-6);
        assert!(difference(&ours, &other).unwrap().starts_with(name));
    }
    let mut more = case;
    more["AR_9"] = json!(0.5);
    assert!(difference(&ours, &more).is_some());
}
