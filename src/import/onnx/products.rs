//! Matrix products, softmax, reductions and normalisation of tensors of any shapes.

use super::arithmetic::broadcast;
use super::lower::{Lowering, Value, first, input, output, unsupported};
use super::materialise::move_last;
use super::movement::{axis_of, list};
use super::proto::NodeProto;
use super::tensor::Constant;
use super::view::View;
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{Activation, Axis, BinaryKind, Op, ReduceKind, Residual};
use std::rc::Rc;

/// Reduced elements up to which the reduced axis is laid along the channels.
const MAX_CHANNEL_RUN: usize = 4096;

impl<'a> Lowering<'a> {
    pub(super) fn matmul(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let (a, b) = (self.value(input(node, 0)?)?, self.value(input(node, 1)?)?);
        let result = self.matrix_product(output(node)?, &a, &b)?;
        self.set(output(node)?, result)
    }

    pub(super) fn gemm(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let mut operands = [self.value(input(node, 0)?)?, self.value(input(node, 1)?)?];
        for (operand, flag) in operands.iter_mut().zip(["transA", "transB"]) {
            if node.int(flag, 0) != 0 {
                *operand = self.transposed(name, operand)?;
            }
        }
        let [a, b] = &operands;
        let mut result = self.matrix_product(name, a, b)?;
        let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
        if alpha != 1.0 {
            result = self.apply(name, &result, Activation::Linear { slope: alpha, offset: 0.0 })?;
        }
        if let Some(&bias) = node.inputs.get(2).filter(|name| !name.is_empty()) {
            let mut bias = self.value(bias)?;
            if beta != 1.0 {
                bias = match &bias {
                    Value::Constant(c) => {
                        let scaled = c.to_floats().iter().map(|v| v * beta).collect();
                        Value::Constant(Rc::new(Constant::floats(c.shape.clone(), scaled)))
                    }
                    other => self.apply(name, other, Activation::Linear { slope: beta, offset: 0.0 })?,
                };
            }
            result = self.binary(name, BinaryKind::Add, &result, &bias)?;
        }
        self.set(name, result)
    }

    fn transposed(&mut self, name: &str, value: &Value) -> Result<Value> {
        if let Value::Constant(constant) = value {
            let turned = super::movement::Move::Transpose(vec![1, 0]).on_constant(constant);
            return turned
                .map(|c| Value::Constant(Rc::new(c)))
                .ok_or_else(|| Error::model("its matrix does not have 2 axes"));
        }
        let view = self.view_of(name, value)?;
        let turned =
            view.transpose(&[1, 0]).ok_or_else(|| Error::model("its matrix does not have 2 axes"))?;
        Ok(Value::View(turned))
    }

    fn matrix_product(&mut self, name: &str, a: &Value, b: &Value) -> Result<Value> {
        let (left, right) = (a.shape(), b.shape());
        if left.is_empty() || right.is_empty() {
            return Err(Error::model("it multiplies a single number"));
        }
        if let Value::Constant(matrix) = b
            && let &[inner, columns] = matrix.shape.as_slice()
        {
            let view = self.view_of(name, a)?;
            let axis = left.len() - 1;
            if left[axis] != inner {
                return Err(Error::model(format!("it multiplies {left:?} and {right:?}")));
            }
            return Ok(Value::View(self.mix(name, &view, axis, columns, &matrix.to_floats(), true)?));
        }
        if let Value::Constant(matrix) = a
            && let &[rows, inner] = matrix.shape.as_slice()
            && right.len() >= 2
        {
            let view = self.view_of(name, b)?;
            let axis = right.len() - 2;
            if right[axis] != inner {
                return Err(Error::model(format!("it multiplies {left:?} and {right:?}")));
            }
            return Ok(Value::View(self.mix(name, &view, axis, rows, &matrix.to_floats(), false)?));
        }
        let (a, b) = (self.view_of(name, a)?, self.view_of(name, b)?);
        self.product_of_views(name, &a, &b).map(Value::View)
    }

