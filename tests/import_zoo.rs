//! The ONNX importer against ONNX Runtime on the files of a folder, made by `tests/models/export.py`:
//! `TILEHAWK_MODELS=DIR cargo test --release --test import_zoo -- --nocapture`. Without the variable it is skipped.
//! `TILEHAWK_ZOO_DEVICE=1` runs the device too, `ONLY=yolov8n,nanodet` takes the files whose names hold one of these.

#![cfg(feature = "onnx")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use safetensors::SafeTensors;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tilehawk::gpu::Context;
use tilehawk::import::onnx::{ImportOptions, import_file};
use tilehawk::model::Model;
use tilehawk::reference::network;
use tilehawk::{Forward, Precision};

/// Files with an operator that is not known, and a part of the error (docs/MODELS.md).
const REFUSED: [(&str, &str); 7] = [
    ("hand_norms", "operator LRN is not known"),
    ("hand_pool_op19", "attribute dilations = [2, 2]"),
    ("hand_swish_op24", "operator RMSNormalization is not known"),
    ("hand_thresholded", "operator ThresholdedRelu is not known"),
    ("hand_where_compare", "operator Mod is not known"),
    ("op_math", "operator Sign is not known"),
    ("op_pools", "attribute dilations = [2, 2]"),
];

/// The outputs that the maps of a run hold.
fn outputs_of(model: &Model, maps: &HashMap<String, Vec<f32>>) -> Result<Vec<Vec<f32>>, String> {
    let outputs = model.info().graph.outputs.iter();
    outputs.map(|output| network::output(model, maps, output).map_err(|e| e.to_string())).collect()
}

/// The worst difference over all outputs; an error if one is of another length or holds a NaN.
fn worst_of(found: &[Vec<f32>], expected: &[Vec<f32>]) -> Result<f32, String> {
    let pairs = found.iter().zip(expected);
    pairs
        .map(|(found, expected)| common::compare(found, expected, f32::MAX))
        .try_fold(0.0, |worst, one| Ok(one?.max(worst)))
}

/// Compares a file with ONNX Runtime where its outputs are not cut off, and, where asked, the device with the oracle.
fn compare(path: &Path) -> Result<String, String> {
    let file = std::fs::read(path.with_extension("ref.safetensors")).map_err(|e| e.to_string())?;
    let reference = SafeTensors::deserialize(&file).unwrap();
    let names = reference.names();
    let inputs: Vec<&&str> = names.iter().filter(|name| name.starts_with("input.")).collect();
    let &[input] = inputs.as_slice() else {
        return Ok("not compared: its boxes are of another scale".to_owned());
    };
    let (height, width) = match *reference.tensor(input).unwrap().shape() {
        [_, height, width, 3] => (height, width),
        [_, 3, height, width] => (height, width),
        ref other => return Err(format!("input of shape {other:?}")),
    };
    let size = [height, width].map(|side| u32::try_from(side).unwrap());
    let options = ImportOptions { size: Some(size), ..ImportOptions::default() };
    let model = import_file(path, &options).map_err(|e| e.to_string())?;
    let graph = &model.info().graph;
    let mut picture = common::reference_picture(&file);
    picture.truncate(3 * height * width);
    let run = |picture: &[f32]| {
        network::run(&model, picture).map_err(|e| e.to_string()).and_then(|maps| outputs_of(&model, &maps))
    };
    let found = run(&picture)?;
    let (mut worst, mut compared) = (0.0_f32, 0);
    for (output, found) in graph.outputs.iter().zip(&found) {
        let key = format!("output.{}", output.name);
        if !names.contains(&key.as_str()) {
            continue;
        }
        compared += 1;
        let shape = reference.tensor(&key).unwrap().shape().to_vec();
        if shape.get(1..) != output.shape.get(1..) {
            return Err(format!("{key}: shape {:?} is not {shape:?}", output.shape));
        }
        // Of a fixed batch the first picture is computed.
        let mut expected = common::reference_tensor(&file, &key);
        expected.truncate(found.len());
        worst = worst.max(common::compare(found, &expected, f32::MAX).map_err(|e| format!("{key}: {e}"))?);
    }
    let context = std::env::var_os("TILEHAWK_ZOO_DEVICE").and_then(|_| common::context());
    let on_device = context.map(|context| device(&context, &model, &picture, &found)).transpose()?;
    let half = path.to_string_lossy().contains("half");
    let mut most: f32 = if half { 3e-2 } else { 1e-3 };
    if worst.max(on_device.map_or(0.0, |(worst, _)| worst)) > most {
        // Random weights may amplify rounding, which happens at each layer: four times what a change of the input by
        // 1e-6 does is beyond telling. Files in half precision round by 5e-4.
        let moved: Vec<f32> = picture.iter().map(|v| v * (1.0 + 1e-6)).collect();
        most = most.max(worst_of(&found, &run(&moved)?)? * if half { 500.0 } else { 4.0 });
    }
    let (head, outputs) = match &model.info().head {
        Some(head) => (head.kind(), String::new()),
        None => {
            let outputs: Vec<_> = graph.outputs.iter().map(|o| format!("{} {:?}", o.name, o.shape)).collect();
            ("none", format!(" of {outputs:?}"))
        }
    };
    let mut line = format!(
        "{:.2} GFLOP, {} nodes, {compared}/{} outputs, worst {worst:.1e}, head {head}{outputs}, allowed {most:.0e}",
        flops(&model),
        graph.nodes.len(),
        graph.outputs.len()
    );
    let mut good = worst <= most;
    if let Some((difference, tile_ms)) = on_device {
        line += &format!(", device {difference:.1e}, {tile_ms:.0} ms");
        good &= difference <= most;
    }
    if good { Ok(line) } else { Err(line) }
}

