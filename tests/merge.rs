//! Merging on the GPU against SAHI's results and the CPU oracle.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/boxes.rs"]
mod boxes;
mod common;

use boxes::{Random, Scene, scene};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use tilehawk::geom::{Metric, RectPx};
use tilehawk::gpu::{Context, ContextOptions};
use tilehawk::reference::merge::{Scored, nms, rank};
use tilehawk::{BoxMerger, MergeBox, MergeOptions, Merged, merge_boxes};

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    algorithm: String,
    metric: Metric,
    threshold: f32,
    class_agnostic: bool,
}

type Row = [f32; 6];

fn options(metric: Metric, threshold: f32, class_agnostic: bool) -> MergeOptions {
    let mut options = MergeOptions::default();
    options.metric = metric;
    options.threshold = threshold;
    options.class_agnostic = class_agnostic;
    options
}

fn rows(tensors: &SafeTensors<'_>, name: &str) -> Vec<Row> {
    let bytes = tensors.tensor(name).unwrap().data();
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    values.chunks_exact(6).map(|row| row.try_into().unwrap()).collect()
}

fn merge_box(row: &Row) -> MergeBox {
    let rect = RectPx::new(row[0], row[1], row[2], row[3]);
    MergeBox { rect, score: row[4], class_id: row[5] as u32, ..MergeBox::default() }
}

fn scored(boxes: &[MergeBox]) -> Vec<Scored> {
    let convert = |b: &MergeBox| Scored { rect: b.rect, score: b.score, class_id: b.class_id };
    boxes.iter().map(convert).collect()
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

fn load(folder: &Path, stem: &str) -> (Vec<Case>, Vec<u8>) {
    let text = std::fs::read_to_string(folder.join(format!("{stem}.json"))).unwrap();
    let cases: Cases = serde_json::from_str(&text).unwrap();
    let data = std::fs::read(folder.join(format!("{stem}.safetensors"))).unwrap();
    (cases.cases, data)
}

fn check_cases(context: &Context, folder: &Path, stem: &str) -> usize {
    let (cases, data) = load(folder, stem);
    let tensors = SafeTensors::deserialize(&data).unwrap();
    let mut merger = BoxMerger::new(context);
    let cases: Vec<Case> = cases.into_iter().filter(|case| case.algorithm == "nms").collect();
    for case in &cases {
        let input = rows(&tensors, &format!("{}.boxes", case.name));
        let expected = rows(&tensors, &format!("{}.expected", case.name));
        let boxes: Vec<MergeBox> = input.iter().map(merge_box).collect();
        let options = options(case.metric, case.threshold, case.class_agnostic);
        let pick = |kept: &[u32]| -> Vec<Row> { kept.iter().map(|&i| input[i as usize]).collect() };
        let oracle = nms(&scored(&boxes), case.metric, case.threshold, !case.class_agnostic);
        assert_eq!(difference(&pick(&oracle), &expected), None, "oracle, {}", case.name);
        let merged = merger.merge(&boxes, &options).unwrap();
        assert_eq!(difference(&pick(&merged.kept), &expected), None, "GPU, {}", case.name);
    }
    cases.len()
}

#[test]
fn golden_cases_equal_sahi() {
    let Some(context) = common::context() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    assert_eq!(check_cases(&context, &folder, "merge_nms"), 62);
}

fn shared_conformance() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance");
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!required, "{} is missing", folder.display());
    eprintln!("skipped: {} is missing", folder.display());
    None
}

