//! Resampling: sizes, filters and sample points, as ONNX Runtime computes them.

use super::lower::{Lowering, Value, first, output, unsupported};
use super::movement::axis_of;
use super::proto::{Attribute, NodeProto};
use super::tensor::Constant;
use super::view::View;
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{BinaryKind, Op, ResizeKind};
use std::rc::Rc;

/// One axis: its sides and the scale that the sample points follow.
#[derive(Clone, Copy, Debug)]
struct Side {
    from: u32,
    to: u32,
    scale: f32,
}

/// The sources of each output on one axis and their weights, tap by tap.
struct Taps {
    sources: Vec<Vec<i32>>,
    weights: Vec<Vec<f32>>,
}

impl<'a> Lowering<'a> {
    pub(super) fn resize(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let map = self.map(first(node)?)?;
        let shape = self.maps[map].shape;
        let sides = self.resized(node, shape)?;
        if node.int("antialias", 0) != 0 && sides.iter().any(|side| side.to < side.from) {
            return Err(unsupported("attribute antialias = 1 of a smaller result"));
        }
        if sides.iter().all(|side| side.from == side.to && side.scale == 1.0) {
            return self.set(name, Value::View(View::whole(map, shape)));
        }
        if let Some(kind) = resize_kind(node, sides, self.opset) {
            let size = sides.map(|side| side.to);
            let result = Shape::new(shape.channels, size[0], size[1]);
            return self.finish(node, Op::Resize { kind, size }, &[map], result);
        }
        let [rows, columns] = [taps(node, sides[0], self.opset)?, taps(node, sides[1], self.opset)?];
        let mut value = Value::View(View::whole(map, shape));
        for (axis, taps) in [rows, columns].into_iter().enumerate() {
            value = self.interpolate(name, &value, axis, &taps)?;
        }
        self.set(name, value)
    }

    /// A weighted sum of picked rows (`axis` 0) or columns.
    fn interpolate(&mut self, name: &str, value: &Value, axis: usize, taps: &Taps) -> Result<Value> {
        let Value::View(view) = value else { return Err(Error::model("it is no map")) };
        let mut sum: Option<Value> = None;
        for (sources, weights) in taps.sources.iter().zip(&taps.weights) {
            if weights.iter().all(|&weight| weight == 0.0) {
                continue;
            }
            let part = Value::View(self.picked(name, view, 2 + axis, sources.clone(), 0.0)?);
            let part = if weights.iter().all(|&weight| weight == 1.0) {
                part
            } else {
                let shape = if axis == 0 { vec![1, weights.len(), 1] } else { vec![1, 1, weights.len()] };
                let weights = Value::Constant(Rc::new(Constant::floats(shape, weights.clone())));
                self.binary(name, BinaryKind::Multiply, &part, &weights)?
            };
            sum = Some(match sum {
                None => part,
                Some(other) => self.binary(name, BinaryKind::Add, &other, &part)?,
            });
        }
        sum.ok_or_else(|| Error::model("it samples nothing"))
    }

    /// Height and width of a resampling, each with its scale.
    fn resized(&mut self, node: &'a NodeProto<'a>, shape: Shape) -> Result<[Side; 2]> {
        let constants = self.constants(node)?;
        let full = [1, shape.channels, shape.height, shape.width];
        let axes = match node.ints("axes") {
            Some(axes) => axes.iter().map(|&axis| axis_of(axis, 4)).collect::<Result<Vec<_>>>()?,
            None => vec![0, 1, 2, 3],
        };
        let constant = |index: usize| constants.get(index).cloned().flatten().filter(|c| c.len() > 0);
        let scales_at = if node.op == "Upsample" || self.opset < 11 { 1 } else { 2 };
        let scales = match node.attribute("scales") {
            Some(Attribute::Floats(scales)) => Some(scales.clone()),
            _ => constant(scales_at).map(|scales| scales.to_floats()),
        };
        let mut sides = full.map(|from| Side { from, to: from, scale: 1.0 });
        if let Some(sizes) = constant(3) {
            let sizes = sizes.as_ints().ok_or_else(|| Error::model("its sizes are not integers"))?;
            let policy = node.text("keep_aspect_ratio_policy", "stretch");
            let wanted: Vec<(usize, f64)> =
                axes.iter().copied().zip(sizes.iter().map(|&s| s as f64)).collect();
            let ratios = wanted.iter().map(|&(axis, size)| size / f64::from(full[axis]));
            let common = match policy {
                "stretch" => None,
                "not_larger" => ratios.reduce(f64::min),
                _ => ratios.reduce(f64::max),
            };
            for (axis, size) in wanted {
                let size = common.map_or(size, |ratio| (ratio * f64::from(full[axis])).round());
                sides[axis].to = side(size)?;
                sides[axis].scale = common.unwrap_or(size / f64::from(full[axis])) as f32;
            }
        } else if let Some(scales) = scales {
            for (&axis, scale) in axes.iter().zip(scales) {
                sides[axis].to = side((f64::from(full[axis]) * f64::from(scale)).floor())?;
                sides[axis].scale = scale;
            }
        } else {
            return Err(unsupported("scales or sizes that are computed from the picture, not constant"));
        }
        if sides[..2].iter().any(|side| side.from != side.to) {
            return Err(unsupported(format!("resampling of {full:?} to {sides:?}: only rows and columns")));
        }
        Ok([sides[2], sides[3]])
    }
}

fn side(value: f64) -> Result<u32> {
    if (1.0..=f64::from(1 << 14)).contains(&value) {
        Ok(value as u32)
    } else {
        Err(unsupported(format!("resampling to a side of {value}")))
    }
}

