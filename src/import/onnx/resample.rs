//! Resampling: sizes, filters and sample points.

use super::lower::{Lowering, Value, first, output, unsupported};
use super::movement::axis_of;
use super::proto::NodeProto;
use super::view::View;
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{Op, ResizeKind};

impl<'a> Lowering<'a> {
    pub(super) fn resize(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let map = self.map(first(node)?)?;
        let shape = self.maps[map].shape;
        let size = self.resized(node, shape)?;
        if node.int("antialias", 0) != 0 {
            return Err(unsupported("attribute antialias = 1"));
        }
        let kind = resize_kind(node, shape, size)?;
        let result = Shape::new(shape.channels, size[0], size[1]);
        if (shape.height, shape.width) == (size[0], size[1]) {
            return self.set(output(node)?, Value::View(View::whole(map, shape)));
        }
        self.finish(node, Op::Resize { kind, size }, &[map], result)
    }

    /// Output height and width of a resampling.
    fn resized(&mut self, node: &'a NodeProto<'a>, shape: Shape) -> Result<[u32; 2]> {
        let constants = self.constants(node)?;
        let full = [1, shape.channels, shape.height, shape.width];
        let axes = match node.ints("axes") {
            Some(axes) => axes.iter().map(|&axis| axis_of(axis, 4)).collect::<Result<Vec<_>>>()?,
            None => vec![0, 1, 2, 3],
        };
        let constant = |index: usize| constants.get(index).cloned().flatten().filter(|c| c.len() > 0);
        let scales_at = if node.op == "Upsample" || self.opset < 11 { 1 } else { 2 };
        let mut result = full.map(i64::from);
        if let Some(sizes) = constant(3) {
            if node.text("keep_aspect_ratio_policy", "stretch") != "stretch" {
                return Err(unsupported("attribute keep_aspect_ratio_policy other than stretch"));
            }
            let sizes = sizes.as_ints().ok_or_else(|| Error::model("its sizes are not integers"))?;
            for (&axis, &size) in axes.iter().zip(sizes) {
                result[axis] = size;
            }
        } else if let Some(scales) = constant(scales_at) {
            for (&axis, scale) in axes.iter().zip(scales.to_floats()) {
                result[axis] = scaled(full[axis], scale)?;
            }
        } else {
            return Err(unsupported("scales or sizes that are computed from the picture, not constant"));
        }
        if result[..2] != [1, i64::from(shape.channels)] {
            return Err(unsupported(format!("resampling of {full:?} to {result:?}: only rows and columns")));
        }
        let side = |value: i64| {
            u32::try_from(value)
                .ok()
                .filter(|side| (1..=1 << 14).contains(side))
                .ok_or_else(|| unsupported(format!("resampling of {full:?} to {result:?}")))
        };
        Ok([side(result[2])?, side(result[3])?])
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates; sides are checked after")]
fn scaled(side: u32, scale: f32) -> Result<i64> {
    let exact = f64::from(side) * f64::from(scale);
    let rounded = exact.round();
    // Where the product is no whole number, the sample points follow the scale and not the two sizes.
    if (exact - rounded).abs() > 1e-3 {
        return Err(unsupported(format!("scale {scale} of a side of {side}: only scales to whole pixels")));
    }
    Ok(rounded as i64)
}

fn resize_kind(node: &NodeProto<'_>, shape: Shape, size: [u32; 2]) -> Result<ResizeKind> {
    let upsample = node.op == "Upsample";
    let points =
        node.text("coordinate_transformation_mode", if upsample { "asymmetric" } else { "half_pixel" });
    let mode = node.text("mode", "nearest");
    let whole = size[0].is_multiple_of(shape.height) && size[1].is_multiple_of(shape.width);
    let factor = [size[0] / shape.height, size[1] / shape.width];
    let single = size[0] == 1 || size[1] == 1;
    match (mode, points) {
        ("linear", "half_pixel") => Ok(ResizeKind::LinearHalfPixel),
        ("linear", "pytorch_half_pixel") if !single => Ok(ResizeKind::LinearHalfPixel),
        ("linear", "asymmetric") => Ok(ResizeKind::LinearAsymmetric),
        ("linear", "align_corners") if !single => Ok(ResizeKind::LinearAlignCorners),
        ("nearest", points) => {
            let rounding = node.text("nearest_mode", if upsample { "floor" } else { "round_prefer_floor" });
            let half = matches!(points, "half_pixel" | "pytorch_half_pixel") && !single;
            let equal = match (points, rounding) {
                ("asymmetric", "floor") => true,
                ("asymmetric", "round_prefer_floor") => whole && factor.iter().all(|&f| f <= 2),
                (_, "round_prefer_floor" | "round_prefer_ceil") => half && whole,
                _ => false,
            };
            if equal {
                return Ok(ResizeKind::NearestAsymmetricFloor);
            }
            Err(unsupported(format!(
                "attributes mode = nearest, coordinate_transformation_mode = {points}, nearest_mode = {rounding} \
                 from {}x{} to {}x{}",
                shape.width, shape.height, size[1], size[0]
            )))
        }
        _ => Err(unsupported(format!("attributes mode = {mode}, coordinate_transformation_mode = {points}"))),
    }
}
