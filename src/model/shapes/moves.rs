//! Shapes of arithmetic, reductions, products and rearrangements of maps.

use super::super::Weights;
use super::super::graph::{Axis, Digit};
use crate::error::{Error, Result};
use crate::geom::Shape;

/// Digits of one rearrangement beyond this are refused.
const MAX_DIGITS: usize = 12;

/// Two shapes with sides of 1 repeated.
pub(super) fn repeated(a: Shape, b: Shape) -> Result<Shape> {
    let mut out = [0; 3];
    for (out, (a, b)) in out.iter_mut().zip(a.sides().into_iter().zip(b.sides())) {
        *out = match (a, b) {
            (a, b) if a == b => a,
            (1, side) | (side, 1) => side,
            _ => return Err(Error::model("its inputs differ on an axis where neither is 1 long")),
        };
    }
    Ok(Shape::new(out[0], out[1], out[2]))
}

pub(super) fn reduced(input: Shape, axes: &[Axis]) -> Result<Shape> {
    let mut out = input.sides();
    for (at, &axis) in axes.iter().enumerate() {
        if axes[..at].contains(&axis) {
            return Err(Error::model(format!("it reduces {axis:?} twice")));
        }
        out[axis.index()] = 1;
    }
    Ok(Shape::new(out[0], out[1], out[2]))
}

pub(super) fn product(a: Shape, b: Shape) -> Result<Shape> {
    if a.width != b.height || (a.channels != b.channels && a.channels != 1 && b.channels != 1) {
        return Err(Error::model(format!("multiplies {a:?} and {b:?}")));
    }
    Ok(Shape::new(a.channels.max(b.channels), a.height, b.width))
}

pub(super) fn rearranged(input: Shape, shape: [u32; 3], digits: &[Digit]) -> Result<Shape> {
    if digits.len() > MAX_DIGITS {
        return Err(Error::model(format!("{} digits are more than {MAX_DIGITS}", digits.len())));
    }
    let elements = shape.into_iter().try_fold(1u64, |product, side| product.checked_mul(u64::from(side)));
    let counted = digits.iter().try_fold(1u64, |product, digit| product.checked_mul(u64::from(digit.size)));
    if elements.is_none() || elements != counted {
        return Err(Error::model(format!("its digits do not count the elements of {shape:?}")));
    }
    let mut last = [0u64; 3];
    for digit in digits {
        let steps = u64::from(digit.size.saturating_sub(1)) * u64::from(digit.stride);
        last[digit.axis.index()] = last[digit.axis.index()].saturating_add(steps);
    }
    if last.iter().zip(input.sides()).any(|(&last, side)| last >= u64::from(side)) {
        return Err(Error::model(format!("its digits reach beyond {input:?}")));
    }
    Ok(Shape::new(shape[0], shape[1], shape[2]))
}

pub(super) fn joined(inputs: &[Shape]) -> Result<Shape> {
    let first = inputs.first().ok_or_else(|| Error::model("has no input"))?;
    let mut positions = 0u32;
    for shape in inputs {
        if shape.channels != first.channels {
            return Err(Error::model("its inputs differ in channels"));
        }
        positions =
            positions.checked_add(shape.pixels()).ok_or_else(|| Error::model("its result is too large"))?;
    }
    Ok(Shape::new(first.channels, 1, positions))
}

pub(super) fn sampled(input: Shape, lists: [&[i32]; 2], fill: f32) -> Result<Shape> {
    for (list, side) in lists.into_iter().zip([input.height, input.width]) {
        if let Some(index) = list.iter().find(|&&index| index < -1 || i64::from(index) >= i64::from(side)) {
            return Err(Error::model(format!("it takes row or column {index} of {side}")));
        }
    }
    if !fill.is_finite() {
        return Err(Error::model("its fill is not finite"));
    }
    let [height, width] = lists.map(|list| u32::try_from(list.len()).unwrap_or(0));
    Ok(Shape::new(input.channels, height, width))
}

pub(super) fn constant(weights: &Weights, name: &str) -> Result<Shape> {
    let shape = &weights.get(name)?.shape;
    let &[channels, height, width] = shape.as_slice() else {
        return Err(Error::model(format!("tensor \"{name}\" has shape {shape:?}, needs 3 axes")));
    };
    let [channels, height, width] = [channels, height, width].map(|side| u32::try_from(side).unwrap_or(0));
    Ok(Shape::new(channels, height, width))
}
