//! Measures of each class, TinyPerson's measures and the error analysis, equal to the golden files that tests/golden/make.py made.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::path::Path;
use tilehawk_coco::{AreaRange, Breakdown, Dataset, Detections, Evaluation, Settings, TinyPerson};

fn golden(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap().as_array().unwrap().clone()
}

fn case(number: usize) -> (Dataset, Detections) {
    let path = |kind| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{kind}{number}.json"));
    let (dataset, _) = Dataset::load(&path("gt")).unwrap();
    let found = Detections::load(&path("dt"), &dataset).unwrap();
    (dataset, found)
}

/// Whether two documents hold the same numbers, but for 1e-6.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if (a - b).abs() <= 1e-6),
    }
}

/// All measures of the mean and each class, in the order of make.py.
fn classes(number: usize) -> Value {
    let (dataset, found) = case(number);
    let rows = |categories: Option<Vec<u64>>, class_agnostic: bool| {
        let settings =
            Settings { max_detections: vec![20, 1, 3], categories, class_agnostic, ..Settings::default() };
        let result = Evaluation::new(&dataset, &found.items, &settings).unwrap();
        let places = std::iter::once(None).chain((0..result.classes().len()).map(Some));
        let row = |class: Option<usize>| -> Vec<f64> {
            let precision = |i: usize| result.precision(class, [None, Some(0), Some(5)][i % 3], i / 3);
            let recall = |i: usize| result.recall(class, None, i / 3, i % 3);
            (0..12).map(precision).chain((0..12).map(recall)).collect()
        };
        places.map(row).collect::<Vec<_>>()
    };
    json!({"all": rows(None, false), "two": rows(Some(vec![5, 1]), false), "agnostic": rows(None, true)})
}

/// Boxes at a quarter of their size, some of them to be ignored, as make.py has it.
fn tiny(number: usize) -> Value {
    let (mut dataset, mut found) = case(number);
    for (place, annotation) in dataset.annotations.iter_mut().enumerate() {
        annotation.bbox = annotation.bbox.map(|value| value / 4.0);
        annotation.area /= 16.0;
        annotation.ignore = place % 7 == 0;
        annotation.extra.insert("uncertain".to_owned(), json!(place % 11 == 0));
    }
    for item in &mut found.items {
        item.bbox = item.bbox.map(|value| value / 4.0);
    }
    let result = TinyPerson::new(&dataset, &found.items, &Settings::default()).unwrap();
    let bins = result.bins.iter();
    bins.map(|bin| (bin.area.name.clone(), json!({"AP": bin.precision, "MR": bin.miss_rate}))).collect()
}

/// Category ids 0, 1, 2, the first two in one supercategory, as make.py has it.
fn breakdown(number: usize) -> Value {
    let (mut dataset, mut found) = case(number);
    let ids: Vec<u64> = dataset.categories.iter().map(|category| category.id).collect();
    let place = |id: u64| ids.iter().position(|known| *known == id).unwrap() as u64;
    for annotation in &mut dataset.annotations {
        annotation.category_id = place(annotation.category_id);
    }
    for item in &mut found.items {
        item.category_id = place(item.category_id);
    }
    for category in &mut dataset.categories {
        category.id = place(category.id);
        let group = if category.id == 2 { "other" } else { "pair" };
        category.extra.insert("supercategory".to_owned(), json!(group));
    }
    let areas =
        [("all", 0.0, 1e10), ("small", 0.0, 1024.0), ("medium", 1024.0, 9216.0), ("large", 9216.0, 1e10)];
    let areas = areas.map(|(name, min, max)| AreaRange::new(name, min, max)).to_vec();
    let result = Breakdown::new(&dataset, &found.items, &Settings { areas, ..Settings::default() }).unwrap();
    // SAHI has 0, and 1 for objects not found, where a range of sizes is empty.
    let parts = |class: Option<usize>| -> Vec<[f64; 7]> {
        let empty = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        (0..4).map(|area| result.parts(class, area)).map(|p| if p[0] < 0.0 { empty } else { p }).collect()
    };
    let classes = result.classes.iter().enumerate();
    let mut document: Value =
        classes.map(|(place, class)| (class.name.clone(), json!(parts(Some(place))))).collect();
    document["allclass"] = json!(parts(None));
    document
}

#[test]
fn each_class() {
    let cases = golden("classes.json");
    for (number, expected) in cases.iter().enumerate() {
        let ours = classes(number);
        assert!(same(&ours, expected), "case {number}: {ours} against {expected}");
    }
    assert_eq!(cases.len(), 3);
}

#[test]
fn tinyperson() {
    let cases = golden("tiny.json");
    for (number, expected) in cases.iter().enumerate() {
        let ours = tiny(number);
        assert!(same(&ours, expected), "case {number}: {ours} against {expected}");
    }
    assert_eq!(cases.len(), 3);
}

#[test]
fn sahis_error_analysis() {
    let cases = golden("breakdown.json");
    for (number, expected) in cases.iter().enumerate() {
        let ours = breakdown(number);
        assert!(same(&ours, expected), "case {number}: {ours} against {expected}");
    }
    assert_eq!(cases.len(), 3);
}

#[test]
fn the_comparison_can_fail() {
    let ours = tiny(0);
    for path in ["/tiny1/AP/2", "/all/MR/0", "/reasonable/MR/2"] {
        let mut other = ours.clone();
        let value = other.pointer_mut(path).unwrap();
        *value = json!(value.as_f64().unwrap() + 2e-6);
        assert!(!same(&ours, &other), "{path}");
    }
    let ours = breakdown(0);
    let mut other = ours.clone();
    other["c2"][1][3] = json!(ours["c2"][1][3].as_f64().unwrap() - 2e-6);
    assert!(!same(&ours, &other));
    other.as_object_mut().unwrap().remove("c2");
    assert!(!same(&ours, &other));
}
