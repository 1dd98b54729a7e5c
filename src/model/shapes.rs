//! Shape inference, and with it the check of every node.

mod moves;
mod transposed;

use super::graph::{Activation, Graph, Node, Op, Residual};
use super::{InputSpec, Weights};
use crate::error::{Error, Result};
use crate::geom::Shape;
use moves::{constant, joined, product, rearranged, reduced, repeated, sampled};
use std::collections::HashMap;
use transposed::conv_transpose;

/// The shape of every map of a graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shapes {
    by_name: HashMap<String, Shape>,
}

/// More nodes than this are refused: planning takes time that grows with their square.
const MAX_NODES: usize = 1 << 14;
/// Elements in one map beyond this are refused: indices are 32 bits wide.
const MAX_MAP_LEN: u64 = 1 << 30;

impl Shapes {
    /// The shape of a map.
    ///
    /// # Errors
    /// `Model` if there is no such map.
    pub fn get(&self, name: &str) -> Result<Shape> {
        self.by_name.get(name).copied().ok_or_else(|| Error::model(format!("there is no map \"{name}\"")))
    }

    /// Infers all shapes and checks every node against its inputs and weights.
    ///
    /// # Errors
    /// `Model`, naming the node: unknown or later-made input (a cycle among them), duplicate name, wrong
    /// number of inputs, wrong tensor shape, empty or absurdly large map.
    pub fn infer(graph: &Graph, input: &InputSpec, weights: &Weights) -> Result<Self> {
        if graph.nodes.len() > MAX_NODES {
            return Err(Error::model(format!("{} nodes are more than {MAX_NODES}", graph.nodes.len())));
        }
        let mut shapes = Self::default();
        shapes.add(&graph.input, Shape::new(3, input.height, input.width))?;
        for node in &graph.nodes {
            let shape = shapes.of_node(node, weights).map_err(|e| e.at(format!("node \"{}\"", node.name)))?;
            shapes.add(&node.name, shape)?;
        }
        for output in &graph.outputs {
            shapes.check_output(output).map_err(|e| e.at(format!("output \"{}\"", output.name)))?;
        }
        Ok(shapes)
    }

    fn add(&mut self, name: &str, shape: Shape) -> Result<()> {
        let [c, h, w] = [shape.channels, shape.height, shape.width].map(u64::from);
        let len = c.checked_mul(h).and_then(|x| x.checked_mul(w)).unwrap_or(u64::MAX);
        if len == 0 || len > MAX_MAP_LEN {
            return Err(Error::model(format!(
                "map \"{name}\": {c}x{h}x{w} is empty or beyond 2^30 elements"
            )));
        }
        if self.by_name.insert(name.to_owned(), shape).is_some() {
            return Err(Error::model(format!("two maps are named \"{name}\"")));
        }
        Ok(())
    }

