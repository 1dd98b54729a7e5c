//! What a device can do at most, and the times of the layers of a network.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::context;
use tilehawk::geom::{GridOptions, TileSize};
use tilehawk::gpu::{Context, ContextOptions};
use tilehawk::model::{Cost, Model};
use tilehawk::wgpu::Features;
use tilehawk::{
    Ceilings, DetectOptions, Detections, Detector, DetectorOptions, ImageView, PixelFormat, Precision, Stats,
};

#[test]
fn ceilings_are_rates() {
    let Some(context) = context() else { return };
    let ceilings = Ceilings::measure(&context).unwrap();
    println!("{ceilings:?}");
    assert_eq!(ceilings.fma_f16_gflop_per_s.is_some(), context.has_f16());
    let rates =
        [Some(ceilings.copy_gb_per_s), Some(ceilings.fma_f32_gflop_per_s), ceilings.fma_f16_gflop_per_s];
    assert!(rates.iter().flatten().all(|rate| rate.is_finite() && *rate > 0.0), "{ceilings:?}");
}

/// Without timestamps and 16-bit floats the host's clock is used.
#[test]
fn ceilings_need_no_features() {
    if context().is_none() {
        return;
    }
    let options = ContextOptions { default_limits: true, ..ContextOptions::default() };
    let ceilings = Ceilings::measure(&Context::new(&options).unwrap()).unwrap();
    assert!(ceilings.fma_f16_gflop_per_s.is_none());
    let rates = [ceilings.copy_gb_per_s, ceilings.fma_f32_gflop_per_s];
    assert!(rates.iter().all(|rate| rate.is_finite() && *rate > 0.0), "{ceilings:?}");
}

#[test]
fn layers_are_the_nodes_that_run_in_order() {
    let Some(context) = context() else { return };
    let path = common::root().join("weights/thermal-nano.safetensors");
    let model = Model::load(&path).unwrap();
    let pixels: Vec<u8> = (0..200 * 150 * 3u32).map(|i| u8::try_from(i % 97 * 31 % 256).unwrap()).collect();
    let image = ImageView::new(200, 150, PixelFormat::Rgb8, &pixels).unwrap();
    let options = DetectOptions {
        grid: GridOptions { tile: TileSize::square(128), overlap: [0.1; 2], full_image: true },
        ..DetectOptions::recommended(model.info())
    };
    let detect = |context: &Context, profile_layers| -> (Detections, Cost) {
        // Chunks of 2, 2 and 1.
        let settings = DetectorOptions {
            precision: Precision::F32,
            batch: Some(2),
            profile_layers,
            ..Default::default()
        };
        let detector = Detector::new(context, &model, settings).unwrap();
        (detector.detect(&image, &options).unwrap(), detector.cost(5).unwrap())
    };
    let apart = context.with_fusion(false);
    let ((plain, _), (profiled, cost)) = (detect(&apart, false), detect(&apart, true));
    let (fused, cost_fused) = detect(&context.with_fusion(true), true);
    assert_eq!(plain.items, fused.items);
    check_layers(&context, &model, &cost_fused, &fused.stats);
    assert!(plain.stats.layers.is_empty() && plain.stats.upload_ms > 0.0);
    assert_eq!(plain.items, profiled.items);
    check_layers(&context, &model, &cost, &profiled.stats);
}

fn check_layers(context: &Context, model: &Model, cost: &Cost, found: &Stats) {
    if !context.features().contains(Features::TIMESTAMP_QUERY_INSIDE_PASSES) {
        assert!(found.layers.is_empty() && found.stages.is_empty());
        return;
    }
    let nodes = &model.info().graph.nodes;
    let runs = nodes.iter().zip(&cost.nodes).filter(|(_, cost)| cost.runs).map(|(node, _)| &node.name);
    let names = found.layers.iter().map(|time| &nodes[time.node as usize].name);
    assert_eq!(names.collect::<Vec<_>>(), runs.collect::<Vec<_>>());
    assert_eq!((found.tiles, found.chunks), (5, 3));
    assert!(found.layers.iter().all(|time| time.tiles == 5 && time.ms.is_finite()));
    let stage = |name| found.stages.iter().find(|time| time.stage == name).unwrap().ms;
    let layers: f64 = found.layers.iter().map(|time| time.ms).sum();
    assert!(layers > 0.0 && layers <= stage("network") * 1.001, "{layers} of {}", stage("network"));
    assert_eq!(found.stages.iter().map(|time| time.stage).collect::<Vec<_>>(), stages(context));
}

fn stages(context: &Context) -> Vec<&'static str> {
    let mut stages = vec!["begin", "preprocess", "network", "decode", "sort", "merge"];
    if context.features().contains(Features::TIMESTAMP_QUERY_INSIDE_ENCODERS) {
        stages.insert(0, "upload");
        stages.push("readback");
    }
    stages
}
