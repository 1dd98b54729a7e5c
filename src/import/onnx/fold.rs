//! Arithmetic on constants: exporters compute shapes and scales with it.

use super::movement::{Constants, axis_of, offsets};
use super::proto::{Attribute, NodeProto};
use super::tensor::{Constant, Data, MAX_FILLED, count, strides};
use crate::error::{Error, Result};
use std::rc::Rc;

/// The value of a node whose inputs are all constant; none if it is not one that is computed at import.
pub(super) fn fold(node: &NodeProto<'_>, inputs: &Constants) -> Result<Option<Constant>> {
    let all = inputs.iter().flatten().cloned().collect::<Vec<_>>();
    if all.len() != inputs.len() {
        return Ok(None);
    }
    let result = match (node.op, all.as_slice()) {
        ("Constant", _) => return constant(node).map(Some),
        ("Shape", [x]) => return shape_of(node, &x.shape).map(Some),
        ("Cast", [x]) => cast(node, x),
        ("Floor", [x]) => Some(float_map(x, f32::floor)),
        ("Ceil", [x]) => Some(float_map(x, f32::ceil)),
        ("Round", [x]) => Some(float_map(x, f32::round_ties_even)),
        ("Sqrt", [x]) => Some(float_map(x, f32::sqrt)),
        ("Exp", [x]) => Some(float_map(x, f32::exp)),
        ("Log", [x]) => Some(float_map(x, f32::ln)),
        ("Sin", [x]) => Some(float_map(x, f32::sin)),
        ("Cos", [x]) => Some(float_map(x, f32::cos)),
        ("Reciprocal", [x]) => Some(float_map(x, f32::recip)),
        ("Sigmoid", [x]) => Some(float_map(x, |v| 1.0 / (1.0 + (-v).exp()))),
        ("Neg", [x]) => Some(number_map(x, i64::wrapping_neg, |v| -v)),
        ("Abs", [x]) => Some(number_map(x, i64::wrapping_abs, f32::abs)),
        ("Sign", [x]) => Some(number_map(x, i64::signum, |v| if v == 0.0 { 0.0 } else { v.signum() })),
        ("Not", [x]) => Some(number_map(x, |v| i64::from(v == 0), |v| f32::from(u8::from(v == 0.0)))),
        ("Size", [x]) => i64::try_from(x.len()).ok().map(|size| Constant::ints(vec![], vec![size])),
        ("Expand", [x, shape]) => expand(x, shape),
        ("Tile", [x, counts]) => tile(x, counts),
        ("Where", [condition, a, b]) => select(condition, a, b),
        ("CumSum", [x, axis]) => running_sum(node, x, axis),
        ("ReduceProd" | "ReduceSum" | "ReduceMax" | "ReduceMin", [x, rest @ ..]) => {
            reduce(node, x, rest.first().map(|axes| axes.as_ref()))
        }
        ("Concat", parts) => return concat(node, parts).map(Some),
        ("ConstantOfShape", [shape]) => filled(node, shape)?,
        ("Range", [from, to, step]) => range(from, to, step),
        (
            "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "Equal" | "Greater" | "Less"
            | "GreaterOrEqual" | "LessOrEqual" | "And" | "Or" | "Xor",
            [a, b],
        ) => binary(node.op, a, b),
        _ => return Ok(None),
    };
    result.map(Some).ok_or_else(|| Error::model("its constant inputs do not fit each other"))
}

/// The sizes of a tensor, as the operator `Shape` gives them.
pub(super) fn shape_of(node: &NodeProto<'_>, shape: &[usize]) -> Result<Constant> {
    let rank = i64::try_from(shape.len()).unwrap_or(0);
    let clamp =
        |v: i64| usize::try_from(if v < 0 { v.saturating_add(rank) } else { v }.clamp(0, rank)).unwrap_or(0);
    let (start, end) = (clamp(node.int("start", 0)), clamp(node.int("end", rank)));
    let sizes = shape.get(start..end).unwrap_or(&[]);
    let ints = sizes
        .iter()
        .map(|&side| i64::try_from(side))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| Error::model("its shape overflows"))?;
    Ok(Constant::ints(vec![ints.len()], ints))
}

fn constant(node: &NodeProto<'_>) -> Result<Constant> {
    let found = node.attributes.iter().find(|(name, _)| name.starts_with("value"));
    Ok(match found.map(|(_, value)| value) {
        Some(Attribute::Tensor(tensor)) => Constant::read(tensor)?,
        Some(Attribute::Float(value)) => Constant::floats(vec![], vec![*value]),
        Some(Attribute::Int(value)) => Constant::ints(vec![], vec![*value]),
        Some(Attribute::Floats(values)) => Constant::floats(vec![values.len()], values.clone()),
        Some(Attribute::Ints(values)) => Constant::ints(vec![values.len()], values.clone()),
        _ => return Err(Error::unsupported("its value is neither a dense tensor nor numbers")),
    })
}

