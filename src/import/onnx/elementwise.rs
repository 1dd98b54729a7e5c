//! Activations and arithmetic.

use super::lower::{Lowering, Value, first, input, output, unsupported};
use super::proto::NodeProto;
use super::tensor::Constant;
use super::view::View;
use crate::error::{Error, Result};
use crate::model::{Activation, BinaryKind, Op, Residual};

/// Slopes this near 1/6 are the 1/6 of hard-swish, as some exporters round it.
const SIXTH_TOLERANCE: f32 = 1e-4;

impl<'a> Lowering<'a> {
    /// Lowers an operator that computes something.
    pub(super) fn compute(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        match node.op {
            "Conv" => self.conv(node),
            "ConvTranspose" => self.conv_transpose(node),
            "MaxPool" | "AveragePool" => self.pool(node),
            "BatchNormalization" => self.batch_normalization(node),
            "LayerNormalization" | "InstanceNormalization" | "GroupNormalization" => self.normalisation(node),
            "Add" | "Sub" | "Mul" | "Div" => self.arithmetic(node),
            "Min" | "Max" => self.extreme(node),
            "Pow" => self.power(node),
            "Neg" => self.negated(node),
            "Selu" | "Celu" | "Softsign" | "Ceil" | "Swish" => self.composed(node),
            "Where" => self.masked(node),
            "ReduceLogSumExp" => self.log_sum_exp(node),
            "Sum" | "Mean" => self.total(node),
            "PRelu" => self.parametric_relu(node),
            "MatMul" => self.matmul(node),
            "Gemm" => self.gemm(node),
            "Softmax" | "LogSoftmax" => self.softmax(node),
            "GlobalAveragePool" | "GlobalMaxPool" | "ReduceMean" | "ReduceMax" | "ReduceMin"
            | "ReduceSum" | "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceSumSquare" => {
                self.reduction(node)
            }
            "Resize" | "Upsample" => self.resize(node),
            "Pad" => self.pad(node),
            "Expand" | "Tile" => self.repeat(node),
            "DepthToSpace" | "SpaceToDepth" => self.depth_and_space(node),
            "Cast" if matches!(node.int("to", 1), 1 | 10 | 11) => {
                let value = self.value(first(node)?)?;
                self.set(output(node)?, value)
            }
            "Einsum" => self.einsum(node),
            _ => match self.activation(node)? {
                Some(activation) => self.unary(node, activation),
                None => Err(unsupported(format!("operator {} is not known", node.op))),
            },
        }
    }

    fn activation(&mut self, node: &'a NodeProto<'a>) -> Result<Option<Activation>> {
        Ok(Some(match node.op {
            "Relu" => Activation::Relu,
            "LeakyRelu" => Activation::LeakyRelu { slope: node.float("alpha", 0.01) },
            "Sigmoid" => Activation::Sigmoid,
            "HardSigmoid" => {
                Activation::HardSigmoid { slope: node.float("alpha", 0.2), offset: node.float("beta", 0.5) }
            }
            "HardSwish" => Activation::HardSwish,
            "Tanh" => Activation::Tanh,
            "Mish" => Activation::Mish,
            "Gelu" if node.text("approximate", "none") == "tanh" => Activation::GeluTanh,
            "Gelu" => Activation::Gelu,
            "Softplus" => Activation::Softplus,
            "Elu" => Activation::Elu { alpha: node.float("alpha", 1.0) },
            "Erf" => Activation::Erf,
            "Exp" => Activation::Exp,
            "Log" => Activation::Log,
            "Sqrt" => Activation::Sqrt,
            "Reciprocal" => Activation::Reciprocal,
            "Abs" => Activation::Abs,
            "Floor" => Activation::Floor,
            "Sin" => Activation::Sin,
            "Cos" => Activation::Cos,
            "Clip" => {
                let low = self.bound(node, 1, "min", f32::MIN)?;
                let high = self.bound(node, 2, "max", f32::MAX)?;
                if low == 0.0 && high == f32::MAX { Activation::Relu } else { Activation::Clip { low, high } }
            }
            _ => return Ok(None),
        }))
    }