    fn of_node(&self, node: &Node, weights: &Weights) -> Result<Shape> {
        let inputs = node
            .inputs
            .iter()
            .map(|name| {
                self.get(name).map_err(|_| {
                    Error::model(format!(
                        "input \"{name}\" is not made by an earlier node (unknown, or a cycle)"
                    ))
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let expect = |count: usize| {
            if inputs.len() == count {
                Ok(())
            } else {
                Err(Error::model(format!("has {} inputs, needs {count}", inputs.len())))
            }
        };
        check_activation(&node.op)?;
        match &node.op {
            Op::Conv { residual, .. } => {
                expect(if residual.is_none() { 1 } else { 2 })?;
                let out = conv(inputs[0], &node.op, weights)?;
                if *residual != Residual::None && inputs[1] != out {
                    return Err(Error::model(format!(
                        "residual {:?} is not of the sum's shape {out:?}",
                        inputs[1]
                    )));
                }
                Ok(out)
            }
            Op::Pool { kernel, stride, padding, .. } => {
                expect(1)?;
                if padding[0].max(padding[2]) >= kernel[0] || padding[1].max(padding[3]) >= kernel[1] {
                    return Err(Error::model("padding as large as the pooling window"));
                }
                let (height, width) = window(inputs[0], *kernel, *stride, *padding, [1, 1])?;
                Ok(Shape::new(inputs[0].channels, height, width))
            }
            Op::Resize { size, .. } => {
                expect(1)?;
                Ok(Shape::new(inputs[0].channels, size[0], size[1]))
            }
            Op::Add { .. } => {
                expect(2)?;
                if inputs[0] != inputs[1] {
                    return Err(Error::model(format!("adds {:?} and {:?}", inputs[0], inputs[1])));
                }
                Ok(inputs[0])
            }
            Op::Activate { .. } => {
                expect(1)?;
                Ok(inputs[0])
            }
            Op::Channels { step, map } => channels(&inputs, *step, map),
            Op::Binary { .. } => {
                expect(2)?;
                repeated(inputs[0], inputs[1])
            }
            Op::Softmax { .. } => {
                expect(1)?;
                Ok(inputs[0])
            }
            Op::Reduce { axes, .. } => {
                expect(1)?;
                reduced(inputs[0], axes)
            }
            Op::Matmul => {
                expect(2)?;
                product(inputs[0], inputs[1])
            }
            Op::Rearrange { shape, digits } => {
                expect(1)?;
                rearranged(inputs[0], *shape, digits)
            }
            Op::Join => joined(&inputs),
            Op::Sample { rows, columns, fill } => {
                expect(1)?;
                sampled(inputs[0], [rows, columns], *fill)
            }
            Op::Constant { tensor } => {
                expect(0)?;
                constant(weights, tensor)
            }
            Op::ConvTranspose { .. } => {
                expect(1)?;
                conv_transpose(inputs[0], &node.op, weights)
            }
        }
    }

    fn check_output(&self, output: &super::Output) -> Result<()> {
        let mut positions = 0u64;
        let mut channels = None;
        for name in &output.maps {
            let shape = self.get(name)?;
            if *channels.get_or_insert(shape.channels) != shape.channels {
                return Err(Error::model("its maps differ in channels"));
            }
            positions += u64::from(shape.pixels());
        }
        let total = output.shape.iter().try_fold(1u64, |product, &side| product.checked_mul(side as u64));
        if total != Some(positions * u64::from(channels.unwrap_or(0))) {
            return Err(Error::model(format!("shape {:?} does not hold its maps", output.shape)));
        }
        Ok(())
    }
}

/// Parameters must be finite, and a clip's bounds in order.
fn check_activation(op: &Op) -> Result<()> {
    let (Op::Conv { activation, .. }
    | Op::ConvTranspose { activation, .. }
    | Op::Add { activation }
    | Op::Activate { activation }) = op
    else {
        return Ok(());
    };
    let sound = match *activation {
        Activation::LeakyRelu { slope } => slope.is_finite(),
        Activation::Clip { low, high } => low.is_finite() && high.is_finite() && low <= high,
        Activation::HardSigmoid { slope, offset } | Activation::Linear { slope, offset } => {
            slope.is_finite() && offset.is_finite()
        }
        Activation::Elu { alpha: value } | Activation::Power { exponent: value } => value.is_finite(),
        _ => true,
    };
    if sound {
        Ok(())
    } else {
        Err(Error::model(format!("activation {activation:?} has parameters out of range")))
    }
}

fn conv(input: Shape, op: &Op, weights: &Weights) -> Result<Shape> {
    let Op::Conv { weight, bias, stride, padding, dilation, groups, .. } = op else {
        return Err(Error::model("not a convolution"));
    };
    let tensor = weights.get(weight)?;
    let &[out, per_group, kernel_h, kernel_w] = tensor.shape.as_slice() else {
        return Err(Error::model(format!("weight \"{weight}\" has shape {:?}, needs 4 axes", tensor.shape)));
    };
    let [out, per_group, kernel_h, kernel_w] =
        [out, per_group, kernel_h, kernel_w].map(|v| u32::try_from(v).unwrap_or(0));
    if *groups == 0
        || per_group == 0
        || per_group.checked_mul(*groups) != Some(input.channels)
        || out % groups != 0
        || out == 0
    {
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
    let (height, width) = window(input, [kernel_h, kernel_w], *stride, *padding, *dilation)?;
    Ok(Shape::new(out, height, width))
}

/// Output height and width of a sliding window.
fn window(
    input: Shape,
    kernel: [u32; 2],
    stride: [u32; 2],
    padding: [u32; 4],
    dilation: [u32; 2],
) -> Result<(u32, u32)> {
    const MAX_STEP: u32 = 1 << 12;
    let small = |values: &[u32], least: u32| values.iter().all(|v| (least..=MAX_STEP).contains(v));
    if !small(&kernel, 1) || !small(&stride, 1) || !small(&dilation, 1) || !small(&padding, 0) {
        return Err(Error::model(format!(
            "kernel {kernel:?}, stride {stride:?}, padding {padding:?} or dilation {dilation:?} is out of range"
        )));
    }
    let side = |axis: usize, length: u32| {
        let extent = (kernel[axis] - 1) * dilation[axis] + 1;
        let padded = length + padding[axis] + padding[axis + 2];
        padded
            .checked_sub(extent)
            .map(|free| free / stride[axis] + 1)
            .ok_or_else(|| Error::model(format!("a window of {extent} does not fit a side of {padded}")))
    };
    Ok((side(0, input.height)?, side(1, input.width)?))
}

fn channels(inputs: &[Shape], step: u32, map: &[[u32; 4]]) -> Result<Shape> {
    let first = *inputs.first().ok_or_else(|| Error::model("has no input"))?;
    if inputs.iter().any(|s| (s.height, s.width) != (first.height, first.width)) {
        return Err(Error::model("its inputs differ in height or width"));
    }
    if step == 0 || first.height % step != 0 || first.width % step != 0 {
        return Err(Error::model(format!("step {step} does not divide {}x{}", first.width, first.height)));
    }
    for (out, &[input, channel, dy, dx]) in map.iter().enumerate() {
        let inside = inputs.get(input as usize).is_some_and(|s| channel < s.channels);
        if !inside || dy >= step || dx >= step {
            return Err(Error::model(format!(
                "channel {out} is taken from [{input}, {channel}, {dy}, {dx}], which does not exist"
            )));
        }
    }
    Ok(Shape::new(u32::try_from(map.len()).unwrap_or(0), first.height / step, first.width / step))
}
