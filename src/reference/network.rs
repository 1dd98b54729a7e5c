//! The whole network on the CPU, node by node, maps as `[channels, height, width]`.

mod moves;

use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{Activation, Model, Node, Op, Output, PoolKind, Residual, ResizeKind};
use std::collections::HashMap;

/// All maps of a model by name, from the normalised input `[3, height, width]`.
///
/// # Errors
/// `Input` if the input is not of the model's size; `Model` if a map is missing.
pub fn run(model: &Model, input: &[f32]) -> Result<HashMap<String, Vec<f32>>> {
    let graph = &model.info().graph;
    let shape = model.shapes().get(&graph.input)?;
    if input.len() != len(shape) {
        return Err(Error::input(format!("the input has {} elements, needs {}", input.len(), len(shape))));
    }
    let mut maps = HashMap::from([(graph.input.clone(), input.to_vec())]);
    for node in &graph.nodes {
        let result = evaluate(model, node, &maps).map_err(|e| e.at(format!("node \"{}\"", node.name)))?;
        maps.insert(node.name.clone(), result);
    }
    Ok(maps)
}

/// An output of the imported network in its own layout.
///
/// # Errors
/// `Model` if a map is missing.
pub fn output(model: &Model, maps: &HashMap<String, Vec<f32>>, output: &Output) -> Result<Vec<f32>> {
    output.layout(model.shapes(), |name| maps.get(name).map(Vec::as_slice))
}

fn len(shape: Shape) -> usize {
    shape.channels as usize * shape.pixels() as usize
}

/// A map with its sizes.
#[derive(Clone, Copy)]
struct Plane<'a> {
    data: &'a [f32],
    channels: usize,
    height: usize,
    width: usize,
}

impl<'a> Plane<'a> {
    fn new(data: &'a [f32], shape: Shape) -> Self {
        let [channels, height, width] = [shape.channels, shape.height, shape.width].map(|v| v as usize);
        Self { data, channels, height, width }
    }

    fn row(&self, channel: usize, y: usize) -> &'a [f32] {
        let start = (channel * self.height + y) * self.width;
        &self.data[start..start + self.width]
    }
}

fn evaluate(model: &Model, node: &Node, maps: &HashMap<String, Vec<f32>>) -> Result<Vec<f32>> {
    let mut inputs = Vec::with_capacity(node.inputs.len());
    for name in &node.inputs {
        let data = maps.get(name).ok_or_else(|| Error::model(format!("there is no map \"{name}\"")))?;
        inputs.push(Plane::new(data, model.shapes().get(name)?));
    }
    let out = model.shapes().get(&node.name)?;
    if let Op::Constant { tensor } = &node.op {
        return Ok(model.weights().get(tensor)?.data.clone());
    }
    let first = *inputs.first().ok_or_else(|| Error::model("has no input"))?;
    let activated = |activation: &Activation, data: &mut Vec<f32>| {
        if !activation.is_none() {
            data.iter_mut().for_each(|v| *v = activation.apply(*v));
        }
    };
    Ok(match &node.op {
        Op::Conv { activation, residual, .. } => {
            let mut sum = conv(model, &node.op, first, out)?;
            let add = |sum: &mut Vec<f32>| {
                for (v, r) in sum.iter_mut().zip(inputs.get(1).map_or(&[][..], |plane| plane.data)) {
                    *v += r;
                }
            };
            if *residual == Residual::BeforeActivation {
                add(&mut sum);
            }
            activated(activation, &mut sum);
            if *residual == Residual::AfterActivation {
                add(&mut sum);
            }
            sum
        }
        Op::Pool { .. } => pool(&node.op, first, out),
        Op::Resize { kind, .. } => resize(*kind, first, out),
        Op::Add { activation } => {
            let second = inputs.get(1).map_or(&[][..], |plane| plane.data);
            let mut sum: Vec<f32> = first.data.iter().zip(second).map(|(a, b)| a + b).collect();
            activated(activation, &mut sum);
            sum
        }
        Op::Binary { kind } => moves::binary(*kind, [first, inputs[1]], out),
        Op::Softmax { axis } => moves::softmax(*axis, first),
        Op::Reduce { kind, axes } => moves::reduce(*kind, axes, first, out),
        Op::Matmul => moves::matmul([first, inputs[1]], out),
        Op::Rearrange { digits, .. } => moves::rearrange(digits, first, out),
        Op::Join => moves::join(&inputs),
        Op::Sample { rows, columns, fill } => moves::sample(rows, columns, *fill, first),
        Op::Constant { .. } => Vec::new(),
        Op::ConvTranspose { activation, .. } => {
            let mut sum = moves::conv_transpose(model, &node.op, first, out)?;
            activated(activation, &mut sum);
            sum
        }
        Op::Activate { activation } => first.data.iter().map(|&v| activation.apply(v)).collect(),
        Op::Channels { step, map } => {
            let step = *step as usize;
            let mut result = Vec::with_capacity(len(out));
            for &entry in map {
                let [input, channel, dy, dx] = entry.map(|v| v as usize);
                for y in 0..out.height as usize {
                    let row = inputs[input].row(channel, y * step + dy);
                    result.extend(row.iter().skip(dx).step_by(step));
                }
            }
            result
        }
    })
}

/// Output columns whose tap at `offset` lies in a row of `width`.
fn inside(offset: isize, stride: usize, width: usize, out: usize) -> (usize, usize) {
    let first = if offset < 0 { offset.unsigned_abs().div_ceil(stride) } else { 0 };
    let room = width.saturating_add_signed(-offset);
    let room = if offset >= width.cast_signed() { 0 } else { room };
    (first.min(out), room.div_ceil(stride).min(out))
}