    fn bound(&mut self, node: &'a NodeProto<'a>, index: usize, name: &str, default: f32) -> Result<f32> {
        let value = match node.inputs.get(index).filter(|name| !name.is_empty()) {
            None => node.float(name, default),
            Some(input) => match self.value(input)? {
                Value::Constant(constant) => match constant.to_floats().as_slice() {
                    &[value] => value,
                    _ => return Err(Error::model(format!("its {name} is not one number"))),
                },
                _ => return Err(unsupported(format!("{name} is computed from the picture, not constant"))),
            },
        };
        if value.is_nan() {
            return Err(Error::model(format!("its {name} is not a number")));
        }
        Ok(value.clamp(f32::MIN, f32::MAX))
    }

    /// Applies an element-wise function under any view: the maps below change, the view stays.
    fn unary(&mut self, node: &'a NodeProto<'a>, activation: Activation) -> Result<()> {
        let value = self.value(first(node)?)?;
        let result = self.apply(output(node)?, &value, activation)?;
        self.set(output(node)?, result)
    }

    /// The sum of any number of inputs.
    fn total(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let mut result = self.value(first(node)?)?;
        for &other in node.inputs.iter().skip(1) {
            let other = self.value(other)?;
            result = self.binary(name, BinaryKind::Add, &result, &other)?;
        }
        if node.op == "Mean" {
            let slope = 1.0 / u16::try_from(node.inputs.len()).map_or(1.0, f32::from);
            result = self.apply(name, &result, Activation::Linear { slope, offset: 0.0 })?;
        }
        self.set(name, result)
    }

    fn arithmetic(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let (a, b) = (self.value(input(node, 0)?)?, self.value(input(node, 1)?)?);
        let kind = match node.op {
            "Add" => BinaryKind::Add,
            "Sub" => BinaryKind::Subtract,
            "Mul" => BinaryKind::Multiply,
            _ => BinaryKind::Divide,
        };
        let result = match (&a, &b) {
            (_, Value::Constant(constant)) => {
                if let Some((slope, offset)) = steps(node.op, constant, &a, false) {
                    return self.with_constant(node, &a, (slope, offset));
                }
                self.binary(name, kind, &a, &b)?
            }
            (Value::Constant(constant), _) if kind == BinaryKind::Divide => {
                self.quotient_of(name, constant, &b)?
            }
            (Value::Constant(constant), _) => {
                if let Some((slope, offset)) = steps(node.op, constant, &b, true) {
                    return self.with_constant(node, &b, (slope, offset));
                }
                self.binary(name, kind, &a, &b)?
            }
            _ if kind == BinaryKind::Multiply => match self.gated(name, &a, &b)? {
                Some(gated) => gated,
                None => self.binary(name, kind, &a, &b)?,
            },
            _ => self.binary(name, kind, &a, &b)?,
        };
        self.set(name, result)
    }

    /// A product of a map and its own sigmoid, tanh of softplus or hard sigmoid as one activation.
    fn gated(&mut self, name: &str, a: &Value, b: &Value) -> Result<Option<Value>> {
        let (Value::View(a), Value::View(b)) = (a, b) else { return Ok(None) };
        let (Some(left), Some(right)) = (a.as_map(), b.as_map()) else { return Ok(None) };
        if left.shape != right.shape {
            return Ok(None);
        }
        let maps = [self.gather(name, left)?, self.gather(name, right)?];
        for [x, gate] in [maps, [maps[1], maps[0]]] {
            let Some(product) = self.gate_of(x, gate) else { continue };
            let shape = self.maps[x].shape;
            let map = self.emit(name, Op::Activate { activation: product }, &[x], shape)?;
            return Ok(Some(Value::View(View::whole(map, shape))));
        }
        Ok(None)
    }

    /// The activation that `x * gate` is.
    fn gate_of(&self, x: usize, gate: usize) -> Option<Activation> {
        let maker = self.maker(gate)?;
        let Op::Activate { activation } = maker.op else { return None };
        let source = maker.inputs.first()?;
        if *source == self.maps[x].name {
            return match activation {
                Activation::Sigmoid => Some(Activation::Silu),
                Activation::HardSigmoid { slope, offset }
                    if (slope - 1.0 / 6.0).abs() < SIXTH_TOLERANCE && offset == 0.5 =>
                {
                    Some(Activation::HardSwish)
                }
                _ => None,
            };
        }
        let inner = self.graph.nodes.iter().find(|node| node.name == *source)?;
        let softplus = matches!(inner.op, Op::Activate { activation: Activation::Softplus });
        let same = inner.inputs.first() == Some(&self.maps[x].name);
        (activation == Activation::Tanh && softplus && same).then_some(Activation::Mish)
    }

