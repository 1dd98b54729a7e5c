//! Parts of the work: `cargo bench --features onnx --bench stages`. Host time, waiting included.
//!
//! Upload, preprocessing and decoding are no public entry points; the bench `pipeline` prints their GPU time where
//! the device has timestamps. Here: the network alone, and ranking with merging.

mod common;

use common::{context, group, model};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tilehawk::geom::RectPx;
use tilehawk::{BoxMerger, Forward, MergeBox, MergeOptions, Precision};

fn network(criterion: &mut Criterion) {
    let Some(context) = context() else { return };
    let mut group = group(criterion, "network");
    for stem in ["yolox_nano_416", "nanodet_plus_m_416"] {
        let Some(model) = model(stem) else { continue };
        for tiles in [1, 4] {
            let forward = Forward::new(&context, &model, tiles, Precision::Auto);
            let Ok(forward) = forward.map_err(|error| println!("skipped: {stem}, {tiles} tiles: {error}"))
            else {
                continue;
            };
            group.bench_function(BenchmarkId::new(stem, tiles), |bencher| {
                bencher.iter(|| forward.run());
            });
        }
    }
    group.finish();
}

/// Random boxes (splitmix64), the same at each run: `side_px` says over how large a square.
fn boxes(count: usize, side_px: f32) -> Vec<MergeBox> {
    let mut state = 7u64;
    let mut unit = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..count)
        .map(|_| {
            let (x0, y0) = (unit() * side_px, unit() * side_px);
            let (width, height) = (8.0 + 40.0 * unit(), 8.0 + 40.0 * unit());
            let rect = RectPx::new(x0, y0, x0 + width, y0 + height);
            MergeBox { rect, score: unit(), class_id: (unit() * 8.0) as u32, ..MergeBox::default() }
        })
        .collect()
}

fn merge(criterion: &mut Criterion) {
    let Some(context) = context() else { return };
    let mut merger = BoxMerger::new(&context);
    let options = MergeOptions::default();
    let mut group = group(criterion, "sort and merge");
    for (name, side_px) in [("spread", 4000.0), ("crowded", 100.0)] {
        for count in [1_000, 20_000] {
            let boxes = boxes(count, side_px);
            match merger.merge(&boxes, &options) {
                Ok(merged) => println!(
                    "{name}, {count} boxes: {} kept in {} rounds, {} submissions",
                    merged.kept.len(),
                    merged.stats.rounds,
                    merged.stats.submissions
                ),
                Err(error) => {
                    println!("skipped: {name}, {count} boxes: {error}");
                    continue;
                }
            }
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| merger.merge(&boxes, &options));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, network, merge);
criterion_main!(benches);
