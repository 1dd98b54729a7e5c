//! Merging, on the GPU and in the CPU oracle, against SAHI's results.

#![allow(clippy::unwrap_used, clippy::panic, clippy::unimplemented, reason = "tests")]

mod common;
#[path = "common/merging.rs"]
mod merging;

use merging::{options, oracle, outcomes};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use tilehawk::geom::{Metric, RectPx};
use tilehawk::gpu::Context;
use tilehawk::reference::merge::Outcome;
use tilehawk::{Algorithm, BoxMerger, MergeBox};

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    algorithm: Algorithm,
    metric: Metric,
    threshold: f32,
    class_agnostic: bool,
}

type Row = [f32; 6];

fn rows(tensors: &SafeTensors<'_>, name: &str) -> Vec<Row> {
    let bytes = tensors.tensor(name).unwrap().data();
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    values.chunks_exact(6).map(|row| row.try_into().unwrap()).collect()
}

fn merge_box(row: &Row) -> MergeBox {
    let rect = RectPx::new(row[0], row[1], row[2], row[3]);
    MergeBox { rect, score: row[4], class_id: row[5] as u32, ..MergeBox::default() }
}

fn row(outcome: &Outcome) -> Row {
    let [x0, y0, x1, y1] = outcome.rect.to_array();
    [x0, y0, x1, y1, outcome.score, outcome.class_id as f32]
}

/// Where two lists of rows differ in length, order or a bit.
fn difference(got: &[Row], expected: &[Row]) -> Option<String> {
    let bits = |row: &Row| row.map(f32::to_bits);
    let at = got.iter().zip(expected).position(|(a, b)| bits(a) != bits(b));
    match at {
        Some(at) => Some(format!("row {at}: {:?}, expected {:?}", got[at], expected[at])),
        None if got.len() != expected.len() => Some(format!("{} rows, not {}", got.len(), expected.len())),
        None => None,
    }
}

/// Runs each case in the oracle and, given a device, on the GPU; returns how many there are.
fn check_cases(context: Option<&Context>, folder: &Path) -> usize {
    let text = std::fs::read_to_string(folder.join("merge.json")).unwrap();
    let Cases { cases } = serde_json::from_str(&text).unwrap();
    let data = std::fs::read(folder.join("merge.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&data).unwrap();
    let mut merger = context.map(BoxMerger::new);
    for case in &cases {
        let input = rows(&tensors, &format!("{}.boxes", case.name));
        let expected = rows(&tensors, &format!("{}.expected", case.name));
        let boxes: Vec<MergeBox> = input.iter().map(merge_box).collect();
        let options = options(case.algorithm, case.metric, case.threshold, case.class_agnostic);
        let found = match &mut merger {
            Some(merger) => {
                let merged = merger.merge(&boxes, &options);
                outcomes(&merged.unwrap_or_else(|e| panic!("{}: {e}", case.name)))
            }
            None => oracle(&boxes, &options),
        };
        let found: Vec<Row> = found.iter().map(row).collect();
        assert_eq!(difference(&found, &expected), None, "{}", case.name);
    }
    cases.len()
}

fn golden() -> PathBuf {
    common::root().join("tests/golden")
}

#[test]
fn golden_cases_of_the_oracle_equal_sahi() {
    assert_eq!(check_cases(None, &golden()), 184);
}

#[test]
fn golden_cases_on_the_gpu_equal_sahi() {
    let Some(context) = common::context() else { return };
    assert_eq!(check_cases(Some(&context), &golden()), 184);
}

#[test]
fn conformance_cases_of_the_oracle_equal_sahi() {
    let Some(folder) = common::shared_path("conformance") else { return };
    assert_eq!(check_cases(None, &folder), 186);
}

#[test]
fn conformance_cases_on_the_gpu_equal_sahi() {
    let Some(context) = common::context() else { return };
    let Some(folder) = common::shared_path("conformance") else { return };
    assert_eq!(check_cases(Some(&context), &folder), 186);
}

#[test]
fn difference_sees_order_length_and_bits() {
    let a = [0.0, 0.0, 1.0, 1.0, 0.5, 0.0];
    let b = [0.0, 0.0, 1.0, 1.0, 0.5, 1.0];
    let negative = [-0.0, 0.0, 1.0, 1.0, 0.5, 0.0];
    assert_eq!(difference(&[a, b], &[a, b]), None);
    assert!(difference(&[a, b], &[b, a]).is_some());
    assert!(difference(&[a], &[a, b]).is_some());
    assert!(difference(&[a], &[negative]).is_some());
}
