//! Merging on the GPU against the CPU oracle: scenes that are hard for an index or for many rounds.

#![allow(clippy::unwrap_used, clippy::panic, clippy::unimplemented, reason = "tests")]

#[path = "common/boxes.rs"]
mod boxes;
mod common;
#[path = "common/merging.rs"]
mod merging;

use boxes::{Random, Scene, scene};
use merging::{ALGORITHMS, chain, check, options, oracle, outcomes, same, scored};
use std::time::Instant;
use tilehawk::geom::{Metric, RectPx};
use tilehawk::reference::merge::rank;
use tilehawk::{Algorithm, BoxMerger, MergeBox, merge_boxes};

const GROUPING: [Algorithm; 3] = [Algorithm::Nms, Algorithm::GreedyNmm, Algorithm::Nmm];

#[test]
fn seventy_thousand_classes() {
    let Some(context) = common::context() else { return };
    let rect = RectPx::new(1.0, 2.0, 30.0, 40.0);
    let boxes: Vec<MergeBox> = (0..70_000)
        .map(|i| MergeBox { rect, score: (i % 97 + 1) as f32 / 98.0, class_id: i, ..MergeBox::default() })
        .collect();
    let mut merger = BoxMerger::new(&context);
    for algorithm in ALGORITHMS {
        let merged = check(&mut merger, &boxes, &options(algorithm, Metric::Iou, 0.5, false), "classes");
        assert_eq!(merged.kept.len(), boxes.len());
    }
    check(&mut merger, &boxes, &options(Algorithm::Nms, Metric::Iou, 0.0, false), "classes");
}

#[test]
fn one_keeper_with_seventy_thousand_equal_members() {
    let Some(context) = common::context() else { return };
    let rect = RectPx::new(1.0, 2.0, 30.0, 40.0);
    let mut merger = BoxMerger::new(&context);
    for levels in [1, 1000] {
        let level = |i: u32| (i % levels) as f32 / levels as f32;
        let boxes: Vec<MergeBox> =
            (0..70_000).map(|i| MergeBox { rect, score: level(i), ..MergeBox::default() }).collect();
        for algorithm in [Algorithm::Nms, Algorithm::GreedyNmm, Algorithm::Nmm, Algorithm::Wbf] {
            for threshold in [0.5, 0.0] {
                let options = options(algorithm, Metric::Ios, threshold, true);
                let merged = check(&mut merger, &boxes, &options, "identical");
                assert_eq!(merged.kept, [levels - 1]);
                if algorithm == Algorithm::Nms {
                    assert_eq!(merged.stats.rounds, 2);
                }
            }
        }
    }
}

/// One large box that all others lie in, each of them a little out of it.
#[test]
fn one_keeper_that_twenty_thousand_members_grow() {
    let Some(context) = common::context() else { return };
    let mut random = Random(41);
    let mut boxes =
        vec![MergeBox { rect: RectPx::new(0.0, 0.0, 1e4, 1e4), score: 1.0, ..MergeBox::default() }];
    for _ in 0..20_000 {
        let (x0, y0) = (random.unit() * 1e4 - 1.0, random.unit() * 1e4 - 1.0);
        let rect = RectPx::new(x0, y0, x0 + 4.0, y0 + 4.0);
        boxes.push(MergeBox { rect, score: random.unit() * 0.9, ..MergeBox::default() });
    }
    let mut merger = BoxMerger::new(&context);
    for algorithm in [Algorithm::GreedyNmm, Algorithm::Nmm, Algorithm::Wbf] {
        check(&mut merger, &boxes, &options(algorithm, Metric::Ios, 0.5, true), "members");
    }
}

#[test]
fn a_chain_of_5000_is_decided_box_by_box() {
    let Some(context) = common::context() else { return };
    let boxes = chain(5000);
    for algorithm in ALGORITHMS {
        let mut options = options(algorithm, Metric::Iou, 0.4, true);
        options.rounds = 256;
        let merged = check(&mut BoxMerger::new(&context), &boxes, &options, "chain");
        if algorithm == Algorithm::Nms {
            assert_eq!((merged.kept.len(), merged.stats.rounds), (2500, 5000));
        }
    }
}

#[test]
fn a_chain_of_100000() {
    let Some(context) = common::context() else { return };
    let boxes = chain(100_000);
    for algorithm in GROUPING {
        let mut options = options(algorithm, Metric::Iou, 0.4, true);
        options.rounds = 4096;
        check(&mut BoxMerger::new(&context), &boxes, &options, "chain");
    }
}