    /// A linear map of one axis, `inner` to `outer` long, by a matrix `[inner, outer]` or, if not `by_columns`,
    /// `[outer, inner]`: a 1x1 convolution with that axis as the channels.
    fn mix(
        &mut self,
        name: &str,
        view: &View,
        axis: usize,
        outer: usize,
        matrix: &[f32],
        by_columns: bool,
    ) -> Result<View> {
        let mut order: Vec<usize> = (0..view.dims.len()).filter(|&other| other != axis).collect();
        order.insert(0, axis);
        let turned = view.transpose(&order).ok_or_else(|| Error::model("its axes do not fit"))?;
        let mut shape = turned.shape();
        let inner = shape[0];
        let mut map = self.contiguous(name, &turned)?;
        if self.maps[map].shape.channels as usize != inner {
            let rest = shape[1..].iter().product();
            map = self.as_sides(name, &turned, [inner, 1, rest])?;
        }
        let mut weights = vec![0.0; inner * outer];
        for (index, weight) in weights.iter_mut().enumerate() {
            let (row, column) = (index / inner, index % inner);
            *weight = matrix[if by_columns { column * outer + row } else { row * inner + column }];
        }
        let source = self.maps[map].shape;
        let weight = self.tensor(&format!("{name}.weight"), vec![outer, inner, 1, 1], weights)?;
        let op = Op::Conv {
            weight,
            bias: None,
            stride: [1, 1],
            padding: [0; 4],
            dilation: [1, 1],
            groups: 1,
            activation: Activation::None,
            residual: Residual::None,
        };
        let channels = u32::try_from(outer).unwrap_or(0);
        let result = self.emit(name, op, &[map], Shape::new(channels, source.height, source.width))?;
        shape[0] = outer;
        let mut back: Vec<usize> = (1..shape.len()).collect();
        back.insert(axis, 0);
        self.whole_as(result, &shape)?.transpose(&back).ok_or_else(|| Error::model("its axes do not fit"))
    }

    fn product_of_views(&mut self, name: &str, a: &View, b: &View) -> Result<View> {
        let (mut left, mut right) = (a.shape(), b.shape());
        let lone = [left.len() == 1, right.len() == 1];
        if lone[0] {
            left.insert(0, 1);
        }
        if lone[1] {
            right.push(1);
        }
        let bad = || Error::model(format!("it multiplies {:?} and {:?}", a.shape(), b.shape()));
        let (a, b) = (a.reshape(&left).ok_or_else(bad)?, b.reshape(&right).ok_or_else(bad)?);
        let (pairs_a, matrix_a) = left.split_at(left.len() - 2);
        let (pairs_b, matrix_b) = right.split_at(right.len() - 2);
        let pairs = broadcast(pairs_a, pairs_b).ok_or_else(bad)?;
        if matrix_a[1] != matrix_b[0] {
            return Err(bad());
        }
        let count = |sides: &[usize]| sides.iter().product::<usize>();
        let mut maps = Vec::with_capacity(2);
        for (view, own, matrix) in [(&a, pairs_a, matrix_a), (&b, pairs_b, matrix_b)] {
            let channels = count(own);
            maps.push(if channels == 1 || channels == count(&pairs) {
                self.as_sides(name, view, [channels, matrix[0], matrix[1]])?
            } else {
                let full = [pairs.as_slice(), matrix].concat();
                let mut shape = vec![1; full.len() - view.dims.len()];
                shape.extend(view.shape());
                let view = view.reshape(&shape).ok_or_else(bad)?;
                let map = self.expanded(name, &view, &full)?;
                let whole = self.whole_as(map, &full)?;
                self.as_sides(name, &whole, [count(&pairs), matrix[0], matrix[1]])?
            });
        }
        let map = self.matrix_maps(name, [maps[0], maps[1]])?;
        let mut shape = pairs;
        shape.extend((!lone[0]).then_some(matrix_a[0]));
        shape.extend((!lone[1]).then_some(matrix_b[1]));
        self.whole_as(map, &shape)
    }

    /// The product of two maps as matrices.
    pub(super) fn matrix_maps(&mut self, name: &str, maps: [usize; 2]) -> Result<usize> {
        let [a, b] = maps.map(|map| self.maps[map].shape);
        let shape = Shape::new(a.channels.max(b.channels), a.height, b.width);
        self.emit(name, Op::Matmul, &maps, shape)
    }