    /// `value * slope + offset`, one of each or one per channel.
    fn with_constant(
        &mut self,
        node: &'a NodeProto<'a>,
        value: &Value,
        (slope, offset): (Vec<f32>, Option<Vec<f32>>),
    ) -> Result<()> {
        let name = output(node)?;
        if let Value::View(view) = value
            && let Some(gather) = view.as_map()
        {
            let map = self.gather(name, gather)?;
            let channels = self.maps[map].shape.channels as usize;
            let spread = |values: Vec<f32>| match values.as_slice() {
                &[value] => vec![value; channels],
                _ => values,
            };
            return self.affine(node, map, spread(slope), offset.map(spread), [0; 4]);
        }
        let offset = offset.map_or(0.0, |values| values[0]);
        let result = self.apply(name, value, Activation::Linear { slope: slope[0], offset })?;
        self.set(name, result)
    }

    /// A factor and a summand per channel, as a depthwise 1x1 convolution.
    pub(super) fn affine(
        &mut self,
        node: &'a NodeProto<'a>,
        map: usize,
        scale: Vec<f32>,
        shift: Option<Vec<f32>>,
        padding: [u32; 4],
    ) -> Result<()> {
        let mut shape = self.maps[map].shape;
        let groups = shape.channels;
        shape.height += padding[0] + padding[2];
        shape.width += padding[1] + padding[3];
        let (name, channels) = (output(node)?, scale.len());
        let weight = self.tensor(&format!("{name}.weight"), vec![channels, 1, 1, 1], scale)?;
        let bias = match shift {
            Some(shift) => Some(self.tensor(&format!("{name}.bias"), vec![channels], shift)?),
            None => None,
        };
        let op = Op::Conv {
            weight,
            bias,
            stride: [1, 1],
            padding,
            dilation: [1, 1],
            groups,
            activation: Activation::None,
            residual: Residual::None,
        };
        self.finish(node, op, &[map], shape)
    }

    fn batch_normalization(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        if node.int("training_mode", 0) != 0 || node.outputs.iter().skip(1).any(|name| !name.is_empty()) {
            return Err(unsupported("attribute training_mode = 1, or more than one output"));
        }
        let map = self.map(first(node)?)?;
        let channels = self.maps[map].shape.channels as usize;
        let mut rows = Vec::with_capacity(4);
        for index in 1..5 {
            let Value::Constant(constant) = self.value(input(node, index)?)? else {
                return Err(unsupported(format!("input {index} is computed from the picture, not constant")));
            };
            if constant.shape.as_slice() != [channels] {
                return Err(Error::model(format!("input {index} has shape {:?}", constant.shape)));
            }
            rows.push(constant.to_floats());
        }
        let [gamma, beta, mean, variance] = rows.as_slice() else {
            return Err(Error::model("it has no four statistics"));
        };
        let epsilon = f64::from(node.float("epsilon", 1e-5));
        let (mut scale, mut shift) = (Vec::new(), Vec::new());
        for channel in 0..channels {
            let factor = f64::from(gamma[channel]) / (f64::from(variance[channel]) + epsilon).sqrt();
            scale.push(narrow(factor));
            shift.push(narrow(f64::from(beta[channel]) - f64::from(mean[channel]) * factor));
        }
        self.affine(node, map, scale, Some(shift), [0; 4])
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32 in this library")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// `value op constant`, or `constant op value` if `swapped`, as a factor and a summand: one of each, or one per channel
/// of a map; none if the constant is of another form.
fn steps(
    op: &str,
    constant: &Constant,
    value: &Value,
    swapped: bool,
) -> Option<(Vec<f32>, Option<Vec<f32>>)> {
    let shape = value.shape();
    let values = constant.to_floats();
    let single = values.len() == 1 && constant.shape.len() <= shape.len();
    let is_map = matches!(value, Value::View(view) if view.as_map().is_some());
    let channels = match constant.shape.as_slice() {
        [c, 1, 1] | [1, c, 1, 1] => is_map && shape.get(1) == Some(c),
        _ => false,
    };
    if !single && !channels {
        return None;
    }
    let ones = vec![1.0; values.len()];
    Some(match (op, swapped) {
        ("Add", _) => (ones, Some(values)),
        ("Sub", false) => (ones, Some(values.iter().map(|v| -v).collect())),
        ("Sub", true) => (vec![-1.0; values.len()], Some(values)),
        ("Mul", _) => (values, None),
        _ => (values.iter().map(|v| 1.0 / v).collect(), None),
    })
}