fn conv(model: &Model, op: &Op, input: Plane<'_>, shape: Shape) -> Result<Vec<f32>> {
    let Op::Conv { weight, bias, stride, padding, dilation, groups, .. } = op else {
        return Err(Error::model("not a convolution"));
    };
    let weight = model.weights().get(weight)?;
    let (out, per_group) = (shape.channels as usize, weight.shape[1]);
    let (kernel_h, kernel_w) = (weight.shape[2], weight.shape[3]);
    let [height, width] = [shape.height, shape.width].map(|v| v as usize);
    let stride = stride.map(|v| v as usize);
    let mut result = vec![0.0; out * height * width];
    for o in 0..out {
        let start = match bias {
            Some(bias) => model.weights().get(bias)?.data[o],
            None => 0.0,
        };
        let plane = &mut result[o * height * width..(o + 1) * height * width];
        plane.fill(start);
        let group = o / (out / *groups as usize);
        for (k, tap) in (0..per_group * kernel_h * kernel_w).map(|tap| (tap, tap % (kernel_h * kernel_w))) {
            let factor = weight.data[o * per_group * kernel_h * kernel_w + k];
            let channel = group * per_group + k / (kernel_h * kernel_w);
            let offset = |index: usize, axis: usize| {
                (index * dilation[axis] as usize).cast_signed() - (padding[axis] as usize).cast_signed()
            };
            let (dy, dx) = (offset(tap / kernel_w, 0), offset(tap % kernel_w, 1));
            let (y0, y1) = inside(dy, stride[0], input.height, height);
            let (x0, x1) = inside(dx, stride[1], input.width, width);
            for y in y0..y1.max(y0) {
                let row = input.row(channel, (y * stride[0]).wrapping_add_signed(dy));
                let source = &row[(x0 * stride[1]).wrapping_add_signed(dx).min(row.len())..];
                let target = &mut plane[y * width + x0..y * width + x1.max(x0)];
                if stride[1] == 1 {
                    target.iter_mut().zip(source).for_each(|(t, s)| *t += factor * s);
                } else {
                    target
                        .iter_mut()
                        .zip(source.iter().step_by(stride[1]))
                        .for_each(|(t, s)| *t += factor * s);
                }
            }
        }
    }
    Ok(result)
}

fn pool(op: &Op, input: Plane<'_>, shape: Shape) -> Vec<f32> {
    let Op::Pool { kind, kernel, stride, padding, count_padding } = op else { return Vec::new() };
    // Half-open range of the window inside the map.
    let span = |index: u32, axis: usize, side: usize| {
        let start = i64::from(index * stride[axis]) - i64::from(padding[axis]);
        let end = start + i64::from(kernel[axis]);
        let clamp = |v: i64| usize::try_from(v.max(0)).unwrap_or(0).min(side);
        (clamp(start), clamp(end))
    };
    let mut result = Vec::with_capacity(len(shape));
    for channel in 0..input.channels {
        for y in 0..shape.height {
            let (y0, y1) = span(y, 0, input.height);
            for x in 0..shape.width {
                let (x0, x1) = span(x, 1, input.width);
                let values = (y0..y1).flat_map(|row| &input.row(channel, row)[x0..x1]);
                result.push(match kind {
                    PoolKind::Max => values.fold(f32::NEG_INFINITY, |a, &b| a.max(b)),
                    PoolKind::Average => {
                        let all = kernel[0] as usize * kernel[1] as usize;
                        let count = if *count_padding { all } else { (y1 - y0) * (x1 - x0) };
                        #[expect(clippy::cast_precision_loss, reason = "windows below 2^24")]
                        let count = count as f32;
                        values.sum::<f32>() / count
                    }
                });
            }
        }
    }
    result
}

/// The two sources of an output index and the weight of the second.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides below 2^24"
)]
fn sample(kind: ResizeKind, index: usize, from: usize, to: usize) -> (usize, usize, f32) {
    let (at, scale) = (index as f32, from as f32 / to as f32);
    let position = match kind {
        ResizeKind::NearestAsymmetricFloor => return (index * from / to, index * from / to, 0.0),
        ResizeKind::LinearHalfPixel => (at + 0.5) * scale - 0.5,
        ResizeKind::LinearAsymmetric => at * scale,
        ResizeKind::LinearAlignCorners if to == 1 => 0.0,
        ResizeKind::LinearAlignCorners => at * (from - 1) as f32 / (to - 1) as f32,
    };
    let position = position.clamp(0.0, (from - 1) as f32);
    let low = position.floor() as usize;
    (low, (low + 1).min(from - 1), position - position.floor())
}

fn resize(kind: ResizeKind, input: Plane<'_>, shape: Shape) -> Vec<f32> {
    let [height, width] = [shape.height, shape.width].map(|v| v as usize);
    let mut result = Vec::with_capacity(len(shape));
    for channel in 0..input.channels {
        for y in 0..height {
            let (y0, y1, fy) = sample(kind, y, input.height, height);
            let (top, bottom) = (input.row(channel, y0), input.row(channel, y1));
            for x in 0..width {
                let (x0, x1, fx) = sample(kind, x, input.width, width);
                let upper = top[x0] + (top[x1] - top[x0]) * fx;
                let lower = bottom[x0] + (bottom[x1] - bottom[x0]) * fx;
                result.push(upper + (lower - upper) * fy);
            }
        }
    }
    result
}
