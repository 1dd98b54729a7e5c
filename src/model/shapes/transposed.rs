//! Shapes of transposed convolutions.

use super::super::Weights;
use super::super::graph::Op;
use crate::error::{Error, Result};
use crate::geom::Shape;

/// Kernel sides, steps and padding beyond this are refused.
const MAX_STEP: u32 = 1 << 12;

pub(super) fn conv_transpose(input: Shape, op: &Op, weights: &Weights) -> Result<Shape> {
    let Op::ConvTranspose { weight, bias, stride, padding, dilation, groups, size, .. } = op else {
        return Err(Error::model("not a transposed convolution"));
    };
    let tensor = weights.get(weight)?;
    let &[channels, per_group, kernel_h, kernel_w] = tensor.shape.as_slice() else {
        return Err(Error::model(format!("weight \"{weight}\" has shape {:?}, needs 4 axes", tensor.shape)));
    };
    let [channels, per_group, kernel_h, kernel_w] =
        [channels, per_group, kernel_h, kernel_w].map(|side| u32::try_from(side).unwrap_or(0));
    let out = per_group.checked_mul(*groups).unwrap_or(0);
    if *groups == 0 || out == 0 || channels != input.channels || channels % groups != 0 {
        return Err(Error::model(format!(
            "weight \"{weight}\" {:?} with {groups} groups does not fit {} input channels",
            tensor.shape, input.channels
        )));
    }
    if let Some(bias) = bias {
        let shape = &weights.get(bias)?.shape;
        if shape.as_slice() != [out as usize] {
            return Err(Error::model(format!("bias \"{bias}\" has shape {shape:?}, needs [{out}]")));
        }
    }
    let kernel = [kernel_h, kernel_w];
    let small = |values: &[u32], least: u32| values.iter().all(|value| (least..=MAX_STEP).contains(value));
    if !small(&kernel, 1) || !small(stride, 1) || !small(dilation, 1) || !small(padding, 0) {
        return Err(Error::model(format!(
            "kernel {kernel:?}, stride {stride:?}, padding {padding:?} or dilation {dilation:?} is out of range"
        )));
    }
    for (axis, side) in [input.height, input.width].into_iter().enumerate() {
        let full = u64::from(side - 1) * u64::from(stride[axis])
            + u64::from(kernel[axis] - 1) * u64::from(dilation[axis])
            + 1;
        // Output padding may add less than a step.
        let most = full + u64::from(stride[axis].max(dilation[axis]));
        if u64::from(size[axis]) + u64::from(padding[axis]) > most {
            return Err(Error::model(format!("output {size:?} is larger than what {side} pixels make")));
        }
    }
    Ok(Shape::new(out, size[0], size[1]))
}
