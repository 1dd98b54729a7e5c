//! The original of an imported network, run by ONNX Runtime in Python.
//!
//! Both sides share a folder: `request` (JSON: model, size, names of the outputs), `input` and `raw` (the picture as
//! the network and as a network of whole numbers takes it, `[3, height, width]`), then `output0`, `output1`, ... and
//! `answer` (JSON). Numbers are little-endian f32. The program is passed by `-c`.

use crate::failure::{Failure, Outcome};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The program that Python runs.
const PROGRAM: &str = include_str!("original.py");
/// The program's exit code for a package that is missing.
const NO_PACKAGE: i32 = 3;
/// What to do about either.
const INSTALL: &str = "install both with `python3 -m pip install onnxruntime numpy`, or name another Python with \
    --python PATH";

/// What the original is asked.
#[derive(Debug, Serialize)]
pub(crate) struct Request<'a> {
    /// The ONNX file.
    pub(crate) model: &'a Path,
    /// Height and width of the input.
    pub(crate) size: [u32; 2],
    /// Names of the wanted outputs or inner values.
    pub(crate) outputs: Vec<&'a str>,
}

/// What the original returned.
#[derive(Debug)]
pub(crate) struct Original {
    /// Version of ONNX Runtime.
    pub(crate) version: String,
    /// Whether it took the picture in whole numbers.
    pub(crate) raw: bool,
    /// Whether its weights are of 16 bits.
    pub(crate) half: bool,
    /// Each output asked for.
    pub(crate) outputs: Vec<Returned>,
}

/// An output of the original.
#[derive(Debug, Default)]
pub(crate) struct Returned {
    /// Its shape, of one picture.
    pub(crate) shape: Vec<usize>,
    /// Its elements.
    pub(crate) values: Vec<f32>,
    /// The largest `|a - b| / max(1, |b|)` between it and what comes of the picture times 1 + 1e-6: what rounding may do.
    pub(crate) moves: f32,
}

#[derive(Debug, Deserialize)]
struct Answer {
    version: String,
    raw: bool,
    half: bool,
    shapes: Vec<Vec<usize>>,
    moves: Vec<f32>,
}

/// Runs the original on a picture, given as the network and as a network of whole numbers takes it.
pub(crate) fn run(python: &Path, request: &Request<'_>, input: &[f32], raw: &[f32]) -> Outcome<Original> {
    let folder = tempfile::tempdir()
        .map_err(|e| Failure::Bad(format!("no temporary folder: {e}; name another with TMPDIR")))?;
    let at = |name: &str| folder.path().join(name);
    let failed =
        |name: &str, e: &dyn std::fmt::Display| Failure::file(&at(name), format!("the check failed: {e}"));
    let text = serde_json::to_vec(request).map_err(|e| Failure::file(request.model, e))?;
    for (name, bytes) in [("request", text), ("input", bytes(input)), ("raw", bytes(raw))] {
        fs::write(at(name), bytes).map_err(|e| failed(name, &e))?;
    }
    let output = Command::new(python).arg("-c").arg(PROGRAM).arg(folder.path()).output().map_err(|e| {
        Failure::Bad(format!(
            "--check needs Python with onnxruntime and numpy, and {} cannot be started: {e}; {INSTALL}",
            python.display()
        ))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        return Err(match output.status.code() {
            Some(NO_PACKAGE) => Failure::Bad(format!(
                "--check needs the Python packages onnxruntime and numpy, which {} lacks ({said}); {INSTALL}",
                python.display()
            )),
            Some(_) => Failure::file(request.model, format!("ONNX Runtime cannot run the original: {said}")),
            None => Failure::file(
                request.model,
                format!(
                    "{} was ended while it ran the original ({}): {said}",
                    python.display(),
                    output.status
                ),
            ),
        });
    }
    let text = fs::read(at("answer")).map_err(|e| failed("answer", &e))?;
    let answer: Answer = serde_json::from_slice(&text).map_err(|e| failed("answer", &e))?;
    let mut outputs = Vec::with_capacity(answer.shapes.len());
    for (number, (shape, moves)) in answer.shapes.into_iter().zip(answer.moves).enumerate() {
        let name = format!("output{number}");
        let bytes = fs::read(at(&name)).map_err(|e| failed(&name, &e))?;
        let values = bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        outputs.push(Returned { shape, values, moves });
    }
    Ok(Original { version: answer.version, raw: answer.raw, half: answer.half, outputs })
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
