//! Activations and arithmetic.

use super::lower::{Lowering, Value, first, input, output, unsupported};
use super::movement::list;
use super::proto::NodeProto;
use super::tensor::Constant;
use super::view::{Gather, View};
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{Activation, Op, Residual};

/// Slopes this near 1/6 are the 1/6 of hard-swish, as some exporters round it.
const SIXTH_TOLERANCE: f32 = 1e-4;

impl<'a> Lowering<'a> {
    /// Lowers an operator that computes something.
    pub(super) fn compute(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        match node.op {
            "Conv" => self.conv(node),
            "MaxPool" | "AveragePool" | "GlobalAveragePool" => self.pool(node),
            "BatchNormalization" => self.batch_normalization(node),
            "Add" | "Sub" | "Mul" | "Div" => self.arithmetic(node),
            "Resize" | "Upsample" => self.resize(node),
            "Pad" => self.pad(node),
            "Cast" if matches!(node.int("to", 1), 1 | 10 | 11) => {
                let value = self.value(first(node)?)?;
                self.set(output(node)?, value)
            }
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
        let name = first(node)?;
        let result = match self.value(name)? {
            Value::View(view) => Value::View(self.activate(node, name, &view, activation)?),
            Value::Joined { parts, axis } => {
                let parts = parts
                    .iter()
                    .map(|part| self.activate(node, name, part, activation))
                    .collect::<Result<_>>()?;
                Value::Joined { parts, axis }
            }
            Value::Constant(_) => return Err(unsupported("its input is constant")),
        };
        self.set(output(node)?, result)
    }

    fn activate(
        &mut self,
        node: &'a NodeProto<'a>,
        name: &str,
        view: &View,
        activation: Activation,
    ) -> Result<View> {
        let (gather, dims) = match view.as_map() {
            Some(gather) => (gather, None),
            None => {
                let channels = u32::try_from(view.taps.len()).unwrap_or(0);
                let shape = Shape::new(channels, view.size[0], view.size[1]);
                if view.taps.iter().any(|tap| tap.dy != 0 || tap.dx != 0) {
                    return Err(unsupported(format!("input \"{name}\" is a part of the rows or columns")));
                }
                (Gather { taps: view.taps.to_vec(), step: 1, shape }, Some(view.dims.clone()))
            }
        };
        let map = self.gather(name, gather)?;
        let shape = self.maps[map].shape;
        let result = self.emit(output(node)?, Op::Activate { activation }, &[map], shape)?;
        let whole = View::whole(result, shape);
        Ok(match dims {
            Some(dims) => View { dims, ..whole },
            None => whole,
        })
    }

    fn arithmetic(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let (a, b) = (input(node, 0)?, input(node, 1)?);
        match (self.value(a)?, self.value(b)?, node.op) {
            (_, Value::Constant(constant), _) => self.with_constant(node, a, &constant, false),
            (Value::Constant(constant), _, "Add" | "Sub" | "Mul") => {
                self.with_constant(node, b, &constant, true)
            }
            (_, _, "Add") => {
                let maps = [self.map(a)?, self.map(b)?];
                let shapes = maps.map(|map| self.maps[map].shape);
                if shapes[0] != shapes[1] {
                    return Err(unsupported(format!("adds {:?} and {:?}", shapes[0], shapes[1])));
                }
                self.finish(node, Op::Add { activation: Activation::None }, &maps, shapes[0])
            }
            (_, _, "Mul") => {
                let maps = [self.map(a)?, self.map(b)?];
                self.product(node, maps)
            }
            _ => Err(unsupported(format!("{} of two maps", node.op))),
        }
    }

    /// A product of a map and its own sigmoid; no other product of maps is known.
    fn product(&mut self, node: &'a NodeProto<'a>, maps: [usize; 2]) -> Result<()> {
        for [x, gate] in [maps, [maps[1], maps[0]]] {
            let Some(maker) = self.maker(gate) else { continue };
            let Op::Activate { activation } = &maker.op else { continue };
            if maker.inputs.first() != Some(&self.maps[x].name) {
                continue;
            }
            let product = match *activation {
                Activation::Sigmoid => Activation::Silu,
                Activation::HardSigmoid { slope, offset }
                    if (slope - 1.0 / 6.0).abs() < SIXTH_TOLERANCE && offset == 0.5 =>
                {
                    Activation::HardSwish
                }
                _ => continue,
            };
            let shape = self.maps[x].shape;
            return self.finish(node, Op::Activate { activation: product }, &[x], shape);
        }
        let [a, b] = maps.map(|map| {
            let shape = self.maps[map].shape;
            format!("[{}, {}, {}]", shape.channels, shape.height, shape.width)
        });
        Err(unsupported(format!(
            "product of two maps of shapes {a} and {b}: only x * Sigmoid(x) and x * HardSigmoid(x) with slope \
             1/6 are"
        )))
    }

    /// `map op constant`, or `constant op map` if `swapped`, as a factor and a summand per channel.
    fn with_constant(
        &mut self,
        node: &'a NodeProto<'a>,
        name: &'a str,
        constant: &Constant,
        swapped: bool,
    ) -> Result<()> {
        let map = self.map(name)?;
        let channels = self.maps[map].shape.channels as usize;
        let values = per_channel(constant, channels).ok_or_else(|| {
            unsupported(format!(
                "constant of shape {:?} with a map of {channels} channels: only one number, or one per channel",
                constant.shape
            ))
        })?;
        let ones = vec![1.0; channels];
        let negated = values.iter().map(|v| -v).collect();
        let (scale, shift) = match (node.op, swapped) {
            ("Add", _) => (ones, Some(values)),
            ("Sub", false) => (ones, Some(negated)),
            ("Sub", true) => (vec![-1.0; channels], Some(values)),
            ("Mul", _) => (values, None),
            _ => (values.iter().map(|v| 1.0 / v).collect(), None),
        };
        self.affine(node, map, scale, shift, [0; 4])
    }

    /// A factor and a summand per channel, as a depthwise 1x1 convolution.
    fn affine(
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

    /// Padding by zeros, as a depthwise 1x1 convolution with that padding.
    fn pad(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let constants = self.constants(node)?;
        let pads = list(node, &constants, 1, "pads")?.unwrap_or_default();
        let filled = match constants.get(2) {
            Some(Some(value)) => value.to_floats().iter().any(|&v| v != 0.0),
            _ => node.float("value", 0.0) != 0.0,
        };
        let mode = node.text("mode", "constant");
        if pads.iter().all(|&pad| pad == 0) {
            let value = self.value(first(node)?)?;
            return self.set(output(node)?, value);
        }
        let zeros = matches!(pads.as_slice(), [0, 0, _, _, 0, 0, _, _])
            && pads.iter().all(|pad| (0..=1 << 12).contains(pad))
            && node.inputs.get(3).is_none_or(|name| name.is_empty());
        if mode != "constant" || filled || !zeros {
            return Err(unsupported(format!(
                "attributes mode = {mode}, pads = {pads:?}: only zeros around a map"
            )));
        }
        let map = self.map(first(node)?)?;
        let side = |index: usize| pads.get(index).and_then(|&pad| u32::try_from(pad).ok()).unwrap_or(0);
        let channels = self.maps[map].shape.channels as usize;
        self.affine(node, map, vec![1.0; channels], None, [2, 3, 6, 7].map(side))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32 in this library")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// One value per channel from a constant that spreads over `[1, C, H, W]`.
fn per_channel(constant: &Constant, channels: usize) -> Option<Vec<f32>> {
    let values = constant.to_floats();
    if let &[value] = values.as_slice() {
        return (constant.shape.len() <= 4).then(|| vec![value; channels]);
    }
    let fits = matches!(constant.shape.as_slice(), [c, 1, 1] | [1, c, 1, 1] if *c == channels);
    fits.then_some(values)
}
