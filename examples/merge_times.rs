//! Times of merges of boxes from a file: `cargo run --release --example merge_times -- FILE ALGORITHM METRIC THRESHOLD [RUNS]`.
//! FILE is a safetensors file with `boxes`, rows of x0 y0 x1 y1 score class in f32. Prints JSON; times include
//! upload and read-back. With a sixth argument, the remaining boxes are written there, as rows of the same kind.

use safetensors::SafeTensors;
use std::error::Error;
use std::time::Instant;
use tilehawk::geom::RectPx;
use tilehawk::gpu::{Context, ContextOptions};
use tilehawk::{BoxMerger, MergeBox, MergeOptions};

fn boxes(file: &[u8]) -> Result<Vec<MergeBox>, Box<dyn Error>> {
    let file = SafeTensors::deserialize(file)?;
    let values: Vec<f32> =
        file.tensor("boxes")?.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    let convert = |&[x0, y0, x1, y1, score, class]: &[f32; 6]| MergeBox {
        rect: RectPx::new(x0, y0, x1, y1),
        score,
        class_id: class as u32,
        ..MergeBox::default()
    };
    Ok(values.as_chunks().0.iter().map(convert).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, algorithm, metric, threshold, rest @ ..] = arguments.as_slice() else {
        return Err("usage: merge_times FILE ALGORITHM METRIC THRESHOLD [RUNS [RESULT]]".into());
    };
    let runs: usize = rest.first().map_or(Ok(7), |text| text.parse())?;
    if runs == 0 {
        return Err("give at least 1 run".into());
    }
    let boxes = boxes(&std::fs::read(file)?)?;
    let mut options = MergeOptions::default();
    options.algorithm = serde_json::from_value(algorithm.as_str().into())?;
    options.metric = serde_json::from_value(metric.as_str().into())?;
    options.threshold = threshold.parse()?;

    let context = Context::new(&ContextOptions::default())?;
    let mut merger = BoxMerger::new(&context);
    let mut merged = merger.merge(&boxes, &options)?;
    let mut times_ms = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        merged = merger.merge(&boxes, &options)?;
        times_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times_ms.sort_by(f64::total_cmp);
    if let Some(path) = rest.get(1) {
        let row = |item: &MergeBox| {
            let RectPx { x0, y0, x1, y1 } = item.rect;
            [x0, y0, x1, y1, item.score, item.class_id as f32]
        };
        let bytes: Vec<u8> = merged.boxes.iter().flat_map(row).flat_map(f32::to_le_bytes).collect();
        std::fs::write(path, bytes)?;
    }
    let result = serde_json::json!({
        "device": context.info().name,
        "boxes": boxes.len(),
        "kept": merged.kept.len(),
        "median_ms": times_ms[runs / 2],
        "min_ms": times_ms[0],
        "max_ms": times_ms[runs - 1],
        "rounds": merged.stats.rounds,
        "submissions": merged.stats.submissions,
        "gpu_bytes": merged.stats.gpu_bytes,
    });
    println!("{result}");
    Ok(())
}
