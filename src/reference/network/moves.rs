//! Arithmetic, reductions, products and rearrangements of maps on the CPU.

use super::{Plane, len};
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{Axis, BinaryKind, Digit, Model, Op, ReduceKind};

impl Plane<'_> {
    fn at(&self, [channel, y, x]: [usize; 3]) -> f32 {
        self.data[(channel * self.height + y) * self.width + x]
    }

    fn sides(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }
}

/// All indices of a shape in row-major order.
fn indices([channels, height, width]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    (0..channels).flat_map(move |c| (0..height).flat_map(move |y| (0..width).map(move |x| [c, y, x])))
}

fn sides(shape: Shape) -> [usize; 3] {
    shape.sides().map(|side| side as usize)
}

pub(super) fn binary(kind: BinaryKind, inputs: [Plane<'_>; 2], out: Shape) -> Vec<f32> {
    let value = |plane: &Plane<'_>, at: [usize; 3]| {
        let sides = plane.sides();
        plane.at(std::array::from_fn(|axis| if sides[axis] == 1 { 0 } else { at[axis] }))
    };
    indices(sides(out)).map(|at| kind.apply(value(&inputs[0], at), value(&inputs[1], at))).collect()
}

/// The values along an axis through `at`.
fn along(input: Plane<'_>, axis: usize, at: [usize; 3]) -> impl Iterator<Item = f32> {
    (0..input.sides()[axis]).map(move |index| {
        let mut place = at;
        place[axis] = index;
        input.at(place)
    })
}

pub(super) fn softmax(axis: Axis, input: Plane<'_>) -> Vec<f32> {
    let axis = axis.index();
    let mut result = vec![0.0; input.data.len()];
    let [_, height, width] = input.sides();
    let mut starts = input.sides();
    starts[axis] = 1;
    for start in indices(starts) {
        let largest = along(input, axis, start).fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = along(input, axis, start).map(|v| (v - largest).exp()).sum();
        for (index, value) in along(input, axis, start).enumerate() {
            let mut at = start;
            at[axis] = index;
            result[(at[0] * height + at[1]) * width + at[2]] = (value - largest).exp() / total;
        }
    }
    result
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "counts below 2^24; results are f32"
)]
pub(super) fn reduce(kind: ReduceKind, axes: &[Axis], input: Plane<'_>, out: Shape) -> Vec<f32> {
    let mut counts = [1; 3];
    for &axis in axes {
        counts[axis.index()] = input.sides()[axis.index()];
    }
    indices(sides(out))
        .map(|at| {
            let values = indices(counts).map(|step| input.at(std::array::from_fn(|a| at[a] + step[a])));
            match kind {
                ReduceKind::Sum => values.map(f64::from).sum::<f64>() as f32,
                ReduceKind::Mean => {
                    (values.map(f64::from).sum::<f64>() / counts.iter().product::<usize>() as f64) as f32
                }
                ReduceKind::Maximum => values.fold(f32::NEG_INFINITY, f32::max),
                ReduceKind::Minimum => values.fold(f32::INFINITY, f32::min),
            }
        })
        .collect()
}

pub(super) fn matmul([a, b]: [Plane<'_>; 2], out: Shape) -> Vec<f32> {
    let mut result = vec![0.0; len(out)];
    let width = out.width as usize;
    for (index, row) in result.chunks_mut(width).enumerate() {
        let (channel, y) = (index / out.height as usize, index % out.height as usize);
        let of = |plane: &Plane<'_>| if plane.channels == 1 { 0 } else { channel };
        for (k, factor) in a.row(of(&a), y).iter().enumerate() {
            row.iter_mut().zip(b.row(of(&b), k)).for_each(|(sum, value)| *sum += factor * value);
        }
    }
    result
}

pub(super) fn rearrange(digits: &[Digit], input: Plane<'_>, out: Shape) -> Vec<f32> {
    (0..len(out))
        .map(|index| {
            let (mut rest, mut at) = (index, [0; 3]);
            for digit in digits.iter().rev() {
                at[digit.axis.index()] += rest % digit.size as usize * digit.stride as usize;
                rest /= digit.size as usize;
            }
            input.at(at)
        })
        .collect()
}

pub(super) fn join(inputs: &[Plane<'_>]) -> Vec<f32> {
    let channels = inputs.first().map_or(0, |plane| plane.channels);
    (0..channels)
        .flat_map(|channel| {
            inputs.iter().flat_map(move |plane| {
                let pixels = plane.height * plane.width;
                plane.data[channel * pixels..][..pixels].iter().copied()
            })
        })
        .collect()
}

pub(super) fn sample(rows: &[i32], columns: &[i32], fill: f32, input: Plane<'_>) -> Vec<f32> {
    let mut result = Vec::with_capacity(input.channels * rows.len() * columns.len());
    for channel in 0..input.channels {
        for &row in rows {
            let row = usize::try_from(row).ok().map(|row| input.row(channel, row));
            result.extend(columns.iter().map(|&column| match (row, usize::try_from(column)) {
                (Some(row), Ok(column)) => row[column],
                _ => fill,
            }));
        }
    }
    result
}

pub(super) fn conv_transpose(model: &Model, op: &Op, input: Plane<'_>, out: Shape) -> Result<Vec<f32>> {
    let Op::ConvTranspose { weight, bias, stride, padding, dilation, groups, .. } = op else {
        return Err(Error::model("not a transposed convolution"));
    };
    let tensor = model.weights().get(weight)?;
    let &[channels, per_group, kernel_h, kernel_w] = tensor.shape.as_slice() else {
        return Err(Error::model("its weight does not have 4 axes"));
    };
    let [_, height, width] = sides(out);
    let mut result = Vec::with_capacity(len(out));
    for o in 0..out.channels as usize {
        let start = match bias {
            Some(bias) => model.weights().get(bias)?.data[o],
            None => 0.0,
        };
        result.resize(result.len() + height * width, start);
    }
    let in_group = channels / *groups as usize;
    // The output pixel that a tap of an input pixel falls on.
    let place = |axis: usize, index: usize, tap: usize, side: usize| {
        (index * stride[axis] as usize + tap * dilation[axis] as usize)
            .checked_sub(padding[axis] as usize)
            .filter(|&at| at < side)
    };
    for channel in 0..channels {
        for part in 0..per_group {
            let o = channel / in_group * per_group + part;
            for tap in 0..kernel_h * kernel_w {
                let factor = tensor.data[(channel * per_group + part) * kernel_h * kernel_w + tap];
                for y in 0..input.height {
                    let Some(to_y) = place(0, y, tap / kernel_w, height) else { continue };
                    for (x, value) in input.row(channel, y).iter().enumerate() {
                        if let Some(to_x) = place(1, x, tap % kernel_w, width) {
                            result[(o * height + to_y) * width + to_x] += factor * value;
                        }
                    }
                }
            }
        }
    }
    Ok(result)
}