#[test]
fn crowded_buckets_of_many_levels_are_right() {
    let Some(context) = common::context() else { return };
    let mut merger = BoxMerger::new(&context);
    for (algorithm, count) in ALGORITHMS.into_iter().zip([8000, 3000, 3000, 1000, 3000, 3000]) {
        let shape = Scene { count, spread_px: 3.0, largest_px: 2000.0, scores: 1 << 20, classes: 1 };
        let mut boxes = scene(23, &shape);
        for item in boxes.iter_mut().take(count as usize / 2) {
            item.rect.x1 = item.rect.x0 + 20.0;
            item.rect.y1 = item.rect.y0 + 20.0;
        }
        for metric in [Metric::Iou, Metric::Ios] {
            let options = options(algorithm, metric, 0.95, true);
            let first = check(&mut merger, &boxes, &options, "crowded");
            assert_eq!(merger.merge(&boxes, &options).unwrap(), first);
        }
    }
}

#[test]
fn negative_zero_and_boxes_without_area_are_right() {
    let Some(context) = common::context() else { return };
    let mut random = Random(43);
    let mut coordinate = || [-0.0, 0.0, -1.0, 1.0, 2.0][random.below(5) as usize];
    let boxes: Vec<MergeBox> = (0..400)
        .map(|i| {
            let [a, b, c, d] = std::array::from_fn(|_| coordinate());
            let rect =
                RectPx::new(if a <= b { a } else { b }, if c <= d { c } else { d }, a.max(b), c.max(d));
            MergeBox { rect, score: [0.0, -0.0, 0.5][i % 3], class_id: i as u32 % 2, ..MergeBox::default() }
        })
        .collect();
    let mut merger = BoxMerger::new(&context);
    for algorithm in ALGORITHMS {
        for threshold in [0.0, 0.3, 1.0] {
            for agnostic in [false, true] {
                check(&mut merger, &boxes, &options(algorithm, Metric::Ios, threshold, agnostic), "zeros");
            }
        }
    }
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
            let near = RectPx::new(x0, y0, x0 + unit * (0.5 + random.unit()), y0 + unit);
            let far = 1e15 * (random.unit() - 0.5);
            for rect in [near, RectPx::new(far, far, far + unit, far + unit)] {
                let (score, class_id) = (random.unit(), random.below(2));
                boxes.push(MergeBox { rect, score, class_id, ..MergeBox::default() });
            }
        }
    }
    let mut merger = BoxMerger::new(&context);
    for algorithm in ALGORITHMS {
        for (metric, threshold) in
            [(Metric::Iou, 0.2), (Metric::Iou, 0.6), (Metric::Ios, 0.2), (Metric::Ios, 0.6)]
        {
            for agnostic in [false, true] {
                check(&mut merger, &boxes, &options(algorithm, metric, threshold, agnostic), "far");
            }
        }
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
            let rect = RectPx::new(x0, y0, x0 + 7.0, y0 + 6.0);
            MergeBox { rect, score: random.unit(), ..MergeBox::default() }
        })
        .collect();
    let options = options(Algorithm::Nms, Metric::Iou, 0.5, true);
    let merged = merge_boxes(&context, &boxes, &options).unwrap();
    assert!(merged.kept == rank(&scored(&boxes), false));
}

/// `cargo test --release --test merge_shapes -- --ignored --nocapture a_million`
#[test]
#[ignore = "takes long on software drivers"]
fn a_million_boxes() {
    let Some(context) = common::context() else { return };
    for algorithm in GROUPING {
        let mut merger = BoxMerger::new(&context);
        let scenes = [
            ("spread", 100_000, 8000.0, options(algorithm, Metric::Iou, 0.5, false)),
            ("spread", 1_000_000, 25_000.0, options(algorithm, Metric::Iou, 0.5, false)),
            ("crowded", 1_000_000, 10_000.0, options(algorithm, Metric::Ios, 0.3, true)),
        ];
        for (name, count, spread_px, options) in scenes {
            let shape = Scene { count, spread_px, largest_px: 60.0, scores: 1 << 20, classes: 10 };
            let boxes = scene(1, &shape);
            let start = Instant::now();
            let merged = merger.merge(&boxes, &options).unwrap();
            let time_ms = start.elapsed().as_secs_f64() * 1e3;
            let kept = merged.kept.len();
            println!("{algorithm:?}, {count} {name}: {time_ms:.0} ms, {kept} kept, {:?}", merged.stats);
            same(&outcomes(&merged), &oracle(&boxes, &options), name);
        }
    }
}
