//! The network on the GPU against ONNX Runtime's outputs for real models.

mod common;

use common::{compare, context, quantile, reference_picture, reference_tensor, shared};
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::{Cost, Model};
use tilehawk::{Forward, Precision};

/// |a - b| / max(1, |b|) allowed.
struct Tolerance {
    /// For every value.
    worst: f32,
    /// For 99.9% of the values.
    most: f32,
}

const F32: Tolerance = Tolerance { worst: 1e-3, most: 1e-4 };

/// Storage rounds each map to 11 bits, 2^-12 of a value at most, and some 60 layers follow one another: raw box and
/// distance logits of cells without an object, which nothing bounds, move the most.
const F16: Tolerance = Tolerance { worst: 0.3, most: 3e-2 };

fn check(stem: &str, precision: Precision, tolerance: &Tolerance) {
    let (Some(context), Some(bytes)) = (context(), shared(&format!("models/{stem}.onnx"))) else { return };
    if precision == Precision::F16 && !context.has_f16() {
        eprintln!("skipped: {} has no f16", context.info().name);
        return;
    }
    let reference = shared(&format!("models/{stem}.ref.safetensors")).expect("beside the model");
    let model = import(&bytes, &ImportOptions::default()).expect("imports");
    // Two tiles, the second one of zeros: the first must not depend on its neighbour.
    let first = reference_picture(&reference);
    let mut batch = first.clone();
    batch.resize(2 * first.len(), 0.0);
    let forward = Forward::new(&context, &model, 2, precision).expect("fits");
    forward.upload(&batch).expect("the right size");
    forward.run().expect("runs");
    let outputs = forward.outputs(0).expect("outputs");
    for (output, values) in model.info().graph.outputs.iter().zip(&outputs) {
        let expected = reference_tensor(&reference, &format!("output.{}", output.name));
        let worst =
            compare(values, &expected, tolerance.worst).map_err(|e| format!("{stem} {}: {e}", output.name));
        let most = quantile(values, &expected, 0.999);
        println!("{stem} {precision:?} {}: worst {worst:?}, 99.9% within {most:.2e}", output.name);
        assert!(worst.is_ok(), "{worst:?}");
        assert!(most <= tolerance.most, "{stem} {}: 99.9% within {most}", output.name);
    }
}

#[test]
fn yolox_f32() {
    check("yolox_nano_416", Precision::F32, &F32);
}

#[test]
fn nanodet_f32() {
    check("nanodet_plus_m_416", Precision::F32, &F32);
}

#[test]
fn yolox_f16() {
    check("yolox_nano_416", Precision::F16, &F16);
}

#[test]
fn nanodet_f16() {
    check("nanodet_plus_m_416", Precision::F16, &F16);
}

#[test]
fn picodet() {
    check("picodet_s_416", Precision::F32, &F32);
    check("picodet_s_416", Precision::F16, &F16);
}

#[test]
fn fastestdet() {
    check("fastestdet_352", Precision::F32, &F32);
    check("fastestdet_352", Precision::F16, &F16);
}

/// Depthwise and 1x1 convolutions in one dispatch and in two give the same bytes.
#[test]
fn separable_convolutions_share_a_dispatch() {
    let Some(context) = context() else { return };
    for stem in ["nanodet_plus_m_416", "picodet_s_416", "yolox_nano_416", "fastestdet_352"] {
        let Some(bytes) = shared(&format!("models/{stem}.onnx")) else { return };
        let picture = reference_picture(&shared(&format!("models/{stem}.ref.safetensors")).unwrap());
        let model = import(&bytes, &ImportOptions::default()).unwrap();
        for (precision, bits) in [(Precision::F32, 32), (Precision::F16, 16)] {
            if precision == Precision::F16 && !context.has_f16() {
                continue;
            }
            let [(fused, fewer), (apart, all)] = [true, false].map(|fused| {
                let context = context.with_fusion(fused);
                let forward = Forward::new(&context, &model, 1, precision).unwrap();
                forward.upload(&picture).unwrap();
                forward.run().unwrap();
                (forward.outputs(0).unwrap(), forward.dispatches())
            });
            assert!(fused == apart, "{stem} {precision:?} differs");
            let (before, after) = (model.cost().unwrap(), model.cost_fused(bits == 16).unwrap());
            assert_eq!(before.flop, after.flop);
            let mib = |cost: &Cost| (cost.map_len() * bits / 8) as f64 / f64::from(1 << 20);
            let (whole, less) = (mib(&before), mib(&after));
            println!(
                "{stem} {precision:?}: {all} dispatches and {whole:.2} MiB of maps, {fewer} and {less:.2} MiB ({:.1} %), held {} and {}",
                100.0 * (less / whole - 1.0),
                before.activation_len,
                after.activation_len,
            );
            assert!(fewer < all && less < whole);
        }
    }
}

#[test]
fn segmentations() {
    for stem in ["deeplab_v3_257", "road_segmentation_adas_512x896"] {
        check(stem, Precision::F32, &F32);
        check(stem, Precision::F16, &F16);
    }
}

#[test]
fn the_comparer_can_fail() {
    assert!(compare(&[1.0], &[1.0, 2.0], 1e-3).is_err());
    assert!(compare(&[1.0, 2.01], &[1.0, 2.0], 1e-3).is_err());
    assert!(compare(&[f32::NAN], &[1.0], 1e-3).is_err());
    assert!(compare(&[1.0, 2.001], &[1.0, 2.0], 1e-3).is_ok());
}

#[test]
fn a_model_without_outputs_computes_the_maps_of_its_head() {
    let Some(context) = context() else { return };
    let path = common::root().join("weights/thermal-nano.safetensors");
    let model = Model::load(&path).unwrap();
    assert!(model.info().graph.outputs.is_empty());
    let forward = Forward::new(&context, &model, 1, Precision::F32).unwrap();
    assert!(forward.dispatches() > 20, "{}", forward.dispatches());
    forward.run().unwrap();
    assert!(forward.outputs(0).unwrap().is_empty());
}