#[expect(clippy::cast_precision_loss, reason = "for a table")]
fn flops(model: &Model) -> f64 {
    model.cost().map_or(0.0, |cost| cost.flop as f64 / 1e9)
}

/// The worst difference between the device and the oracle in batches of one and of three, the time of a tile in the
/// latter. `TILEHAWK_ZOO_LARGEST=N` adds the largest batch that the device takes, or N if that is less.
fn device(
    context: &Context,
    model: &Model,
    input: &[f32],
    expected: &[Vec<f32>],
) -> Result<(f32, f64), String> {
    let (alone, _) = batch(context, model, 1, input, expected)?;
    let (worst, tile_ms) = batch(context, model, 3, input, expected)?;
    let mut worst = worst.max(alone);
    if let Ok(most) = std::env::var("TILEHAWK_ZOO_LARGEST") {
        let refusal = Forward::new(context, model, u32::MAX, Precision::F32).unwrap_err().to_string();
        let largest = refusal.rsplit("this device's ").next().unwrap().parse::<u32>().unwrap();
        let tiles = largest.min(most.parse().unwrap());
        let (difference, tile_ms) = batch(context, model, tiles, input, expected)?;
        println!(
            "     a batch of {tiles}, the largest is {largest}: {difference:.1e}, {tile_ms:.0} ms a tile"
        );
        worst = worst.max(difference);
    }
    Ok((worst, tile_ms))
}

/// A batch whose tiles are by turns the picture and nothing: the worst difference of its first and last picture from
/// the oracle, and the time of a tile.
fn batch(
    context: &Context,
    model: &Model,
    tiles: u32,
    input: &[f32],
    expected: &[Vec<f32>],
) -> Result<(f32, f64), String> {
    let forward = Forward::new(context, model, tiles, Precision::F32).map_err(|e| e.to_string())?;
    let nothing = vec![0.0; input.len()];
    let tile = |tile| if tile % 2 == 0 { input } else { &nothing };
    forward.upload(&(0..tiles).map(tile).collect::<Vec<_>>().concat()).map_err(|e| e.to_string())?;
    forward.run().map_err(|e| e.to_string())?;
    let start = std::time::Instant::now();
    forward.run().map_err(|e| e.to_string())?;
    let tile_ms = start.elapsed().as_secs_f64() * 1e3 / f64::from(tiles);
    let first = forward.outputs(0).map_err(|e| e.to_string())?;
    let last = forward.outputs((tiles - 1) / 2 * 2).map_err(|e| e.to_string())?;
    let bits = |outputs: &[Vec<f32>]| outputs.concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    if bits(&first) != bits(&last) {
        return Err(format!("a batch of {tiles} has other outputs for the last picture than for the first"));
    }
    Ok((worst_of(&first, expected)?, tile_ms))
}

#[test]
fn the_comparer_can_fail() {
    let one = |value: f32| [vec![value, 1.0]];
    assert_eq!(worst_of(&one(1.5), &one(1.0)), Ok(0.5));
    assert!(worst_of(&one(f32::NAN), &one(1.0)).is_err());
    assert!(worst_of(&one(1.0), &[vec![1.0]]).is_err());
}

#[test]
fn all_files_of_the_folder() {
    let Ok(folder) = std::env::var("TILEHAWK_MODELS") else { return };
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.to_string_lossy();
        path.extension().is_some_and(|e| e == "onnx") && only.split(',').any(|part| name.contains(part))
    });
    paths.sort();
    assert!(!paths.is_empty(), "no file to compare");
    let mut failed = 0;
    for path in &paths {
        let name = path.file_stem().unwrap().to_string_lossy();
        let refusal = REFUSED.iter().find(|(file, _)| *file == name);
        match compare(path) {
            Err(line) if refusal.is_some_and(|(_, part)| line.contains(part)) => {
                println!("no   {name}: {line}");
            }
            Ok(line) if refusal.is_some() => {
                failed += 1;
                println!("FAIL {name} imports, and is listed as refused: {line}");
            }
            Ok(line) => println!("ok   {name}: {line}"),
            Err(line) => {
                failed += 1;
                println!("FAIL {name}: {line}");
            }
        }
    }
    assert_eq!(failed, 0, "of {}", paths.len());
}