fn float_map(x: &Constant, f: impl Fn(f32) -> f32) -> Constant {
    Constant::floats(x.shape.clone(), x.to_floats().into_iter().map(f).collect())
}

fn number_map(x: &Constant, whole: impl Fn(i64) -> i64, real: impl Fn(f32) -> f32) -> Constant {
    match &x.data {
        Data::Int(data) => Constant::ints(x.shape.clone(), data.iter().map(|&v| whole(v)).collect()),
        Data::Float(_) => float_map(x, real),
    }
}

fn sizes_of(constant: &Constant) -> Option<Vec<usize>> {
    constant.as_ints()?.iter().map(|&v| usize::try_from(v).ok()).collect()
}

/// A constant spread to a shape that it fits.
pub(super) fn spread(x: &Constant, shape: &[usize]) -> Option<Constant> {
    if count(shape).filter(|&total| total <= MAX_FILLED.max(x.len()))? == 0 {
        return x.pick(shape.to_vec(), &[]);
    }
    let mut sizes = vec![1; shape.len().checked_sub(x.shape.len())?];
    sizes.extend_from_slice(&x.shape);
    let lists: Vec<Vec<usize>> = sizes
        .iter()
        .zip(strides(&sizes))
        .zip(shape)
        .map(|((&side, stride), &wide)| (0..wide).map(|i| if side == 1 { 0 } else { i * stride }).collect())
        .collect();
    x.pick(shape.to_vec(), &offsets(&lists))
}

fn expand(x: &Constant, shape: &Constant) -> Option<Constant> {
    spread(x, &super::arithmetic::broadcast(&x.shape, &sizes_of(shape)?)?)
}

fn tile(x: &Constant, counts: &Constant) -> Option<Constant> {
    let counts = sizes_of(counts).filter(|counts| counts.len() == x.shape.len())?;
    let shape: Vec<usize> =
        x.shape.iter().zip(&counts).map(|(&side, &count)| side.checked_mul(count)).collect::<Option<_>>()?;
    if count(&shape).filter(|&total| total <= MAX_FILLED.max(x.len()))? == 0 {
        return x.pick(shape, &[]);
    }
    let lists: Vec<Vec<usize>> = shape
        .iter()
        .zip(x.shape.iter().zip(strides(&x.shape)))
        .map(|(&wide, (&side, stride))| (0..wide).map(|i| i % side * stride).collect())
        .collect();
    x.pick(shape, &offsets(&lists))
}

fn select(condition: &Constant, a: &Constant, b: &Constant) -> Option<Constant> {
    let shape = super::arithmetic::broadcast(&a.shape, &b.shape)?;
    let shape = super::arithmetic::broadcast(&shape, &condition.shape)?;
    let (condition, a, b) = (spread(condition, &shape)?, spread(a, &shape)?, spread(b, &shape)?);
    let chosen: Vec<bool> = condition.to_floats().iter().map(|&v| v != 0.0).collect();
    if let (Data::Int(a), Data::Int(b)) = (&a.data, &b.data) {
        let values = chosen.iter().zip(a.iter().zip(b)).map(|(&c, (&a, &b))| if c { a } else { b });
        return Some(Constant::ints(shape, values.collect()));
    }
    let (a, b) = (a.to_floats(), b.to_floats());
    let values = chosen.iter().zip(a.iter().zip(&b)).map(|(&c, (&a, &b))| if c { a } else { b });
    Some(Constant::floats(shape, values.collect()))
}

/// Sums of all elements up to each on an axis.
fn running_sum(node: &NodeProto<'_>, x: &Constant, axis: &Constant) -> Option<Constant> {
    let axis = axis_of(*axis.as_ints()?.first()?, x.shape.len()).ok()?;
    if node.int("exclusive", 0) != 0 || node.int("reverse", 0) != 0 {
        return None;
    }
    let (side, step) = (x.shape[axis], strides(&x.shape)[axis]);
    let before = |index: usize| (!(index / step).is_multiple_of(side)).then(|| index - step);
    Some(match &x.data {
        Data::Int(data) => {
            let mut sums: Vec<i64> = Vec::with_capacity(data.len());
            for (index, value) in data.iter().enumerate() {
                sums.push(before(index).map_or(0, |at| sums[at]).checked_add(*value)?);
            }
            Constant::ints(x.shape.clone(), sums)
        }
        Data::Float(data) => {
            let mut sums: Vec<f32> = Vec::with_capacity(data.len());
            for (index, value) in data.iter().enumerate() {
                sums.push(before(index).map_or(0.0, |at| sums[at]) + value);
            }
            Constant::floats(x.shape.clone(), sums)
        }
    })
}

