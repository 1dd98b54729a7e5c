//! What the benches share: a device, models and pictures, or a printed line where there is none.

#![allow(dead_code, reason = "each bench uses a part")]

use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};
use std::path::PathBuf;
use std::time::Duration;
use tilehawk::gpu::{Context, ContextOptions};
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::Model;

/// A device.
pub(crate) fn context() -> Option<Context> {
    match Context::new(&ContextOptions::default()) {
        Ok(context) => {
            println!("adapter: {} ({})", context.info().name, context.info().backend);
            Some(context)
        }
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

fn shared(file: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(file);
    std::fs::read(&path).map_err(|error| println!("skipped: {}: {error}", path.display())).ok()
}

/// A model of the shared test material by its file stem.
pub(crate) fn model(stem: &str) -> Option<Model> {
    let bytes = shared(&format!("models/{stem}.onnx"))?;
    import(&bytes, &ImportOptions::default()).map_err(|error| println!("skipped: {stem}: {error}")).ok()
}

/// A model of `weights/` by its name.
pub(crate) fn own_model(name: &str) -> Option<Model> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("weights/{name}.safetensors"));
    Model::load(&path).map_err(|error| println!("skipped: {error}")).ok()
}

/// A picture: width, height, RGB pixels.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

/// A picture of the shared test material.
pub(crate) fn picture(file: &str) -> Option<Picture> {
    let image = image::load_from_memory(&shared(&format!("images/{file}"))?)
        .map_err(|error| println!("skipped: {file}: {error}"))
        .ok()?
        .into_rgb8();
    Some(Picture { width: image.width(), height: image.height(), pixels: image.into_raw() })
}

/// A group with few samples: a software driver takes seconds for each.
pub(crate) fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(2));
    group
}
