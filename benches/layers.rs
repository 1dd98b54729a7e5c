//! Layers of networks by kind: `cargo bench --features onnx --bench layers`. The GPU's own time of all layers of a kind for a tile,
//! where the device has timestamps; the ids are those of `tilehawk bench --layers`.

mod common;

use common::{context, group, model, own_model};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::collections::BTreeSet;
use std::time::Duration;
use tilehawk::geom::{GridOptions, TileSize};
use tilehawk::model::Model;
use tilehawk::{DetectOptions, Detector, DetectorOptions, ImageView, PixelFormat, Result};

/// Tiles of the picture: enough that dispatches weigh little.
const TILES: u32 = 4;

fn layers(criterion: &mut Criterion) {
    let Some(context) = context() else { return };
    let mut group = group(criterion, "layers");
    let models = [own_model("thermal-nano"), own_model("thermal-small"), model("nanodet_plus_m_416")];
    for model in models.into_iter().flatten() {
        let input = &model.info().input;
        let (width, height) = (input.width * TILES, input.height);
        let pixels: Vec<u8> =
            (0..width * height).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let settings = DetectorOptions { profile_layers: true, ..DetectorOptions::default() };
        let tile = TileSize::Fixed { width: input.width, height: input.height };
        let grid = GridOptions { tile, overlap: [0.0; 2], full_image: false };
        let options = DetectOptions { grid, confidence: 0.9, ..DetectOptions::default() };
        // None without timestamps.
        let time = |detector: &Detector, kind: &str| -> Result<Option<Duration>> {
            let image = ImageView::new(width, height, PixelFormat::Gray8, &pixels)?;
            let stats = detector.detect(&image, &options)?.stats;
            let cost = detector.cost(TILES)?;
            let alike = stats.layers.iter().filter(|layer| {
                kind.is_empty() || cost.kind(&model, layer.node as usize).as_deref() == Some(kind)
            });
            let ms: f64 = alike.map(|layer| layer.ms).sum();
            let ns = Duration::from_secs_f64(ms / 1e3 / f64::from(TILES)).max(Duration::from_nanos(1));
            Ok((!stats.layers.is_empty()).then_some(ns))
        };
        let ready = Detector::new(&context, &model, settings)
            .and_then(|detector| Ok((time(&detector, "")?, kinds(&detector, &model)?, detector)));
        let (kinds, detector) = match ready {
            Ok((Some(_), kinds, detector)) => (kinds, detector),
            Ok((None, ..)) => {
                println!("skipped: the device has no timestamps inside passes");
                return;
            }
            Err(error) => {
                println!("skipped: {}: {error}", model.info().name);
                continue;
            }
        };
        for kind in kinds {
            group.bench_function(BenchmarkId::new(&model.info().name, &kind), |bencher| {
                bencher.iter_custom(|runs| {
                    let times = (0..runs).map(|_| time(&detector, &kind).map(Option::unwrap_or_default));
                    times.sum::<Result<Duration>>().expect("it ran before")
                });
            });
        }
    }
    group.finish();
}

/// The kinds of layers that a detector runs.
fn kinds(detector: &Detector, model: &Model) -> Result<BTreeSet<String>> {
    let cost = detector.cost(TILES)?;
    let runs = cost.nodes.iter().enumerate().filter(|(_, node)| node.runs);
    Ok(runs.filter_map(|(index, _)| cost.kind(model, index)).collect())
}

criterion_group!(benches, layers);
criterion_main!(benches);
