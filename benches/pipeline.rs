//! A whole picture, from host pixels to boxes: `cargo bench --features onnx --bench pipeline`. Host time, waiting
//! included; the GPU time of each stage is printed where the device has timestamps. The picture is also resized to
//! the network's input on its own (one tile), where upload and dispatches weigh most.

mod common;

use common::{context, group, model, picture};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tilehawk::geom::{GridOptions, TileSize};
use tilehawk::{DetectOptions, Detector, DetectorOptions, ImageView, PixelFormat, Result};

fn pipeline(criterion: &mut Criterion) {
    let (Some(context), Some(picture)) = (context(), picture("small-vehicles1.jpeg")) else { return };
    let mut group = group(criterion, "pipeline");
    for stem in ["yolox_nano_416", "nanodet_plus_m_416"] {
        let Some(model) = model(stem) else { continue };
        let run = |tile: u32| -> Result<_> {
            let detector = Detector::new(&context, &model, DetectorOptions::default())?;
            let grid = GridOptions { tile: TileSize::square(tile), ..GridOptions::default() };
            let options = DetectOptions { grid, ..DetectOptions::default() };
            let image = ImageView::new(picture.width, picture.height, PixelFormat::Rgb8, &picture.pixels)?;
            let stats = detector.detect(&image, &options)?.stats;
            Ok((detector, options, image, stats))
        };
        for tile in [2048, 640, 320] {
            let (detector, options, image, stats) = match run(tile) {
                Ok(ready) => ready,
                Err(error) => {
                    println!("skipped: {stem}, tiles of {tile}: {error}");
                    continue;
                }
            };
            let stages: Vec<String> =
                stats.stages.iter().map(|time| format!("{} {:.2} ms", time.stage, time.ms)).collect();
            println!(
                "{stem}, tiles of {tile}: {} tiles, {} candidates, {} MiB of GPU memory; GPU time: {}",
                stats.tiles,
                stats.candidates,
                stats.gpu_bytes >> 20,
                if stages.is_empty() { "no timestamps".to_owned() } else { stages.join(", ") }
            );
            group.bench_function(BenchmarkId::new(stem, tile), |bencher| {
                bencher.iter(|| detector.detect(&image, &options));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
