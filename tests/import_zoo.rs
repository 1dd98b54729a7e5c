//! The ONNX importer against ONNX Runtime on the files of a folder, made by `tests/models/export.py`:
//! `TILEHAWK_MODELS=DIR cargo test --release --test import_zoo -- --nocapture`. Without the variable it is skipped.

#![cfg(feature = "onnx")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tilehawk::gpu::Context;
use tilehawk::import::onnx::{ImportOptions, import_file};
use tilehawk::model::Model;
use tilehawk::reference::network;
use tilehawk::{Forward, Precision};

fn floats(file: &SafeTensors<'_>, name: &str) -> (Vec<usize>, Vec<f32>) {
    let view = file.tensor(name).unwrap();
    let values = match view.dtype() {
        Dtype::U8 => view.data().iter().map(|&v| f32::from(v)).collect(),
        Dtype::F32 => view.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Dtype::F16 => {
            view.data().as_chunks().0.iter().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect()
        }
        other => panic!("{other:?}"),
    };
    (view.shape().to_vec(), values)
}

/// The first picture of a batch as `[3, height, width]`.
fn picture(shape: &[usize], values: &[f32]) -> Vec<f32> {
    match *shape {
        [_, height, width, 3] if shape[1] != 3 => {
            let pixels = height * width;
            (0..3).flat_map(|c| (0..pixels).map(move |p| values[p * 3 + c])).collect()
        }
        [_, c, height, width] => values[..c * height * width].to_vec(),
        _ => Vec::new(),
    }
}

/// The worst `|a - b| / max(1, |b|)` over the outputs that are not cut off, or why it cannot be told.
fn compare(path: &Path) -> Result<String, String> {
    let reference = std::fs::read(path.with_extension("ref.safetensors")).map_err(|e| e.to_string())?;
    let reference = SafeTensors::deserialize(&reference).unwrap();
    let input = reference
        .names()
        .into_iter()
        .find(|n| n.starts_with("input.") && reference.tensor(n).unwrap().shape().len() == 4);
    let input = input.ok_or("no picture")?.to_owned();
    if reference.names().iter().filter(|name| name.starts_with("input.")).count() > 1 {
        return Ok("not compared: its boxes are of another scale".to_owned());
    }
    let (shape, values) = floats(&reference, &input);
    if shape.len() != 4 {
        return Err(format!("input of shape {shape:?}"));
    }
    let sides = if shape[1] == 3 { [shape[2], shape[3]] } else { [shape[1], shape[2]] };
    let sides = sides.map(|side| u32::try_from(side).unwrap());
    let mut options = ImportOptions { size: Some(sides), ..ImportOptions::default() };
    options.name = None;
    let model = import_file(path, &options).map_err(|e| e.to_string())?;
    let maps = network::run(&model, &picture(&shape, &values)).map_err(|e| e.to_string())?;
    let moved: Vec<f32> = picture(&shape, &values).iter().map(|v| v * (1.0 + 1e-6)).collect();
    let (mut worst, mut compared) = (0.0_f32, 0);
    for output in &model.info().graph.outputs {
        let name = format!("output.{}", output.name);
        if !reference.names().contains(&name.as_str()) {
            continue;
        }
        compared += 1;
        let (shape, mut expected) = floats(&reference, &name);
        let found = network::output(&model, &maps, output).map_err(|e| e.to_string())?;
        expected.truncate(found.len());
        if found.len() != expected.len() || shape[1..] != output.shape[1..] {
            return Err(format!("{name}: shape {:?} is not {shape:?}", output.shape));
        }
        // Half precision references are rounded along the way.
        let errors = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
        worst = errors.fold(worst, |a, b| if b.is_nan() { f32::NAN } else { a.max(b) });
    }
    let mut on_device = String::new();
    if let Some(context) = std::env::var_os("TILEHAWK_ZOO_DEVICE").and_then(|_| common::context()) {
        on_device = device(&context, &model, &picture(&shape, &values), &maps)?;
    }
    let head = model.info().head.as_ref().map_or("none", |head| head.kind());
    let line = format!(
        "{:.2} GFLOP, {} nodes, {compared}/{} outputs, worst {worst:.1e}, head {head}",
        flops(&model),
        model.info().graph.nodes.len(),
        model.info().graph.outputs.len()
    );
    let name = path.to_string_lossy();
    let half = name.contains("half") || name.contains("f16");
    let mut most = if half { 3e-2 } else { 1e-3 };
    if worst > most {
        // Random weights may amplify rounding, which happens at each layer: four times what a change of the input by
        // 1e-6 does is beyond telling. Files in half precision round by 5e-4.
        let other = network::run(&model, &moved).map_err(|e| e.to_string())?;
        for output in &model.info().graph.outputs {
            let [a, b] = [&maps, &other].map(|maps| network::output(&model, maps, output).unwrap());
            let errors = a.iter().zip(&b).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
            most = errors.map(|e| e * if half { 500.0 } else { 4.0 }).fold(most, f32::max);
        }
    }
    let outputs: Vec<_> =
        model.info().graph.outputs.iter().map(|o| format!("{} {:?}", o.name, o.shape)).collect();
    let line = if head == "none" { format!("{line} of {outputs:?}") } else { line };
    let line = format!("{line}, allowed {most:.0e}{on_device}");
    if worst <= most { Ok(line) } else { Err(line) }
}

#[expect(clippy::cast_precision_loss, reason = "for a table")]
fn flops(model: &Model) -> f64 {
    model.cost().map_or(0.0, |cost| cost.flop as f64 / 1e9)
}

/// The worst difference between the device and the oracle, for the first of two tiles, or why it does not run.
fn device(
    context: &Context,
    model: &Model,
    input: &[f32],
    maps: &HashMap<String, Vec<f32>>,
) -> Result<String, String> {
    let forward = Forward::new(context, model, 2, Precision::F32).map_err(|e| e.to_string())?;
    let mut batch = input.to_vec();
    batch.resize(2 * input.len(), 0.0);
    forward.upload(&batch).map_err(|e| e.to_string())?;
    forward.run().map_err(|e| e.to_string())?;
    let start = std::time::Instant::now();
    forward.run().map_err(|e| e.to_string())?;
    let tile_ms = start.elapsed().as_secs_f64() * 1e3 / 2.0;
    let outputs = forward.outputs(0).map_err(|e| e.to_string())?;
    let mut worst = 0.0_f32;
    for (output, found) in model.info().graph.outputs.iter().zip(&outputs) {
        let expected = network::output(model, maps, output).map_err(|e| e.to_string())?;
        let errors = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
        worst = errors.fold(worst, |a, b| if b.is_nan() { f32::INFINITY } else { a.max(b) });
    }
    Ok(format!(", device {worst:.1e}, {tile_ms:.0} ms"))
}

#[test]
fn all_files_of_the_folder() {
    let Ok(folder) = std::env::var("TILEHAWK_MODELS") else { return };
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        path.extension().is_some_and(|e| e == "onnx") && path.to_string_lossy().contains(&only)
    });
    paths.sort();
    let mut failed = 0;
    for path in &paths {
        let name = path.file_stem().unwrap().to_string_lossy();
        match compare(path) {
            Ok(line) => println!("ok   {name}: {line}"),
            Err(line) => {
                failed += 1;
                println!("FAIL {name}: {line}");
            }
        }
    }
    assert_eq!(failed, 0, "of {}", paths.len());
}
