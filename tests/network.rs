//! The network on the GPU against ONNX Runtime's outputs for real models.

mod common;

use common::{compare, context, reference_tensor, shared};
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::{Forward, Precision};

/// Largest |a - b| / max(1, |b|) allowed for f32 storage.
const F32_TOLERANCE: f32 = 1e-3;

fn check(stem: &str, input: &str, precision: Precision, tolerance: f32) {
    let (Some(context), Some(bytes)) = (context(), shared(&format!("models/{stem}.onnx"))) else { return };
    if precision == Precision::F16 && !context.has_f16() {
        eprintln!("skipped: {} has no f16", context.info().name);
        return;
    }
    let reference = shared(&format!("models/{stem}.ref.safetensors")).expect("beside the model");
    let model = import(&bytes, &ImportOptions::default()).expect("imports");
    // Two tiles, the second one of zeros: the first must not depend on its neighbour.
    let first = reference_tensor(&reference, &format!("input.{input}"));
    let mut batch = first.clone();
    batch.resize(2 * first.len(), 0.0);
    let forward = Forward::new(&context, &model, 2, precision).expect("fits");
    forward.upload(&batch).expect("the right size");
    forward.run().expect("runs");
    let outputs = forward.outputs(0).expect("outputs");
    for (output, values) in model.info().graph.outputs.iter().zip(&outputs) {
        let expected = reference_tensor(&reference, &format!("output.{}", output.name));
        let worst =
            compare(values, &expected, tolerance).unwrap_or_else(|e| panic!("{stem} {}: {e}", output.name));
        println!("{stem} {precision:?} {}: worst relative difference {worst:.2e}", output.name);
    }
}

#[test]
fn yolox_f32() {
    check("yolox_nano_416", "images", Precision::F32, F32_TOLERANCE);
}

#[test]
fn nanodet_f32() {
    check("nanodet_plus_m_416", "data", Precision::F32, F32_TOLERANCE);
}

#[test]
fn yolox_f16() {
    check("yolox_nano_416", "images", Precision::F16, 0.1);
}

#[test]
fn nanodet_f16() {
    check("nanodet_plus_m_416", "data", Precision::F16, 0.1);
}

#[test]
fn the_comparer_can_fail() {
    assert!(compare(&[1.0], &[1.0, 2.0], 1e-3).is_err());
    assert!(compare(&[1.0, 2.01], &[1.0, 2.0], 1e-3).is_err());
    assert!(compare(&[f32::NAN], &[1.0], 1e-3).is_err());
    assert!(compare(&[1.0, 2.001], &[1.0, 2.0], 1e-3).is_ok());
}