#[test]
fn all_conformance_cases_equal_sahi() {
    let Some(context) = common::context() else { return };
    let Some(folder) = shared_conformance() else { return };
    check_cases(&context, &folder, "merge");
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

fn same(got: &[u32], expected: &[u32], what: &str) {
    let at = got.iter().zip(expected).position(|(a, b)| a != b);
    let counts = (got.len(), expected.len());
    assert!(got == expected, "{what}: kept and expected {counts:?}; first difference at {at:?}");
}

#[test]
#[should_panic(expected = "first difference at Some(1)")]
fn same_sees_another_order() {
    same(&[0, 1, 2], &[0, 2, 1], "order");
}

fn check(merger: &mut BoxMerger, boxes: &[MergeBox], options: &MergeOptions, what: &str) -> Merged {
    let oracle = nms(&scored(boxes), options.metric, options.threshold, !options.class_agnostic);
    let merged = merger.merge(boxes, options).unwrap();
    same(&merged.kept, &oracle, what);
    merged
}

#[test]
fn random_scenes_equal_the_oracle() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    let mut seed = 0;
    for count in [0, 1, 2, 3, 64, 255, 256, 257, 1023, 1024, 1025, 2500] {
        for (spread_px, largest_px) in [(200.0, 60.0), (3000.0, 400.0), (50.0, 1e6)] {
            for (scores, classes) in [(1, 3), (7, 2), (1 << 20, 40)] {
                seed += 1;
                let boxes = scene(seed, &Scene { count, spread_px, largest_px, scores, classes });
                let metric = if seed % 2 == 0 { Metric::Iou } else { Metric::Ios };
                let threshold = [0.3, 0.5, 0.05, 1.0, 0.0, 0.7][(seed % 6) as usize];
                let options = options(metric, threshold, (seed / 2).is_multiple_of(2));
                check(&mut merger, &boxes, &options, &format!("seed {seed}, {options:?}"));
            }
        }
    }
}

#[test]
fn counts_around_65536_equal_the_oracle() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    for count in [65_535, 65_536, 65_537] {
        let shape = Scene { count, spread_px: 2000.0, largest_px: 40.0, scores: 1 << 20, classes: 100 };
        let options = options(Metric::Iou, 0.3, false);
        check(&mut merger, &scene(u64::from(count), &shape), &options, &format!("{count} boxes"));
    }
}

#[test]
fn many_equal_scores_keep_the_full_order() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    for (scores, class_agnostic) in [(1, false), (1, true), (12, false), (40, true)] {
        let shape = Scene { count: 9000, spread_px: 1500.0, largest_px: 30.0, scores, classes: 5 };
        let mut boxes = scene(7, &shape);
        for item in boxes.iter_mut().step_by(3) {
            item.rect = RectPx::new(item.rect.x0.round(), item.rect.y0.round(), 2000.0, 2000.0);
        }
        let options = options(Metric::Iou, 0.9, class_agnostic);
        check(&mut merger, &boxes, &options, &format!("{scores} scores"));
    }
}

#[test]
fn seventy_thousand_classes() {
    let Some(context) = common::context() else { return };
    let rect = RectPx::new(1.0, 2.0, 30.0, 40.0);
    let boxes: Vec<MergeBox> = (0..70_000)
        .map(|i| MergeBox { rect, score: (i % 97) as f32 / 97.0, class_id: i, ..MergeBox::default() })
        .collect();
    let mut merger = BoxMerger::new(&context);
    for threshold in [0.5, 0.0] {
        let merged = check(&mut merger, &boxes, &options(Metric::Iou, threshold, false), "classes");
        assert_eq!(merged.kept.len(), boxes.len());
    }
}

#[test]
fn seventy_thousand_identical_boxes() {
    let Some(context) = common::context() else { return };
    let rect = RectPx::new(1.0, 2.0, 30.0, 40.0);
    let mut merger = BoxMerger::new(&context);
    for levels in [1, 1000] {
        let boxes: Vec<MergeBox> = (0..70_000)
            .map(|i| MergeBox {
                rect,
                score: (i % levels) as f32 / levels as f32,
                class_id: 0,
                ..MergeBox::default()
            })
            .collect();
        for threshold in [0.5, 0.0] {
            let merged = merger.merge(&boxes, &options(Metric::Ios, threshold, true)).unwrap();
            assert_eq!(merged.kept, [levels - 1]);
            assert_eq!(merged.stats.rounds, 2);
        }
    }
}

