//! The ONNX importer against ONNX Runtime's outputs on real networks, and against hostile files.

#![cfg(feature = "onnx")]
#![allow(clippy::unwrap_used, clippy::panic)]

use safetensors::{Dtype, SafeTensors};
use std::path::PathBuf;
use tilehawk::heads::Head;
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::{Model, Op};
use tilehawk::reference::network;

/// The file of a test network, or none where the networks are not there (an error under CI).
fn shared(file: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/models").join(file);
    if !path.exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", path.display());
        println!("skipped: {} is missing", path.display());
        return None;
    }
    Some(std::fs::read(path).unwrap())
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let view = file.tensor(name).unwrap();
    match view.dtype() {
        Dtype::U8 => view.data().iter().map(|&v| f32::from(v)).collect(),
        Dtype::F32 => view.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        other => panic!("{other:?}"),
    }
}

/// Imports a network and compares all its outputs with ONNX Runtime's: `|a - b| <= 1e-3 * max(1, |b|)`.
fn compare(name: &str) -> Option<Model> {
    let bytes = shared(&format!("{name}.onnx"))?;
    let reference = shared(&format!("{name}.ref.safetensors"))?;
    let model = import(&bytes, &ImportOptions::default()).unwrap();
    let reference = SafeTensors::deserialize(&reference).unwrap();
    let input = reference.names().into_iter().find(|n| n.starts_with("input.")).unwrap().to_owned();
    let maps = network::run(&model, &floats(&reference, &input)).unwrap();
    let outputs = &model.info().graph.outputs;
    assert_eq!(outputs.len(), reference.names().iter().filter(|n| n.starts_with("output.")).count());
    for output in outputs {
        let expected = floats(&reference, &format!("output.{}", output.name));
        let found = network::output(&model, &maps, output).unwrap();
        assert_eq!(found.len(), expected.len());
        assert_eq!(output.shape, reference.tensor(&format!("output.{}", output.name)).unwrap().shape());
        let error = |(a, b): (&f32, &f32)| (a - b).abs() / b.abs().max(1.0);
        let worst = found.iter().zip(&expected).map(error).fold(0.0, f32::max);
        println!("{name} {}: worst {worst:e} of {} elements", output.name, found.len());
        assert!(worst <= 1e-3, "{name} {}: {worst}", output.name);
    }
    println!("{name}: {} nodes, {} parameters", model.info().graph.nodes.len(), model.weights().parameters());
    Some(model)
}

#[test]
fn yolox_nano() {
    let Some(model) = compare("yolox_nano_416") else { return };
    let Some(Head::Yolox(head)) = &model.info().head else { panic!("{:?}", model.info().head) };
    assert_eq!(head.levels.iter().map(|l| l.stride).collect::<Vec<_>>(), [8, 16, 32]);
    assert_eq!(model.info().classes.len(), 80);
}

#[test]
fn nanodet_plus_m() {
    let Some(model) = compare("nanodet_plus_m_416") else { return };
    let Some(Head::Gfl(head)) = &model.info().head else { panic!("{:?}", model.info().head) };
    assert_eq!(head.levels.iter().map(|l| l.stride).collect::<Vec<_>>(), [8, 16, 32, 64]);
    assert_eq!((head.bins, head.centre), (8, 0.0));
    assert_eq!(model.info().classes.len(), 80);
}