    pub(super) fn softmax(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let value = self.value(first(node)?)?;
        let rank = value.shape().len();
        let old = self.opset < 13;
        let start = axis_of(node.int("axis", if old { 1 } else { -1 }), rank)?;
        let axes: Vec<usize> = if old { (start..rank).collect() } else { vec![start] };
        let result = if node.op == "LogSoftmax" {
            let total = self.log_of_sum(name, &value, &axes)?;
            self.binary(name, BinaryKind::Subtract, &value, &total)?
        } else {
            self.along(name, &value, &axes, |axis| Op::Softmax { axis }, false)?
        };
        self.set(name, result)
    }

    pub(super) fn reduction(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let value = self.value(first(node)?)?;
        let shape = value.shape();
        let constants = self.constants(node)?;
        let mut axes = match list(node, &constants, 1, "axes")?.filter(|axes| !axes.is_empty()) {
            Some(axes) => axes.iter().map(|&a| axis_of(a, shape.len())).collect::<Result<Vec<_>>>()?,
            None if node.op.starts_with("Global") => (2..shape.len()).collect(),
            None if node.int("noop_with_empty_axes", 0) != 0 => return self.set(name, value),
            None => Vec::new(),
        };
        if axes.is_empty() {
            axes = (0..shape.len()).collect();
        }
        let kind = match node.op {
            "ReduceMean" | "GlobalAveragePool" => ReduceKind::Mean,
            "ReduceMax" | "GlobalMaxPool" => ReduceKind::Maximum,
            "ReduceMin" => ReduceKind::Minimum,
            _ => ReduceKind::Sum,
        };
        let value = match node.op {
            "ReduceL2" | "ReduceSumSquare" => self.binary(name, BinaryKind::Multiply, &value, &value)?,
            "ReduceL1" => self.apply(name, &value, Activation::Abs)?,
            _ => value,
        };
        let mut result = self.reduce(name, &value, &axes, kind)?;
        let after = match node.op {
            "ReduceL2" => Activation::Sqrt,
            "ReduceLogSum" => Activation::Log,
            _ => Activation::None,
        };
        if !after.is_none() {
            result = self.apply(name, &result, after)?;
        }
        let result = self.without_axes(name, node, result, &shape, &axes)?;
        self.set(name, result)
    }

