//! First inputs: random graphs that import, small files of folders given, and the models that these become.

use crate::graph;
use crate::proto::Random;
use arbitrary::Unstructured;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tilehawk::Result;
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::{Model, ModelInfo};

/// Larger files are left out: a mutation of one spends its time on weights.
const MOST: usize = 64 << 10;
/// Random graphs; about a third of them import.
const GRAPHS: usize = 400;

/// Writes them to the folders `onnx`, `graph` and `model` of `out`.
pub fn write(out: &Path, folders: &[&Path]) -> std::io::Result<()> {
    for target in ["onnx", "graph", "model"] {
        fs::create_dir_all(out.join(target))?;
    }
    let options = ImportOptions { size: Some([64, 96]), ..ImportOptions::default() };
    let read =
        |bytes: &[u8]| import(bytes, &ImportOptions::default()).or_else(|_| import(bytes, &options)).ok();
    let mut graphs = Vec::new();
    for seed in 0..GRAPHS {
        let mut random = Random::new(seed as u32);
        let choices: Vec<u8> = (0..40 + random.below(600)).map(|_| random.below(256) as u8).collect();
        let Ok(file) = graph::file(&mut Unstructured::new(&choices)) else { continue };
        fs::write(out.join(format!("graph/graph-{seed}")), &choices)?;
        fs::write(out.join(format!("onnx/graph-{seed}")), &file)?;
        graphs.push((format!("graph-{seed}"), file));
    }
    let mut copied = 0;
    for entry in folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten() {
        let path = entry?.path();
        let is_onnx = path.extension().is_some_and(|extension| extension == "onnx");
        if !is_onnx || path.metadata()?.len() > MOST as u64 {
            continue;
        }
        copied += 1;
        let (bytes, name) = (fs::read(&path)?, format!("file-{copied}"));
        fs::write(out.join("onnx").join(&name), &bytes)?;
        graphs.push((name, bytes));
    }
    // Last, since a panic of the importer ends the process: the seeds of the others are written by then.
    for (name, bytes) in &graphs {
        if let Some(model) = read(bytes).filter(|model| !model.info().graph.nodes.is_empty()) {
            write_model(out, name, &model)?;
        }
    }
    println!("seeds: {GRAPHS} random graphs and {copied} files");
    Ok(())
}

fn write_model(out: &Path, name: &str, model: &Model) -> std::io::Result<()> {
    let save = |suffix: &str, model: &Model| match model.to_bytes(suffix == "half") {
        Ok(bytes) if bytes.len() <= MOST => fs::write(out.join(format!("model/{name}-{suffix}")), bytes),
        _ => Ok(()),
    };
    save("f32", model)?;
    if name.ends_with('0') {
        save("half", model)?;
        for kind in ["yolox", "gfl", "dense"] {
            if let Ok(model) = with_head(model, kind) {
                save(kind, &model)?;
            }
        }
    }
    Ok(())
}

/// The model with a head on maps made of the picture's channels.
fn with_head(model: &Model, kind: &str) -> Result<Model> {
    let mut info = serde_json::to_value(model.info()).unwrap_or_default();
    let input = model.info().graph.input.clone();
    let picture = |name: &str, count: u32| {
        let map: Vec<Value> = (0..count).map(|channel| json!([0, channel % 3, 0, 0])).collect();
        json!({"name": name, "inputs": [input], "op": "channels", "step": 1, "map": map})
    };
    let nodes = [picture("h.boxes", 4), picture("h.one", 1), picture("h.classes", 2), picture("h.bins", 8)];
    if let Some(Value::Array(list)) = info.pointer_mut("/graph/nodes") {
        list.extend(nodes);
    }
    info["classes"] = json!(["a", "b"]);
    info["head"] = match kind {
        "yolox" => json!({"kind": kind, "levels": [
            {"stride": 1, "boxes": "h.boxes", "objectness": "h.one", "classes": "h.classes"}]}),
        "gfl" => json!({"kind": kind, "bins": 2, "centre": 0.5, "sigmoid": true, "levels": [
            {"stride": 1, "classes": "h.classes", "distances": "h.bins"}]}),
        _ => json!({"kind": kind, "boxes": "centre_exp", "box_sigmoid": true, "size_factor": 0.5,
            "score": {"class_sigmoid": true, "objectness_power": 0.5}, "levels": [
            {"boxes": "h.boxes", "classes": "h.classes", "objectness": "h.one", "stride": [1.0, 1.0],
             "offset": [0.5, 0.5], "gain": [1.0, 1.0], "size": [8.0, 16.0]}]}),
    };
    let info: ModelInfo = serde_json::from_value(info).unwrap_or_else(|_| model.info().clone());
    Model::new(info, model.weights().clone())
}
