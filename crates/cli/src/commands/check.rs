//! `import --check`: the imported network on the device against the original in ONNX Runtime.

use crate::args::{DeviceArgs, PrecisionArg};
use crate::failure::{Failure, Outcome, print_line, warn};
use crate::images::{self, DecodeOptions};
use crate::original::{self, Request, Returned};
use crate::{engine, table};
use image::RgbImage;
use std::path::{Path, PathBuf};
use tilehawk::geom::IRectPx;
use tilehawk::gpu::Context;
use tilehawk::model::{InputSpec, Model};
use tilehawk::reference::resample::{Rgb, resample};
use tilehawk::{Forward, Precision};

/// The largest difference of an output that passes in 32 bits.
const LIMIT: f32 = 1e-3;
/// Rounding at each layer may change an output by this many times what a change of the input by 1e-6 does.
const ROUNDING: f32 = 4.0;
/// Beyond this a difference is never taken for rounding.
const MOST_ROUNDING: f32 = 0.1;

/// What the networks are shown.
#[derive(Debug)]
pub(crate) enum Picture {
    /// A file with its pixels.
    File(PathBuf, RgbImage),
    /// A pattern of the input's size.
    Pattern,
}

/// Reads the picture, if one is named.
pub(crate) fn read(path: Option<&Path>) -> Outcome<Picture> {
    let Some(path) = path else { return Ok(Picture::Pattern) };
    let options = DecodeOptions { max_pixels: images::MAX_PIXELS, orient: false };
    Ok(Picture::File(path.to_owned(), images::decode(path, options)?))
}

/// Compares, prints a line per output, and fails if one differs.
pub(crate) fn run(
    path: &Path,
    model: &Model,
    picture: &Picture,
    python: &Path,
    device: &DeviceArgs,
) -> Outcome<()> {
    let spec = &model.info().input;
    let context = engine::open(device)?;
    let raw = pixels(picture, spec);
    let input = normalised(&raw, spec);
    let outputs = &model.info().graph.outputs;
    let request = Request {
        model: path,
        size: [spec.height, spec.width],
        outputs: outputs.iter().map(|output| output.name.as_str()).collect(),
    };
    let original = original::run(python, &request, &input, &raw)?;
    if original.raw && (spec.mean != [0.0; 3] || spec.std != [1.0; 3]) {
        warn(&format!(
            "warning: {}: the file takes whole numbers 0..255; import it with --mean 0 --std 1",
            path.display()
        ));
    }
    let input = if original.raw { &raw } else { &input };
    let forward = |precision| network(&context, model, input, precision).map_err(|e| e.at(path));
    let single = forward(Precision::F32)?;
    let half = match device.precision {
        PrecisionArg::F32 => None,
        PrecisionArg::Auto if !context.has_f16() => None,
        PrecisionArg::Auto | PrecisionArg::F16 => Some(forward(Precision::F16)?),
    };
    let shown = match picture {
        Picture::File(path, _) => path.display().to_string(),
        Picture::Pattern => "a built-in pattern".to_owned(),
    };
    print_line(&format!(
        "check on {shown}: {} against ONNX Runtime {}",
        engine::adapter_name(&context),
        original.version
    ))?;
    let mut title = vec!["output", "shape", "", "f32 worst", "mean"];
    if half.is_some() {
        title.extend(["f16 worst", "mean"]);
    }
    let mut rows = vec![title.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    let (mut bad, mut rounded) = (Vec::new(), false);
    for (number, output) in outputs.iter().enumerate() {
        let missing = Returned::default();
        let expected = original.outputs.get(number).unwrap_or(&missing);
        let elements = |outputs: &[Vec<f32>]| {
            let found = outputs.get(number).map_or(&[][..], Vec::as_slice);
            Difference::new(found, &expected.values)
        };
        let difference = elements(&single);
        let same_length = single.get(number).is_some_and(|found| found.len() == expected.values.len());
        let verdict = match verdict(difference.worst, expected.moves) {
            Verdict::Differs if original.half && same_length => "-",
            Verdict::Differs => {
                let shape = &expected.shape;
                let shape = if *shape == output.shape {
                    String::new()
                } else {
                    format!(", its shape there is {shape:?}")
                };
                bad.push(format!(
                    "\"{}\" by {:.1e} (the original itself moves by {:.1e} when its input changes by 1e-6{shape})",
                    output.name, difference.worst, expected.moves
                ));
                "FAIL"
            }
            Verdict::Rounding => {
                rounded = true;
                "~"
            }
            Verdict::Equal => "ok",
        };
        let mut row = vec![format!("\"{}\"", output.name), format!("{:?}", output.shape), verdict.to_owned()];
        row.extend(difference.cells());
        row.extend(half.as_deref().map(elements).iter().flat_map(Difference::cells));
        rows.push(row);
    }
    for line in table::aligned(&rows, 3) {
        print_line(&format!("  {line}"))?;
    }
    if original.half {
        warn(&format!(
            "note: {}: the original computes in 16 bits, so its own rounding shows; outputs beyond {LIMIT} are not judged (-)",
            path.display()
        ));
    }
    if rounded {
        warn(&format!(
            "note: {}: outputs with ~ differ by more than {LIMIT}, but by less than {ROUNDING} times what a change of the \
             input by 1e-6 does to the original itself: its weights amplify rounding",
            path.display()
        ));
    }
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::Differs(format!(
        "{}: {} of {} outputs differ from the original by more than {LIMIT} of max(1, |original|): {}; \
         please report the model",
        path.display(),
        bad.len(),
        outputs.len(),
        bad.join(", ")
    )))
}