    /// A reduced value without the reduced axes, where the node does not keep them.
    pub(super) fn without_axes(
        &mut self,
        name: &str,
        node: &NodeProto<'_>,
        value: Value,
        shape: &[usize],
        axes: &[usize],
    ) -> Result<Value> {
        if node.int("keepdims", 1) != 0 {
            return Ok(value);
        }
        let kept: Vec<usize> =
            (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
        let view = self.view_of(name, &value)?;
        view.reshape(&kept).map(Value::View).ok_or_else(|| Error::model("its axes do not fit"))
    }

    pub(super) fn reduce(
        &mut self,
        name: &str,
        value: &Value,
        axes: &[usize],
        kind: ReduceKind,
    ) -> Result<Value> {
        self.along(name, value, axes, |axis| Op::Reduce { kind, axes: vec![axis] }, true)
    }

    /// An operation along some axes of a value, which become 1 long if it `reduces`.
    fn along(
        &mut self,
        name: &str,
        value: &Value,
        axes: &[usize],
        op: impl Fn(Axis) -> Op,
        reduces: bool,
    ) -> Result<Value> {
        let view = self.view_of(name, value)?;
        let shape = view.shape();
        let mut kept = shape.clone();
        if reduces {
            axes.iter().for_each(|&axis| kept[axis] = 1);
        }
        if let Some(gather) = view.as_map() {
            let map_axes: Vec<Axis> = [(1, Axis::Channel), (2, Axis::Row), (3, Axis::Column)]
                .into_iter()
                .filter(|(axis, _)| axes.contains(axis))
                .map(|(_, axis)| axis)
                .collect();
            let direct = match (op(Axis::Channel), map_axes.as_slice()) {
                (Op::Reduce { kind, .. }, axes) if !axes.is_empty() => {
                    Some(Op::Reduce { kind, axes: axes.to_vec() })
                }
                (_, &[axis]) => Some(op(axis)),
                _ => None,
            };
            if let Some(direct) = direct {
                let map = self.gather(name, gather)?;
                let source = self.maps[map].shape;
                let result = if reduces {
                    let side = |axis: usize| u32::try_from(kept[axis]).unwrap_or(0);
                    Shape::new(side(1), side(2), side(3))
                } else {
                    source
                };
                let map = self.emit(name, direct, &[map], result)?;
                return Ok(Value::View(View::whole(map, result)));
            }
        }
        let mut order: Vec<usize> = axes.to_vec();
        order.extend((0..shape.len()).filter(|axis| !axes.contains(axis)));
        let turned = view.transpose(&order).ok_or_else(|| Error::model("its axes repeat"))?;
        let run: usize = axes.iter().map(|&axis| shape[axis]).product();
        let rest: usize = turned.shape()[axes.len()..].iter().product();
        let (turned, axis, sides) = if run <= MAX_CHANNEL_RUN {
            (turned, Axis::Channel, [run, 1, rest])
        } else {
            let mut last = turned;
            for _ in axes {
                last = move_last(&last, 0)?;
            }
            (last, Axis::Column, [rest, 1, run])
        };
        let map = self.as_sides(name, &turned, sides)?;
        let mut result = self.maps[map].shape;
        if reduces {
            match axis {
                Axis::Channel => result.channels = 1,
                _ => result.width = 1,
            }
        }
        let map = self.emit(name, op(axis), &[map], result)?;
        let mut places = order;
        if axis != Axis::Channel {
            places.rotate_left(axes.len());
        }
        let dims: Vec<usize> = places.iter().map(|&axis| kept[axis]).collect();
        let back: Vec<usize> =
            (0..places.len()).filter_map(|axis| places.iter().position(|&place| place == axis)).collect();
        let result = self.whole_as(map, &dims)?;
        let result = result.transpose(&back).ok_or_else(|| Error::model("its axes do not fit"))?;
        Ok(Value::View(result))
    }

    /// `LayerNormalization`, `InstanceNormalization` and `GroupNormalization`.
    pub(super) fn normalisation(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        if node.outputs.iter().skip(1).any(|name| !name.is_empty()) {
            return Err(unsupported("more than one output"));
        }
        let value = self.value(first(node)?)?;
        let shape = value.shape();
        let epsilon = node.float("epsilon", 1e-5);
        let (view, axes, affine) = match node.op {
            "LayerNormalization" => {
                let start = axis_of(node.int("axis", -1), shape.len())?;
                (value, (start..shape.len()).collect::<Vec<_>>(), None)
            }
            "InstanceNormalization" => {
                if shape.len() < 3 {
                    return Err(Error::model(format!("it normalises {shape:?}, which has no positions")));
                }
                let mut affine = vec![1; shape.len()];
                affine[1] = shape[1];
                (value, (2..shape.len()).collect(), Some(affine))
            }
            _ => {
                let groups = usize::try_from(node.int("num_groups", 1)).unwrap_or(0);
                if groups == 0 || shape.len() < 2 || shape[1] % groups != 0 {
                    return Err(Error::model(format!("{groups} groups do not divide {shape:?}")));
                }
                let mut split = vec![1, groups, shape[1] / groups];
                split.extend_from_slice(&shape[2..]);
                let view = self.view_of(name, &value)?;
                let grouped = view.reshape(&split).ok_or_else(|| Error::model("its groups do not fit"))?;
                let mut affine = vec![1; shape.len()];
                affine[1] = shape[1];
                (Value::View(grouped), (2..split.len()).collect(), Some(affine))
            }
        };
        let mean = self.reduce(name, &view, &axes, ReduceKind::Mean)?;
        let centred = self.binary(name, BinaryKind::Subtract, &view, &mean)?;
        let squared = self.binary(name, BinaryKind::Multiply, &centred, &centred)?;
        let variance = self.reduce(name, &squared, &axes, ReduceKind::Mean)?;
        let shifted = self.apply(name, &variance, Activation::Linear { slope: 1.0, offset: epsilon })?;
        let deviation = self.apply(name, &shifted, Activation::Sqrt)?;
        let mut result = self.binary(name, BinaryKind::Divide, &centred, &deviation)?;
        if result.shape() != shape {
            let view = self.view_of(name, &result)?;
            let whole = match view.reshape(&shape) {
                Some(whole) => whole,
                None => {
                    let map = self.as_sides(name, &view, super::materialise::sides(&shape)?)?;
                    self.whole_as(map, &shape)?
                }
            };
            result = Value::View(whole);
        }
        for (index, kind) in [(1, BinaryKind::Multiply), (2, BinaryKind::Add)] {
            let Some(&input) = node.inputs.get(index).filter(|name| !name.is_empty()) else { continue };
            let mut factor = self.value(input)?;
            if let (Some(shape), Value::Constant(constant)) = (&affine, &factor) {
                let channels: usize = shape.iter().product();
                let groups = constant.len();
                // Until operator set 20 a group has one factor and one summand.
                let per_group =
                    node.op == "GroupNormalization" && groups > 0 && channels.is_multiple_of(groups);
                let constant = if per_group && groups != channels {
                    let places: Vec<usize> = (0..channels).map(|c| c / (channels / groups)).collect();
                    constant.pick(vec![channels], &places).map_or_else(|| constant.clone(), Rc::new)
                } else {
                    constant.clone()
                };
                let spread = Constant { shape: shape.clone(), ..(*constant).clone() };
                if spread.len() != constant.len() || shape.iter().product::<usize>() != constant.len() {
                    return Err(Error::model(format!("input {index} has shape {:?}", constant.shape)));
                }
                factor = Value::Constant(Rc::new(spread));
            }
            result = self.binary(name, kind, &result, &factor)?;
        }
        self.set(name, result)
    }

    /// `PRelu`: `max(x, 0) + slope * min(x, 0)`.
    pub(super) fn parametric_relu(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let value = self.value(first(node)?)?;
        let slope = self.value(input(node, 1)?)?;
        let positive = self.apply(name, &value, Activation::Relu)?;
        let negative = self.apply(name, &value, Activation::Clip { low: f32::MIN, high: 0.0 })?;
        let scaled = self.binary(name, BinaryKind::Multiply, &negative, &slope)?;
        let result = self.binary(name, BinaryKind::Add, &positive, &scaled)?;
        self.set(name, result)
    }

    /// The smallest or largest, element by element, of any number of inputs.
    pub(super) fn extreme(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let least = node.op == "Min";
        let mut result = self.value(first(node)?)?;
        for &other in node.inputs.iter().skip(1) {
            let other = self.value(other)?;
            let kind = if least { BinaryKind::Minimum } else { BinaryKind::Maximum };
            result = match (&result, &other) {
                (x, Value::Constant(c)) | (Value::Constant(c), x)
                    if c.len() == 1 && c.shape.len() <= x.shape().len() =>
                {
                    let bound = c.to_floats()[0].clamp(f32::MIN, f32::MAX);
                    let (low, high) = if least { (f32::MIN, bound) } else { (bound, f32::MAX) };
                    self.apply(name, x, Activation::Clip { low, high })?
                }
                (a, b) => self.binary(name, kind, a, b)?,
            };
        }
        self.set(name, result)
    }

    /// `Pow` with a constant exponent of one number.
    pub(super) fn power(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let value = self.value(first(node)?)?;
        let Value::Constant(exponent) = self.value(input(node, 1)?)? else {
            return Err(unsupported("an exponent that is computed from the picture"));
        };
        let &[exponent] = exponent.to_floats().as_slice() else {
            return Err(unsupported(format!("an exponent of shape {:?}: only one number", exponent.shape)));
        };
        let result = if exponent == 2.0 {
            self.binary(name, BinaryKind::Multiply, &value, &value)?
        } else if exponent == 0.5 {
            self.apply(name, &value, Activation::Sqrt)?
        } else {
            self.apply(name, &value, Activation::Power { exponent })?
        };
        self.set(name, result)
    }

    /// `1 / value` times a number: a quotient whose dividend is constant.
    pub(super) fn quotient_of(&mut self, name: &str, constant: &Constant, value: &Value) -> Result<Value> {
        let inverse = self.apply(name, value, Activation::Reciprocal)?;
        match constant.to_floats().as_slice() {
            &[1.0] if constant.shape.len() <= value.shape().len() => Ok(inverse),
            _ => {
                self.binary(name, BinaryKind::Multiply, &inverse, &Value::Constant(Rc::new(constant.clone())))
            }
        }
    }

    /// `-value`.
    pub(super) fn negated(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let value = self.value(first(node)?)?;
        let result = self.apply(output(node)?, &value, Activation::Linear { slope: -1.0, offset: 0.0 })?;
        self.set(output(node)?, result)
    }
}
