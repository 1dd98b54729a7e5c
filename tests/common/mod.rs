//! What the GPU tests share.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test uses a part")]

use safetensors::{Dtype, SafeTensors};
use std::path::PathBuf;
use tilehawk::gpu::{Context, ContextOptions};

/// A device, or `None` with a printed note where there is none; `TILEHAWK_REQUIRE_GPU=1` makes that a failure.
pub(crate) fn context() -> Option<Context> {
    open(&ContextOptions::default())
}

/// A device without optional features.
pub(crate) fn plain_context() -> Option<Context> {
    open(&ContextOptions { default_limits: true, ..ContextOptions::default() })
}

fn open(options: &ContextOptions) -> Option<Context> {
    match Context::new(options) {
        Ok(context) => Some(context),
        Err(error) => {
            let required = std::env::var_os("TILEHAWK_REQUIRE_GPU").is_some_and(|value| value == "1");
            assert!(!required, "a GPU is required: {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// The root of the repository, or what stands for it where the tests were copied to (`scripts/gpu-report --pack`).
pub(crate) fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("TILEHAWK_ROOT").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()))
}

/// The path of a file of shared test material, or `None` where it is not there (a failure with `CI=true`).
pub(crate) fn shared_path(file: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(file);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", path.display());
    eprintln!("skipped: {} is missing", path.display());
    None
}

/// The bytes of a file of shared test material.
pub(crate) fn shared(file: &str) -> Option<Vec<u8>> {
    shared_path(file).map(|path| std::fs::read(path).unwrap())
}

/// A tensor of a safetensors file as floats.
pub(crate) fn reference_tensor(file: &[u8], name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(file).unwrap();
    let view = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    match view.dtype() {
        Dtype::U8 => view.data().iter().map(|&v| f32::from(v)).collect(),
        Dtype::F32 => view.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        other => panic!("{other:?}"),
    }
}

/// The first input of a reference file as `[3, height, width]`.
pub(crate) fn reference_picture(file: &[u8]) -> Vec<f32> {
    let tensors = SafeTensors::deserialize(file).unwrap();
    let name = tensors.names().into_iter().find(|name| name.starts_with("input.")).unwrap().to_owned();
    let values = reference_tensor(file, &name);
    let &[_, height, width, 3] = tensors.tensor(&name).unwrap().shape() else { return values };
    let pixels = height * width;
    (0..3).flat_map(|c| (0..pixels).map(move |p| (c, p))).map(|(c, p)| values[p * 3 + c]).collect()
}

/// The worst `|a - b| / max(1, |b|)`; an error beyond `tolerance`, with the count and the first places.
pub(crate) fn compare(found: &[f32], expected: &[f32], tolerance: f32) -> Result<f32, String> {
    if found.len() != expected.len() {
        return Err(format!("{} values, expected {}", found.len(), expected.len()));
    }
    // A NaN must count as wrong.
    let error = |(a, b): (&f32, &f32)| (a - b).abs() / b.abs().max(1.0);
    let errors: Vec<f32> = found.iter().zip(expected).map(error).collect();
    let wrong: Vec<usize> =
        (0..errors.len()).filter(|&i| errors[i].is_nan() || errors[i] > tolerance).collect();
    let worst = errors.iter().copied().fold(0.0, f32::max);
    if wrong.is_empty() {
        return Ok(worst);
    }
    let first: Vec<String> =
        wrong.iter().take(5).map(|&i| format!("[{i}] {} for {}", found[i], expected[i])).collect();
    Err(format!(
        "{} of {} beyond {tolerance}, worst {worst:.3e}: {}",
        wrong.len(),
        found.len(),
        first.join(", ")
    ))
}

/// The `|a - b| / max(1, |b|)` that a share of the values does not exceed.
pub(crate) fn quantile(found: &[f32], expected: &[f32], share: f64) -> f32 {
    let mut errors: Vec<f32> =
        found.iter().zip(expected).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).collect();
    errors.sort_by(f32::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = (errors.len() as f64 * share) as usize;
    errors[index.min(errors.len() - 1)]
}
