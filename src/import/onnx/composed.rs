//! Operators that are a few others in a row.

use super::arithmetic::broadcast;
use super::fold::spread;
use super::lower::{Lowering, Value, first, input, output, unsupported};
use super::movement::{axis_of, list};
use super::proto::NodeProto;
use super::tensor::Constant;
use super::view::View;
use crate::error::{Error, Result};
use crate::model::{Activation, BinaryKind, ReduceKind};
use std::rc::Rc;

const fn scaled(slope: f32) -> Activation {
    Activation::Linear { slope, offset: 0.0 }
}

/// A constant where a mask is 1, and 0 elsewhere. Infinite values, which mask scores out, become the largest that half
/// precision holds: their exponentials are 0 all the same.
fn chosen(side: &Constant, mask: &Constant) -> Result<Constant> {
    const LARGEST: f32 = 6e4;
    let bad = || Error::model(format!("{:?} and {:?} do not fit", side.shape, mask.shape));
    let shape = broadcast(&side.shape, &mask.shape).ok_or_else(bad)?;
    let (side, mask) = (spread(side, &shape).ok_or_else(bad)?, spread(mask, &shape).ok_or_else(bad)?);
    let value = |(value, mask): (f32, f32)| match (mask == 0.0, value.is_finite() && value.abs() < 1e9) {
        (true, _) => 0.0,
        (false, true) => value,
        (false, false) => LARGEST.copysign(value),
    };
    Ok(Constant::floats(shape, side.to_floats().into_iter().zip(mask.to_floats()).map(value).collect()))
}

impl<'a> Lowering<'a> {
    /// Activations made of others.
    pub(super) fn composed(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let value = self.value(first(node)?)?;
        let steps = match node.op {
            "Selu" => {
                let (alpha, gamma) = (node.float("alpha", 1.673_263_2), node.float("gamma", 1.050_701));
                vec![Activation::Elu { alpha }, scaled(gamma)]
            }
            "Celu" => {
                let alpha = node.float("alpha", 1.0);
                vec![scaled(1.0 / alpha), Activation::Elu { alpha: 1.0 }, scaled(alpha)]
            }
            "Ceil" => vec![scaled(-1.0), Activation::Floor, scaled(-1.0)],
            "Swish" if node.float("alpha", 1.0) == 1.0 => vec![Activation::Silu],
            "Swish" => {
                let gate = self.apply(name, &value, scaled(node.float("alpha", 1.0)))?;
                let gate = self.apply(name, &gate, Activation::Sigmoid)?;
                let result = self.binary(name, BinaryKind::Multiply, &value, &gate)?;
                return self.set(name, result);
            }
            "Softsign" => {
                let size = self.apply(name, &value, Activation::Abs)?;
                let size = self.apply(name, &size, Activation::Linear { slope: 1.0, offset: 1.0 })?;
                let result = self.binary(name, BinaryKind::Divide, &value, &size)?;
                return self.set(name, result);
            }
            _ => return Err(unsupported(format!("operator {} is not known", node.op))),
        };
        let mut result = value;
        for step in steps {
            result = self.apply(name, &result, step)?;
        }
        self.set(name, result)
    }

    /// `Where` with a constant condition: each side times its mask, and the sum. A side that is computed must be finite.
    pub(super) fn masked(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let Value::Constant(condition) = self.value(input(node, 0)?)? else {
            return Err(unsupported("a condition that is computed from the picture"));
        };
        let mut sum = None;
        for (index, wanted) in [(1, true), (2, false)] {
            let side = self.value(input(node, index)?)?;
            let mask: Vec<f32> =
                condition.to_floats().iter().map(|&v| f32::from(u8::from((v != 0.0) == wanted))).collect();
            let mask = Constant::floats(condition.shape.clone(), mask);
            let part = match side {
                Value::Constant(side) => Value::Constant(Rc::new(chosen(&side, &mask)?)),
                side => self.binary(name, BinaryKind::Multiply, &side, &Value::Constant(Rc::new(mask)))?,
            };
            sum = Some(match sum {
                None => part,
                Some(other) => self.binary(name, BinaryKind::Add, &other, &part)?,
            });
        }
        let sum = sum.ok_or_else(|| Error::model("it has no inputs"))?;
        self.set(name, sum)
    }