/// A reduction of all axes, or of listed ones.
fn reduce(node: &NodeProto<'_>, x: &Constant, axes: Option<&Constant>) -> Option<Constant> {
    let rank = x.shape.len();
    let listed = node.ints("axes").or_else(|| axes.and_then(Constant::as_ints)).unwrap_or(&[]);
    let mut axes = listed.iter().map(|&axis| axis_of(axis, rank).ok()).collect::<Option<Vec<_>>>()?;
    if axes.is_empty() {
        axes = (0..rank).collect();
    }
    let keep = node.int("keepdims", 1) != 0;
    let kept: Vec<usize> =
        (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { x.shape[axis] }).collect();
    count(&kept).filter(|&total| total <= MAX_FILLED.max(x.len()))?;
    let steps = strides(&x.shape);
    let lists = |of: &dyn Fn(usize) -> usize| {
        (0..rank).map(|axis| (0..of(axis)).map(|i| i * steps[axis]).collect()).collect::<Vec<Vec<usize>>>()
    };
    let starts = offsets(&lists(&|axis| kept[axis]));
    let inner = offsets(&lists(&|axis| if axes.contains(&axis) { x.shape[axis] } else { 1 }));
    let shape = if keep {
        kept
    } else {
        (0..rank).filter(|axis| !axes.contains(axis)).map(|axis| x.shape[axis]).collect()
    };
    match &x.data {
        Data::Int(data) => {
            let one = |&start: &usize| {
                let mut values = inner.iter().map(|step| data.get(start + step).copied());
                let first = values.next()??;
                values.try_fold(first, |all, value| match node.op {
                    "ReduceProd" => all.checked_mul(value?),
                    "ReduceSum" => all.checked_add(value?),
                    "ReduceMax" => Some(all.max(value?)),
                    _ => Some(all.min(value?)),
                })
            };
            Some(Constant::ints(shape, starts.iter().map(one).collect::<Option<_>>()?))
        }
        Data::Float(data) => {
            let one = |&start: &usize| {
                let mut values = inner.iter().map(|step| data.get(start + step).copied());
                let first = values.next()??;
                values.try_fold(first, |all, value| match node.op {
                    "ReduceProd" => Some(all * value?),
                    "ReduceSum" => Some(all + value?),
                    "ReduceMax" => Some(all.max(value?)),
                    _ => Some(all.min(value?)),
                })
            };
            Some(Constant::floats(shape, starts.iter().map(one).collect::<Option<_>>()?))
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "ONNX truncates, and Rust saturates what does not fit")]
fn cast(node: &NodeProto<'_>, x: &Constant) -> Option<Constant> {
    match (node.int("to", 1), &x.data) {
        (1 | 10 | 11, _) => Some(Constant::floats(x.shape.clone(), x.to_floats())),
        (2..=7 | 12 | 13, Data::Float(data)) => {
            Some(Constant::ints(x.shape.clone(), data.iter().map(|&v| v as i64).collect()))
        }
        (9, data) => {
            let truth = match data {
                Data::Float(data) => data.iter().map(|&v| i64::from(v != 0.0)).collect(),
                Data::Int(data) => data.iter().map(|&v| i64::from(v != 0)).collect(),
            };
            Some(Constant::ints(x.shape.clone(), truth))
        }
        (2..=7 | 12 | 13, Data::Int(_)) => Some(x.clone()),
        _ => None,
    }
}

fn concat(node: &NodeProto<'_>, parts: &[Rc<Constant>]) -> Result<Constant> {
    let bad = || Error::model("its inputs do not fit each other");
    let first = parts.first().ok_or_else(bad)?;
    let axis = axis_of(node.int("axis", 0), first.shape.len())?;
    let same = |p: &Rc<Constant>| {
        p.shape.len() == first.shape.len()
            && (0..p.shape.len()).all(|a| a == axis || p.shape[a] == first.shape[a])
    };
    if !parts.iter().all(same) {
        return Err(bad());
    }
    let total: usize = parts.iter().map(|part| part.len()).sum();
    if total > MAX_FILLED {
        return Err(Error::unsupported(format!("it joins constants of {total} elements")));
    }
    let outer: usize = first.shape[..axis].iter().product();
    let mut shape = first.shape.clone();
    shape[axis] = parts.iter().map(|p| p.shape[axis]).sum();
    if parts.iter().all(|p| p.as_ints().is_some()) {
        let lists: Vec<&[i64]> = parts.iter().filter_map(|p| p.as_ints()).collect();
        Ok(Constant::ints(shape, interleave(&lists, outer)))
    } else {
        let lists: Vec<Vec<f32>> = parts.iter().map(|p| p.to_floats()).collect();
        Ok(Constant::floats(shape, interleave(&lists.iter().map(Vec::as_slice).collect::<Vec<_>>(), outer)))
    }
}

fn interleave<T: Copy>(lists: &[&[T]], outer: usize) -> Vec<T> {
    let mut joined = Vec::new();
    if lists.iter().all(|list| list.is_empty()) {
        return joined;
    }
    for row in 0..outer {
        for list in lists {
            let len = list.len() / outer;
            joined.extend_from_slice(&list[row * len..(row + 1) * len]);
        }
    }
    joined
}

fn filled(node: &NodeProto<'_>, shape: &Constant) -> Result<Option<Constant>> {
    let Some(sizes) = shape.as_ints() else { return Ok(None) };
    let Ok(sizes) = sizes.iter().map(|&v| usize::try_from(v)).collect::<Result<Vec<_>, _>>() else {
        return Ok(None);
    };
    let Some(total) = count(&sizes).filter(|&total| total <= MAX_FILLED) else {
        return Err(Error::unsupported(format!("it fills {sizes:?}, more than {MAX_FILLED} elements")));
    };
    let value = match node.attribute("value") {
        Some(Attribute::Tensor(tensor)) => Constant::read(tensor)?,
        _ => Constant::floats(vec![1], vec![0.0]),
    };
    Ok(value.pick(sizes, &vec![0; total]))
}

fn range(from: &Constant, to: &Constant, step: &Constant) -> Option<Constant> {
    if let (Some([from]), Some([to]), Some([step])) = (from.as_ints(), to.as_ints(), step.as_ints()) {
        let mut values = Vec::new();
        let mut value = *from;
        while *step != 0 && (if *step > 0 { value < *to } else { value > *to }) {
            if values.len() == MAX_FILLED {
                return None;
            }
            values.push(value);
            value = value.checked_add(*step)?;
        }
        return Some(Constant::ints(vec![values.len()], values));
    }
    let (from, to, step) = (from.to_floats(), to.to_floats(), step.to_floats());
    let (&[from], &[to], &[step]) = (from.as_slice(), to.as_slice(), step.as_slice()) else { return None };
    let mut values = Vec::new();
    let mut value = from;
    while if step > 0.0 { value < to } else { step < 0.0 && value > to } {
        if values.len() == MAX_FILLED {
            return None;
        }
        values.push(value);
        value += step;
    }
    Some(Constant::floats(vec![values.len()], values))
}

/// Element-wise arithmetic and comparison with broadcasting.
fn binary(op: &str, a: &Constant, b: &Constant) -> Option<Constant> {
    let shape = super::arithmetic::broadcast(&a.shape, &b.shape)?;
    let (a, b) = (spread(a, &shape)?, spread(b, &shape)?);
    let truth = |test: fn(std::cmp::Ordering) -> bool| {
        let values = match (&a.data, &b.data) {
            (Data::Int(a), Data::Int(b)) => a.iter().zip(b).map(|(a, b)| i64::from(test(a.cmp(b)))).collect(),
            _ => (a.to_floats().iter().zip(b.to_floats()))
                .map(|(a, b)| i64::from(a.partial_cmp(&b).is_some_and(test)))
                .collect(),
        };
        Some(Constant::ints(shape.clone(), values))
    };
    match op {
        "Equal" => return truth(std::cmp::Ordering::is_eq),
        "Greater" => return truth(std::cmp::Ordering::is_gt),
        "Less" => return truth(std::cmp::Ordering::is_lt),
        "GreaterOrEqual" => return truth(std::cmp::Ordering::is_ge),
        "LessOrEqual" => return truth(std::cmp::Ordering::is_le),
        _ => {}
    }
    if let (Data::Int(a), Data::Int(b)) = (&a.data, &b.data) {
        let apply = |(&a, &b): (&i64, &i64)| match op {
            "Add" => a.checked_add(b),
            "Sub" => a.checked_sub(b),
            "Mul" => a.checked_mul(b),
            "Mod" => a.checked_rem_euclid(b).map(|rest| if b < 0 && rest != 0 { rest + b } else { rest }),
            "Pow" => a.checked_pow(u32::try_from(b).ok()?),
            "Min" => Some(a.min(b)),
            "Max" => Some(a.max(b)),
            "And" => Some(i64::from(a != 0 && b != 0)),
            "Or" => Some(i64::from(a != 0 || b != 0)),
            "Xor" => Some(i64::from((a != 0) != (b != 0))),
            _ => a.checked_div(b),
        };
        return Some(Constant::ints(shape, a.iter().zip(b).map(apply).collect::<Option<_>>()?));
    }
    let apply = |(a, b): (f32, f32)| match op {
        "Add" => a + b,
        "Sub" => a - b,
        "Mul" => a * b,
        "Mod" => a % b,
        "Pow" => a.powf(b),
        "Min" => a.min(b),
        "Max" => a.max(b),
        _ => a / b,
    };
    Some(Constant::floats(shape, a.to_floats().into_iter().zip(b.to_floats()).map(apply).collect()))
}