/// What is said of an output.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Within [`LIMIT`].
    Equal,
    /// Beyond it, but no further than rounding may go where the original `moves` as it does.
    Rounding,
    /// Beyond that.
    Differs,
}

fn verdict(worst: f32, moves: f32) -> Verdict {
    match worst {
        worst if worst <= LIMIT => Verdict::Equal,
        worst if worst <= (ROUNDING * moves).min(MOST_ROUNDING) => Verdict::Rounding,
        _ => Verdict::Differs,
    }
}

/// The outputs of the imported network.
fn network(context: &Context, model: &Model, input: &[f32], precision: Precision) -> Outcome<Vec<Vec<f32>>> {
    let forward = Forward::new(context, model, 1, precision)?;
    forward.upload(input)?;
    forward.run()?;
    Ok(forward.outputs(0)?)
}

/// How far two lists of numbers are apart.
#[derive(Debug, PartialEq)]
struct Difference {
    /// The largest `|a - b| / max(1, |b|)`; infinite if the lists are not of one length, or only one has a number.
    worst: f32,
    /// The mean `|a - b|` over the numbers.
    mean: f64,
}

impl Difference {
    fn new(found: &[f32], expected: &[f32]) -> Self {
        if found.len() != expected.len() || expected.is_empty() {
            return Self { worst: f32::INFINITY, mean: f64::INFINITY };
        }
        let (mut worst, mut sum) = (0.0_f32, 0.0);
        for (&a, &b) in found.iter().zip(expected) {
            // Infinities of one sign are equal; so are two that are not a number.
            if a == b || (a.is_nan() && b.is_nan()) {
                continue;
            }
            let apart = (a - b).abs();
            let relative = apart / b.abs().max(1.0);
            worst = worst.max(if relative.is_nan() { f32::INFINITY } else { relative });
            sum += f64::from(apart);
        }
        Self { worst, mean: sum / found.len() as f64 }
    }

    fn cells(&self) -> [String; 2] {
        [format!("{:.1e}", self.worst), format!("{:.1e}", self.mean)]
    }
}

/// The picture in the input's size and order, `[3, height, width]`, as whole numbers 0..255.
fn pixels(picture: &Picture, spec: &InputSpec) -> Vec<f32> {
    let plain = InputSpec { mean: [0.0; 3], std: [1.0; 3], ..spec.clone() };
    let pattern;
    let picture = match picture {
        Picture::File(_, picture) => picture,
        Picture::Pattern => {
            pattern = RgbImage::from_fn(spec.width, spec.height, |x, y| image::Rgb(pixel(x, y)));
            &pattern
        }
    };
    let rgb = Rgb { width: picture.width() as usize, pixels: picture.as_raw() };
    let whole = IRectPx::new(0, 0, picture.width(), picture.height());
    let mut values = resample(rgb, whole, &plain);
    values.iter_mut().for_each(|value| *value = value.round());
    values
}

/// The same as the network takes it.
fn normalised(raw: &[f32], spec: &InputSpec) -> Vec<f32> {
    let plane = spec.width as usize * spec.height as usize;
    let value = |(index, &value): (usize, &f32)| (value - spec.mean[index / plane]) / spec.std[index / plane];
    raw.iter().enumerate().map(value).collect()
}

/// A pattern of slopes, blocks of 8 to 32 pixels and noise, the same everywhere.
fn pixel(x: u32, y: u32) -> [u8; 3] {
    let hash = |a: u32, b: u32| {
        let mut h = a.wrapping_mul(0x9e37_79b1) ^ b.wrapping_mul(0x85eb_ca77) ^ 0x2545_f491;
        h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
        h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
        h ^ (h >> 15)
    };
    let mut rgb = [0; 3];
    for (channel, value) in (0_u32..).zip(&mut rgb) {
        let slope = (x * (channel + 1) + y * (3 - channel)) % 256;
        let block = hash(x / (8 << channel), y / (32 >> channel)) >> 24;
        let noise = hash(x * 3 + channel, y) >> 28;
        *value = u8::try_from(((slope + block) / 2 + noise).min(255)).unwrap_or(255);
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences() {
        let same = Difference::new(&[f32::INFINITY, f32::NAN, 2.0], &[f32::INFINITY, f32::NAN, 2.0]);
        assert_eq!(same, Difference { worst: 0.0, mean: 0.0 });
        assert_eq!(Difference::new(&[1.0, 11.0], &[0.5, 10.0]), Difference { worst: 0.5, mean: 0.75 });
        for (a, b) in [(&[1.0][..], &[f32::NAN][..]), (&[f32::NAN], &[1.0]), (&[1.0], &[]), (&[], &[])] {
            assert_eq!(Difference::new(a, b).worst, f32::INFINITY, "{a:?} {b:?}");
        }
        assert_eq!(Difference::new(&[f32::NAN, 1.0], &[1.0, 1.5]).worst, f32::INFINITY);
    }

    #[test]
    fn only_rounding_is_excused() {
        assert_eq!(verdict(1e-3, 0.0), Verdict::Equal);
        assert_eq!(verdict(3e-3, 1e-3), Verdict::Rounding);
        for (worst, moves) in [(5e-3, 1e-3), (0.2, 1.0), (f32::INFINITY, f32::INFINITY), (f32::NAN, 1.0)] {
            assert_eq!(verdict(worst, moves), Verdict::Differs, "{worst} {moves}");
        }
    }

    #[test]
    fn the_pattern_fills_the_range() {
        let values: Vec<u8> = (0..128).flat_map(|y| (0..128).flat_map(move |x| pixel(x, y))).collect();
        assert!(values.iter().any(|&v| v < 20) && values.iter().any(|&v| v > 230));
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        assert!((90.0..160.0).contains(&mean), "{mean}");
    }
}