/// Whether the operator is of a set whose points are `asymmetric` and in which no attribute says otherwise.
fn is_old(node: &NodeProto<'_>, opset: i64) -> bool {
    node.op == "Upsample" || opset < 11
}

/// The resampling of the graph that equals it, where there is one.
fn resize_kind(node: &NodeProto<'_>, sides: [Side; 2], opset: i64) -> Option<ResizeKind> {
    let old = is_old(node, opset);
    let points = node.text("coordinate_transformation_mode", if old { "asymmetric" } else { "half_pixel" });
    // Where a scale is not the quotient of the sides, the sample points follow the scale.
    if sides
        .iter()
        .any(|side| (f64::from(side.from) * f64::from(side.scale) - f64::from(side.to)).abs() > 1e-3)
    {
        return None;
    }
    let whole = sides.iter().all(|side| side.to.is_multiple_of(side.from));
    let small = sides.iter().all(|side| side.to <= 2 * side.from);
    let single = sides.iter().any(|side| side.to == 1);
    match (node.text("mode", "nearest"), points) {
        ("linear", "half_pixel") => Some(ResizeKind::LinearHalfPixel),
        ("linear", "pytorch_half_pixel") if !single => Some(ResizeKind::LinearHalfPixel),
        ("linear", "asymmetric") => Some(ResizeKind::LinearAsymmetric),
        ("linear", "align_corners") if !single => Some(ResizeKind::LinearAlignCorners),
        ("nearest", points) => {
            let rounding = node.text("nearest_mode", if old { "floor" } else { "round_prefer_floor" });
            let half = matches!(points, "half_pixel" | "pytorch_half_pixel") && !single;
            let equal = match (points, rounding) {
                ("asymmetric", "floor") => whole,
                ("asymmetric", "round_prefer_floor") => whole && small,
                (_, "round_prefer_floor" | "round_prefer_ceil") => half && whole,
                _ => false,
            };
            equal.then_some(ResizeKind::NearestAsymmetricFloor)
        }
        _ => None,
    }
}

/// The sample points of one axis in pixels of the source.
fn points(node: &NodeProto<'_>, side: Side, opset: i64) -> Result<Vec<f32>> {
    let old = is_old(node, opset);
    let mode = node.text("coordinate_transformation_mode", if old { "asymmetric" } else { "half_pixel" });
    let (from, to) = (side.from as f32, side.to as f32);
    (0..side.to)
        .map(|index| {
            let at = index as f32;
            Ok(match mode {
                "half_pixel" => (at + 0.5) / side.scale - 0.5,
                "pytorch_half_pixel" if side.to == 1 => 0.0,
                "pytorch_half_pixel" => (at + 0.5) / side.scale - 0.5,
                "half_pixel_symmetric" => {
                    let adjustment = to / (side.scale * from);
                    let centre = from / 2.0;
                    centre * (1.0 - adjustment) + (at + 0.5) / side.scale - 0.5
                }
                "asymmetric" => at / side.scale,
                "align_corners" if side.to == 1 => 0.0,
                "align_corners" => at * (from - 1.0) / (to - 1.0),
                other => {
                    return Err(unsupported(format!("attribute coordinate_transformation_mode = {other}")));
                }
            })
        })
        .collect()
}

fn taps(node: &NodeProto<'_>, side: Side, opset: i64) -> Result<Taps> {
    let points = points(node, side, opset)?;
    let last = side.from as i32 - 1;
    let mode = node.text("mode", "nearest");
    let taps = match mode {
        "nearest" => {
            // Before operator set 11 no attribute says how to round: down, but up where the result is smaller.
            let default = match (is_old(node, opset), side.to < side.from) {
                (true, true) => "ceil",
                (true, false) => "floor",
                (false, _) => "round_prefer_floor",
            };
            let rounding = node.text("nearest_mode", default);
            let round = |x: f32| match rounding {
                "floor" => x.floor(),
                "ceil" => x.ceil(),
                "round_prefer_ceil" => (x + 0.5).floor(),
                _ => (x - 0.5).ceil(),
            };
            let sources = points.iter().map(|&x| (round(x) as i32).clamp(0, last)).collect::<Vec<_>>();
            Taps { weights: vec![vec![1.0; sources.len()]], sources: vec![sources] }
        }
        "linear" => {
            let clamped: Vec<f32> = points.iter().map(|x| x.clamp(0.0, last as f32)).collect();
            let low: Vec<i32> = clamped.iter().map(|x| x.floor() as i32).collect();
            let high = low.iter().map(|&x| (x + 1).min(last)).collect();
            let second: Vec<f32> = clamped.iter().map(|x| x - x.floor()).collect();
            let first = second.iter().map(|w| 1.0 - w).collect();
            Taps { sources: vec![low, high], weights: vec![first, second] }
        }
        "cubic" => {
            if node.int("exclude_outside", 0) != 0 {
                return Err(unsupported("attribute exclude_outside = 1"));
            }
            let a = node.float("cubic_coeff_a", -0.75);
            let weight = |x: f32| {
                let x = x.abs();
                if x <= 1.0 {
                    ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
                } else {
                    ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
                }
            };
            let tap = |offset: i32| {
                let source = |x: &f32| (x.floor() as i32 + offset).clamp(0, last);
                let weights = |x: &f32| weight(x - x.floor() - offset as f32);
                (points.iter().map(source).collect(), points.iter().map(weights).collect())
            };
            let (sources, weights) = (-1..=2).map(tap).unzip();
            Taps { sources, weights }
        }
        other => return Err(unsupported(format!("attribute mode = {other}"))),
    };
    Ok(taps)
}