#[test]
fn a_chain_of_5000_is_decided_box_by_box() {
    let Some(context) = common::context() else { return };
    let boxes: Vec<MergeBox> = (0..5000)
        .map(|i| {
            let x0 = i as f32 * 4.0;
            MergeBox {
                rect: RectPx::new(x0, 0.0, x0 + 10.0, 10.0),
                score: 1.0 - i as f32 / 1e4,
                class_id: 0,
                ..MergeBox::default()
            }
        })
        .collect();
    let mut options = options(Metric::Iou, 0.4, true);
    options.rounds = 256;
    let merged = check(&mut BoxMerger::new(&context), &boxes, &options, "chain");
    assert_eq!((merged.kept.len(), merged.stats.rounds), (2500, 5000));
}

#[test]
fn a_tiny_round_budget_goes_on_to_the_same_result() {
    let Some(context) = common::context() else { return };
    let shape = Scene { count: 3000, spread_px: 400.0, largest_px: 90.0, scores: 1 << 20, classes: 2 };
    let boxes = scene(5, &shape);
    let mut options = options(Metric::Iou, 0.3, false);
    let whole = check(&mut BoxMerger::new(&context), &boxes, &options, "whole");
    options.rounds = 1;
    let parts = check(&mut BoxMerger::new(&context), &boxes, &options, "parts");
    assert!(parts.stats.submissions > 1);
    assert_eq!(parts.stats.rounds, whole.stats.rounds);
}

#[test]
fn twenty_runs_and_any_input_order_agree() {
    let Some(context) = common::context() else { return };
    let shape = Scene { count: 4000, spread_px: 600.0, largest_px: 120.0, scores: 50, classes: 3 };
    let boxes = scene(11, &shape);
    let options = options(Metric::Ios, 0.5, false);
    let mut merger = BoxMerger::new(&context);
    let first = merger.merge(&boxes, &options).unwrap();
    for _ in 0..19 {
        assert_eq!(merger.merge(&boxes, &options).unwrap(), first);
    }
    let mut shuffled: Vec<usize> = (0..boxes.len()).collect();
    let mut random = Random(3);
    for i in (1..shuffled.len()).rev() {
        shuffled.swap(i, random.below(i as u32 + 1) as usize);
    }
    let again: Vec<MergeBox> = shuffled.iter().map(|&i| boxes[i]).collect();
    let merged = merge_boxes(&context, &again, &options).unwrap();
    let back: Vec<u32> = merged.kept.iter().map(|&i| shuffled[i as usize] as u32).collect();
    assert_eq!(back, first.kept);
}

#[test]
fn crowded_buckets_of_many_levels_are_right() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    for metric in [Metric::Iou, Metric::Ios] {
        let shape = Scene { count: 8000, spread_px: 3.0, largest_px: 2000.0, scores: 1 << 20, classes: 1 };
        let mut boxes = scene(23, &shape);
        for item in boxes.iter_mut().take(5000) {
            item.rect.x1 = item.rect.x0 + 20.0;
            item.rect.y1 = item.rect.y0 + 20.0;
        }
        let options = options(metric, 0.95, true);
        let first = check(&mut merger, &boxes, &options, "crowded");
        assert_eq!(merger.merge(&boxes, &options).unwrap(), first);
    }
}

#[test]
#[ignore = "takes long on software drivers"]
fn two_million_disjoint_boxes_keep_their_order() {
    let Some(context) = common::context() else { return };
    let mut random = Random(29);
    let boxes: Vec<MergeBox> = (0..1 << 21)
        .map(|i| {
            let (x0, y0) = ((i % 2048) as f32 * 8.0, (i / 2048) as f32 * 8.0);
            MergeBox {
                rect: RectPx::new(x0, y0, x0 + 7.0, y0 + 6.0),
                score: random.unit(),
                class_id: 0,
                ..MergeBox::default()
            }
        })
        .collect();
    let merged = merge_boxes(&context, &boxes, &options(Metric::Iou, 0.5, true)).unwrap();
    same(&merged.kept, &rank(&scored(&boxes), false), "disjoint");
}

#[test]
fn default_limits_suffice() {
    if common::context().is_none() {
        return;
    }
    let limited = ContextOptions { default_limits: true, ..ContextOptions::default() };
    let context = Context::new(&limited).unwrap();
    let shape = Scene { count: 3000, spread_px: 300.0, largest_px: 90.0, scores: 9, classes: 3 };
    check(&mut BoxMerger::new(&context), &scene(2, &shape), &MergeOptions::default(), "default limits");
}

