//! Merging on the GPU against the CPU oracle: random scenes, counts at the edges of blocks, repeats.

#![allow(clippy::unwrap_used, clippy::panic, clippy::unimplemented, reason = "tests")]

#[path = "common/boxes.rs"]
mod boxes;
mod common;
#[path = "common/merging.rs"]
mod merging;

use boxes::{Random, Scene, scene};
use merging::{ALGORITHMS, check, options, outcomes, same};
use tilehawk::geom::{Edges, Metric, RectPx};
use tilehawk::gpu::{Context, ContextOptions};
use tilehawk::{Algorithm, BoxMerger, MergeBox, MergeOptions, merge_boxes};

const THRESHOLDS: [f32; 6] = [0.0, 0.05, 0.3, 0.5, 0.7, 1.0];

/// A third of the boxes are cut by a tile edge, so that `KeepBest` has something to do.
fn with_edges(mut boxes: Vec<MergeBox>) -> Vec<MergeBox> {
    for (i, item) in boxes.iter_mut().enumerate() {
        item.edges = if i % 3 == 0 { Edges::from_bits((i % 16) as u8).unwrap() } else { Edges::NONE };
    }
    boxes
}

#[test]
fn random_scenes_equal_the_oracle() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    let mut seed = 0;
    for algorithm in ALGORITHMS {
        for threshold in THRESHOLDS {
            for (metric, agnostic) in
                [(Metric::Iou, false), (Metric::Iou, true), (Metric::Ios, false), (Metric::Ios, true)]
            {
                seed += 1;
                let count = [300, 64, 700, 20][(seed % 4) as usize];
                let (spread_px, largest_px) = [(200.0, 60.0), (50.0, 1e6), (40.0, 20.0)][(seed % 3) as usize];
                let scores = [1, 7, 1 << 20][(seed / 3 % 3) as usize];
                let shape = Scene { count, spread_px, largest_px, scores, classes: 3 };
                let options = options(algorithm, metric, threshold, agnostic);
                check(&mut merger, &with_edges(scene(seed, &shape)), &options, &format!("seed {seed}"));
            }
        }
    }
}

#[test]
fn counts_at_the_edges_of_blocks_equal_the_oracle() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    for algorithm in ALGORITHMS {
        for count in [0, 1, 2, 3, 255, 256, 257, 1023, 1024, 1025, 2500] {
            let shape = Scene { count, spread_px: 900.0, largest_px: 90.0, scores: 1 << 20, classes: 4 };
            let boxes = with_edges(scene(u64::from(count), &shape));
            let options = options(algorithm, Metric::Iou, 0.3, count % 2 == 0);
            check(&mut merger, &boxes, &options, &format!("{count} boxes"));
        }
    }
}

#[test]
fn counts_around_65536_equal_the_oracle() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    for (at, algorithm) in ALGORITHMS.into_iter().enumerate() {
        // All three counts run for suppression, each other algorithm takes one of them.
        let counts = [65_537, 65_535, 65_536];
        let counts = if at == 0 { &counts[..] } else { &counts[at % 3..=at % 3] };
        for &count in counts {
            let shape = Scene { count, spread_px: 2000.0, largest_px: 40.0, scores: 1 << 20, classes: 100 };
            let boxes = with_edges(scene(u64::from(count), &shape));
            check(&mut merger, &boxes, &options(algorithm, Metric::Iou, 0.3, false), "65,536");
        }
    }
}

#[test]
fn equal_scores_keep_the_full_order() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    for algorithm in ALGORITHMS {
        for (scores, class_agnostic) in [(2, false), (2, true), (12, false), (40, true)] {
            let shape = Scene { count: 3000, spread_px: 900.0, largest_px: 30.0, scores, classes: 5 };
            let mut boxes = scene(7, &shape);
            for item in boxes.iter_mut().step_by(3) {
                item.rect = RectPx::new(item.rect.x0.round(), item.rect.y0.round(), 2000.0, 2000.0);
            }
            if scores == 2 {
                boxes.iter_mut().for_each(|item| item.score = 0.5);
            }
            let options = options(algorithm, Metric::Iou, 0.9, class_agnostic);
            check(&mut merger, &boxes, &options, &format!("{scores} scores"));
        }
    }
}

#[test]
fn a_limit_cuts_the_result() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    let shape = Scene { count: 1500, spread_px: 300.0, largest_px: 60.0, scores: 50, classes: 4 };
    let boxes = with_edges(scene(31, &shape));
    for algorithm in ALGORITHMS {
        for most in [1, 7, 100_000] {
            let mut options = options(algorithm, Metric::Ios, 0.4, false);
            options.max_boxes = Some(most);
            check(&mut merger, &boxes, &options, "limit");
        }
    }
}