    /// `log(sum(exp(x)))` along axes, less the largest first so that nothing overflows.
    pub(super) fn log_sum_exp(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let value = self.value(first(node)?)?;
        let shape = value.shape();
        let constants = self.constants(node)?;
        let axes = match list(node, &constants, 1, "axes")?.filter(|axes| !axes.is_empty()) {
            Some(axes) => axes.iter().map(|&a| axis_of(a, shape.len())).collect::<Result<Vec<_>>>()?,
            None if node.int("noop_with_empty_axes", 0) != 0 => return self.set(name, value),
            None => (0..shape.len()).collect(),
        };
        let result = self.log_of_sum(name, &value, &axes)?;
        let result = self.without_axes(name, node, result, &shape, &axes)?;
        self.set(name, result)
    }

    /// `log(sum(exp(x)))` along axes, which become 1 long.
    pub(super) fn log_of_sum(&mut self, name: &str, value: &Value, axes: &[usize]) -> Result<Value> {
        let largest = self.reduce(name, value, axes, ReduceKind::Maximum)?;
        let below = self.binary(name, BinaryKind::Subtract, value, &largest)?;
        let powers = self.apply(name, &below, Activation::Exp)?;
        let total = self.reduce(name, &powers, axes, ReduceKind::Sum)?;
        let logarithm = self.apply(name, &total, Activation::Log)?;
        self.binary(name, BinaryKind::Add, &logarithm, &largest)
    }

    /// `Einsum` of two operands, as a product of matrices: labels in both operands and the result are pairs, labels
    /// in both operands alone are summed.
    pub(super) fn einsum(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let equation: String = node.text("equation", "").chars().filter(|c| !c.is_whitespace()).collect();
        let bad =
            || unsupported(format!("attribute equation = {equation}: only two operands, all labels named"));
        let (operands, result) = equation.split_once("->").ok_or_else(bad)?;
        let (left, right) = operands.split_once(',').ok_or_else(bad)?;
        let named = |labels: &str| {
            labels.chars().all(|c| c.is_ascii_alphabetic())
                && labels.char_indices().all(|(i, c)| !labels[..i].contains(c))
        };
        if ![left, right, result].into_iter().all(named) || node.inputs.len() != 2 {
            return Err(bad());
        }
        let values = [self.value(input(node, 0)?)?, self.value(input(node, 1)?)?];
        let views = [self.view_of(name, &values[0])?, self.view_of(name, &values[1])?];
        let only = |a: &str, test: &dyn Fn(char) -> bool| a.chars().filter(|&c| test(c)).collect::<String>();
        let pairs = only(left, &|c| right.contains(c) && result.contains(c));
        let summed = only(left, &|c| right.contains(c) && !result.contains(c));
        let rows = only(left, &|c| !right.contains(c));
        let columns = only(right, &|c| !left.contains(c));
        if !rows.chars().chain(columns.chars()).all(|c| result.contains(c))
            || result.len() != pairs.len() + rows.len() + columns.len()
        {
            return Err(bad());
        }
        let side = |label: char| {
            let at =
                |labels: &str, view: &View| labels.find(label).and_then(|i| view.shape().get(i).copied());
            at(left, &views[0]).or_else(|| at(right, &views[1])).unwrap_or(0)
        };
        let count = |labels: &str| labels.chars().map(side).product::<usize>();
        let turned = |view: &View, labels: &str, order: String| {
            let order: Option<Vec<usize>> = order.chars().map(|c| labels.find(c)).collect();
            order.and_then(|order| view.transpose(&order)).ok_or_else(bad)
        };
        let a = turned(&views[0], left, format!("{pairs}{rows}{summed}"))?;
        let b = turned(&views[1], right, format!("{pairs}{summed}{columns}"))?;
        let channels = count(&pairs);
        let a = self.as_sides(name, &a, [channels, count(&rows), count(&summed)])?;
        let b = self.as_sides(name, &b, [channels, count(&summed), count(&columns)])?;
        let product = self.matrix_maps(name, [a, b])?;
        let labels = format!("{pairs}{rows}{columns}");
        let shape: Vec<usize> = labels.chars().map(side).collect();
        let whole = self.whole_as(product, &shape)?;
        let result = turned(&whole, &labels, result.to_owned())?;
        self.set(name, Value::View(result))
    }
}