#[test]
fn far_and_huge_boxes_are_right() {
    let Some(context) = common::context() else { return };
    let mut boxes = Vec::new();
    let mut random = Random(17);
    for exponent in [-30, -9, -8, 0, 10, 21, 22, 23, 24, 30, 40, 50] {
        let unit = 2.0_f32.powi(exponent);
        for _ in 0..40 {
            let (x0, y0) = ((random.unit() - 0.5) * 6.0 * unit, (random.unit() - 0.5) * 6.0 * unit);
            let rect = RectPx::new(x0, y0, x0 + unit * (0.5 + random.unit()), y0 + unit);
            boxes.push(MergeBox {
                rect,
                score: random.unit(),
                class_id: random.below(2),
                ..MergeBox::default()
            });
            let far = 1e15 * (random.unit() - 0.5);
            let rect = RectPx::new(far, far, far + unit, far + unit);
            boxes.push(MergeBox {
                rect,
                score: random.unit(),
                class_id: random.below(2),
                ..MergeBox::default()
            });
        }
    }
    let mut merger = BoxMerger::new(&context);
    for metric in [Metric::Iou, Metric::Ios] {
        for threshold in [0.2, 0.6] {
            check(&mut merger, &boxes, &options(metric, threshold, false), "far");
            check(&mut merger, &boxes, &options(metric, threshold, true), "far, agnostic");
        }
    }
}

#[test]
fn unusable_input_names_the_row() {
    let Some(context) = common::context() else { return };
    let good =
        MergeBox { rect: RectPx::new(0.0, 0.0, 1.0, 1.0), score: 0.5, class_id: 0, ..MergeBox::default() };
    let rect = |x1| RectPx::new(0.0, 0.0, x1, 1.0);
    let bad = [
        MergeBox { score: f32::NAN, ..good },
        MergeBox { score: f32::INFINITY, ..good },
        MergeBox { rect: rect(f32::NAN), ..good },
        MergeBox { rect: rect(f32::NEG_INFINITY), ..good },
        MergeBox { rect: rect(-1.0), ..good },
        MergeBox { rect: rect(1e30), ..good },
    ];
    for item in bad {
        let error = merge_boxes(&context, &[good, item], &MergeOptions::default()).unwrap_err();
        assert_eq!(error.kind(), tilehawk::ErrorKind::Input);
        assert!(error.to_string().starts_with("box 1: "), "{error}");
    }
    for threshold in [-0.1, 1.1, f32::NAN, 1e-40] {
        let error = merge_boxes(&context, &[good], &options(Metric::Iou, threshold, false)).unwrap_err();
        assert_eq!(error.kind(), tilehawk::ErrorKind::Input);
    }
}

/// `cargo test --release --test merge -- --ignored --nocapture times`
#[test]
#[ignore = "prints times"]
fn times() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    let mut median = |what: &str, boxes: &[MergeBox], options: &MergeOptions| {
        let mut times = Vec::new();
        let mut merged = Merged::default();
        for _ in 0..7 {
            let start = std::time::Instant::now();
            merged = merger.merge(boxes, options).unwrap();
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("{what}: {:.1} ms, {} kept, {:?}", times[3], merged.kept.len(), merged.stats);
    };
    if let Some(folder) = shared_conformance() {
        let (_, data) = load(&folder, "merge");
        let tensors = SafeTensors::deserialize(&data).unwrap();
        let boxes: Vec<MergeBox> =
            rows(&tensors, "crowd.n20000.nms.ios.boxes").iter().map(merge_box).collect();
        median("crowd of 20,000", &boxes, &options(Metric::Ios, 0.3, false));
    }
    let shape = Scene { count: 100_000, spread_px: 8000.0, largest_px: 60.0, scores: 1 << 20, classes: 10 };
    median("100,000 spread", &scene(1, &shape), &options(Metric::Iou, 0.5, false));
    let small = Scene { count: 100, ..shape };
    median("100 of a large capacity", &scene(1, &small), &options(Metric::Iou, 0.5, false));
}