#[test]
fn sigma_and_floor_shape_soft_suppression() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    let shape = Scene { count: 800, spread_px: 200.0, largest_px: 60.0, scores: 1 << 20, classes: 2 };
    let boxes = scene(37, &shape);
    for (sigma, floor) in [(0.01, 0.0), (0.5, -0.0), (0.5, 0.001), (0.5, 0.6), (10.0, 0.0), (0.1, 1.0)] {
        let mut options = options(Algorithm::SoftNms, Metric::Iou, 0.5, false);
        (options.sigma, options.score_floor) = (sigma, floor);
        check(&mut merger, &boxes, &options, "soft");
    }
}

#[test]
fn a_tiny_round_budget_goes_on_to_the_same_result() {
    let Some(context) = common::context() else { return };
    let shape = Scene { count: 1000, spread_px: 250.0, largest_px: 90.0, scores: 1 << 20, classes: 2 };
    let boxes = with_edges(scene(5, &shape));
    for algorithm in ALGORITHMS {
        let mut options = options(algorithm, Metric::Iou, 0.3, false);
        let whole = check(&mut BoxMerger::new(&context), &boxes, &options, "whole");
        options.rounds = 1;
        let parts = check(&mut BoxMerger::new(&context), &boxes, &options, "parts");
        // Transitive merging has no rounds.
        assert_eq!(parts.stats.submissions > 1, algorithm != Algorithm::Nmm, "{algorithm:?}");
        assert_eq!((parts.kept, parts.boxes), (whole.kept, whole.boxes), "{algorithm:?}");
    }
}

#[test]
fn twenty_runs_and_any_input_order_agree() {
    let Some(context) = common::context() else { return };
    let shape = Scene { count: 1500, spread_px: 400.0, largest_px: 120.0, scores: 50, classes: 3 };
    let boxes = with_edges(scene(11, &shape));
    let mut shuffled: Vec<usize> = (0..boxes.len()).collect();
    let mut random = Random(3);
    for i in (1..shuffled.len()).rev() {
        shuffled.swap(i, random.below(i as u32 + 1) as usize);
    }
    let again: Vec<MergeBox> = shuffled.iter().map(|&i| boxes[i]).collect();
    for algorithm in ALGORITHMS {
        let options = options(algorithm, Metric::Ios, 0.5, false);
        let mut merger = BoxMerger::new(&context);
        let first = check(&mut merger, &boxes, &options, "first");
        for _ in 0..19 {
            assert_eq!(merger.merge(&boxes, &options).unwrap(), first);
        }
        let merged = check(&mut merger, &again, &options, "shuffled");
        // A claimer of `Nmm` takes in the order of the input, and growth depends on that order.
        if algorithm != Algorithm::Nmm {
            let mut back = outcomes(&merged);
            back.iter_mut().for_each(|outcome| outcome.kept = shuffled[outcome.kept as usize] as u32);
            same(&back, &outcomes(&first), "shuffled");
        }
    }
}

#[test]
fn default_limits_suffice_and_shader_checks_change_nothing() {
    let Some(context) = common::context() else { return };
    let limited = ContextOptions { default_limits: true, ..ContextOptions::default() };
    let contexts =
        [("default limits", Context::new(&limited).unwrap()), ("unchecked", context.without_shader_checks())];
    let shape = Scene { count: 2000, spread_px: 300.0, largest_px: 90.0, scores: 9, classes: 3 };
    for algorithm in ALGORITHMS {
        let options = options(algorithm, Metric::Iou, 0.5, false);
        for (name, context) in &contexts {
            check(&mut BoxMerger::new(context), &scene(2, &shape), &options, name);
        }
    }
}

#[test]
fn unusable_input_names_the_row() {
    let Some(context) = common::context() else { return };
    let good = MergeBox { rect: RectPx::new(0.0, 0.0, 1.0, 1.0), score: 0.5, ..MergeBox::default() };
    let rect = |x1| RectPx::new(0.0, 0.0, x1, 1.0);
    let refused = |item: MergeBox, options: &MergeOptions| {
        let error = merge_boxes(&context, &[good, item], options).unwrap_err();
        assert_eq!(error.kind(), tilehawk::ErrorKind::Input, "{error}");
        assert!(error.to_string().starts_with("box 1: "), "{error}");
    };
    for algorithm in ALGORITHMS {
        let options = options(algorithm, Metric::Iou, 0.5, false);
        for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            refused(MergeBox { score, ..good }, &options);
        }
        for x1 in [f32::NAN, f32::NEG_INFINITY, -1.0, 1e30] {
            refused(MergeBox { rect: rect(x1), ..good }, &options);
        }
        for score in [-0.1, 1.5] {
            let item = MergeBox { score, ..good };
            if matches!(algorithm, Algorithm::SoftNms | Algorithm::Wbf) {
                refused(item, &options);
            } else {
                check(&mut BoxMerger::new(&context), &[good, item], &options, "score");
            }
        }
    }
    for threshold in [-0.1, 1.1, f32::NAN, 1e-40] {
        let options = options(Algorithm::Nms, Metric::Iou, threshold, false);
        let error = merge_boxes(&context, &[good], &options).unwrap_err();
        assert_eq!(error.kind(), tilehawk::ErrorKind::Input);
    }
}
