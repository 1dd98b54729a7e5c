//! Operators that only move elements, as moves that apply alike to constants and to views.

use super::proto::NodeProto;
use super::tensor::{Constant, MAX_FILLED, count, strides};
use super::view::View;
use crate::error::{Error, Result};
use std::rc::Rc;

/// One step of a movement, with all parameters made explicit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Move {
    Reshape(Vec<usize>),
    Transpose(Vec<usize>),
    Slice { axis: usize, start: i64, step: i64, len: usize },
    Gather { axis: usize, indices: Vec<usize> },
}

/// The constants among a node's inputs.
pub(super) type Constants = [Option<Rc<Constant>>];

/// The moves from a node's first input, of `shape`, to each of its outputs; none if it is another operator.
pub(super) fn moves(
    node: &NodeProto<'_>,
    shape: &[usize],
    inputs: &Constants,
    (opset, batch): (i64, usize),
) -> Result<Option<Vec<Vec<Move>>>> {
    let one = |step: Move| vec![vec![step]];
    Ok(Some(match node.op {
        "Identity" | "Dropout" => vec![vec![]],
        "Reshape" => one(Move::Reshape(reshape(node, shape, inputs, batch)?)),
        "Flatten" => {
            let axis = node.int("axis", 1);
            let axis = if axis == i64::try_from(shape.len()).unwrap_or(-1) {
                shape.len()
            } else {
                axis_of(axis, shape.len())?
            };
            let product = |part: &[usize]| count(part).ok_or_else(|| Error::model("its shape overflows"));
            one(Move::Reshape(vec![product(&shape[..axis])?, product(&shape[axis..])?]))
        }
        "Squeeze" => one(Move::Reshape(squeeze(node, shape, inputs)?)),
        "Unsqueeze" => one(Move::Reshape(unsqueeze(node, shape, inputs)?)),
        "Transpose" => one(Move::Transpose(match node.ints("perm") {
            Some(perm) => perm.iter().map(|&axis| axis_of(axis, shape.len())).collect::<Result<Vec<_>>>()?,
            None => (0..shape.len()).rev().collect(),
        })),
        "Slice" => vec![slice(node, shape, inputs, opset)?],
        "Split" => split(node, shape, inputs)?,
        "Gather" => vec![gather(node, shape, inputs)?],
        _ => return Ok(None),
    }))
}

/// A possibly negative axis of `rank` as an index.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize> {
    let rank_signed = i64::try_from(rank).unwrap_or(0);
    let index = if axis < 0 { axis.saturating_add(rank_signed) } else { axis };
    usize::try_from(index)
        .ok()
        .filter(|&index| index < rank)
        .ok_or_else(|| Error::model(format!("axis {axis} is outside a tensor of {rank} axes")))
}

/// A list that newer operator sets give as input `index` and older ones as attribute `name`.
pub(super) fn list(
    node: &NodeProto<'_>,
    inputs: &Constants,
    index: usize,
    name: &str,
) -> Result<Option<Vec<i64>>> {
    if let Some(values) = node.ints(name) {
        return Ok(Some(values.to_vec()));
    }
    match (node.inputs.get(index), inputs.get(index)) {
        (None | Some(&""), _) => Ok(None),
        (_, Some(Some(constant))) => constant
            .as_ints()
            .map(|values| Some(values.to_vec()))
            .ok_or_else(|| Error::model(format!("its {name} are not integers"))),
        _ => Err(Error::unsupported(format!("its {name} are computed from the picture, not constant"))),
    }
}

fn needed<T>(value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| Error::model(format!("it has no {name}")))
}

fn reshape(node: &NodeProto<'_>, shape: &[usize], inputs: &Constants, batch: usize) -> Result<Vec<usize>> {
    let mut target = needed(list(node, inputs, 1, "shape")?, "shape")?;
    // One picture of a fixed batch.
    if batch > 1 && shape.first() == Some(&1) && target.first() == i64::try_from(batch).ok().as_ref() {
        target[0] = 1;
    }
    let bad = || Error::model(format!("it reshapes {shape:?} to {target:?}"));
    let keep_zero = node.int("allowzero", 0) == 0;
    let mut sizes = Vec::with_capacity(target.len());
    for (axis, &size) in target.iter().enumerate() {
        sizes.push(match size {
            -1 => None,
            0 if keep_zero => Some(*shape.get(axis).ok_or_else(bad)?),
            size => Some(usize::try_from(size).map_err(|_| bad())?),
        });
    }
    let total = count(shape).ok_or_else(bad)?;
    let known = count(&sizes.iter().flatten().copied().collect::<Vec<_>>()).ok_or_else(bad)?;
    let unknown = sizes.iter().filter(|size| size.is_none()).count();
    if unknown > 1
        || (unknown == 0 && known != total)
        || (unknown == 1 && !total.is_multiple_of(known.max(1)))
    {
        return Err(bad());
    }
    Ok(sizes.into_iter().map(|size| size.unwrap_or(total / known.max(1))).collect())
}

fn squeeze(node: &NodeProto<'_>, shape: &[usize], inputs: &Constants) -> Result<Vec<usize>> {
    let axes = match list(node, inputs, 1, "axes")? {
        Some(axes) => axes.iter().map(|&a| axis_of(a, shape.len())).collect::<Result<Vec<_>>>()?,
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
    };
    if axes.iter().any(|&axis| shape[axis] != 1) {
        return Err(Error::model(format!("it squeezes axes {axes:?} of {shape:?}")));
    }
    Ok((0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect())
}

fn unsqueeze(node: &NodeProto<'_>, shape: &[usize], inputs: &Constants) -> Result<Vec<usize>> {
    let axes = needed(list(node, inputs, 1, "axes")?, "axes")?;
    let rank = shape.len() + axes.len();
    let mut axes = axes.iter().map(|&a| axis_of(a, rank)).collect::<Result<Vec<_>>>()?;
    axes.sort_unstable();
    let mut sizes = shape.to_vec();
    for axis in axes {
        if axis > sizes.len() {
            return Err(Error::model("its axes repeat"));
        }
        sizes.insert(axis, 1);
    }
    Ok(sizes)
}

fn slice(node: &NodeProto<'_>, shape: &[usize], inputs: &Constants, opset: i64) -> Result<Vec<Move>> {
    let get = |index, name| list(node, if opset < 10 { &[] } else { inputs }, index, name);
    let starts = needed(get(1, "starts")?, "starts")?;
    let ends = needed(get(2, "ends")?, "ends")?;
    let axes = match get(3, "axes")? {
        Some(axes) => axes,
        None => (0..starts.len()).filter_map(|axis| i64::try_from(axis).ok()).collect(),
    };
    let steps = get(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err(Error::model("its starts, ends, axes and steps differ in number"));
    }
    let mut moves = Vec::new();
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = axis_of(axis, shape.len())?;
        let size = i64::try_from(shape[axis]).unwrap_or(i64::MAX);
        let absolute = |v: i64| if v < 0 { v.saturating_add(size) } else { v };
        let (start, len) = if step > 0 {
            let (start, end) = (absolute(start).clamp(0, size), absolute(end).clamp(0, size));
            let span = (end - start).max(0);
            (start, span / step + i64::from(span % step != 0))
        } else if step < 0 {
            let (start, end) = (absolute(start).clamp(-1, size - 1), absolute(end).clamp(-1, size - 1));
            let (span, stride) = ((start - end).max(0), step.saturating_neg());
            (start, span / stride + i64::from(span % stride != 0))
        } else {
            return Err(Error::model("a step is 0"));
        };
        moves.push(Move::Slice { axis, start, step, len: usize::try_from(len).unwrap_or(0) });
    }
    Ok(moves)
}

fn split(node: &NodeProto<'_>, shape: &[usize], inputs: &Constants) -> Result<Vec<Vec<Move>>> {
    let axis = axis_of(node.int("axis", 0), shape.len())?;
    let parts = node.outputs.len().max(1);
    let sizes = match list(node, inputs, 1, "split")? {
        Some(sizes) => sizes
            .iter()
            .map(|&size| usize::try_from(size))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Error::model("a size is negative"))?,
        None => {
            let size = shape[axis].div_ceil(parts);
            (0..parts).map(|part| size.min(shape[axis].saturating_sub(part * size))).collect()
        }
    };
    let total = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
    if sizes.len() != parts || total != Some(shape[axis]) || sizes.contains(&0) {
        return Err(Error::model(format!("it splits axis {axis} of {shape:?} into {sizes:?}")));
    }
    let mut start = 0;
    let mut outputs = Vec::with_capacity(parts);
    for len in sizes {
        outputs.push(vec![Move::Slice { axis, start, step: 1, len }]);
        start += i64::try_from(len).unwrap_or(0);
    }
    Ok(outputs)
}

fn gather(node: &NodeProto<'_>, shape: &[usize], inputs: &Constants) -> Result<Vec<Move>> {
    let axis = axis_of(node.int("axis", 0), shape.len())?;
    let Some(Some(indices)) = inputs.get(1) else {
        return Err(Error::unsupported("its indices are computed from the picture, not constant"));
    };
    let values = indices.as_ints().ok_or_else(|| Error::model("its indices are not integers"))?;
    let picked = values.iter().map(|&i| axis_of(i, shape[axis])).collect::<Result<Vec<_>>>()?;
    let mut result = shape.to_vec();
    result.splice(axis..=axis, indices.shape.iter().copied());
    Ok(vec![Move::Gather { axis, indices: picked }, Move::Reshape(result)])
}

impl Move {
    /// The move on a view, or none where no view stands for the result.
    pub(super) fn on_view(&self, view: &View) -> Option<View> {
        match self {
            Self::Reshape(shape) => view.reshape(shape),
            Self::Transpose(order) => view.transpose(order),
            Self::Slice { axis, start, step, len } => {
                view.slice(*axis, usize::try_from(*start).ok()?, usize::try_from(*step).ok()?, *len)
            }
            Self::Gather { axis, indices } => view.gather(*axis, indices),
        }
    }

    /// The move on a constant.
    pub(super) fn on_constant(&self, constant: &Constant) -> Option<Constant> {
        let shape = &constant.shape;
        let identity = |axis: usize| (0..shape[axis]).collect::<Vec<_>>();
        let all = || (0..shape.len()).map(identity).collect::<Vec<_>>();
        match self {
            Self::Reshape(shape) => Some(Constant { shape: shape.clone(), ..constant.clone() }),
            Self::Transpose(order) => {
                if (0..shape.len()).any(|axis| !order.contains(&axis)) || order.len() != shape.len() {
                    return None;
                }
                let old = strides(shape);
                let sizes = order.iter().map(|&a| shape.get(a).copied()).collect::<Option<Vec<_>>>()?;
                let steps: Vec<_> = order.iter().map(|&axis| old[axis]).collect();
                let positions = sizes
                    .iter()
                    .zip(&steps)
                    .map(|(&n, &s)| (0..n).map(|i| i * s).collect())
                    .collect::<Vec<Vec<_>>>();
                constant.pick(sizes, &offsets(&positions))
            }
            Self::Slice { axis, start, step, len } => {
                let mut kept = all();
                let index = |i: usize| {
                    usize::try_from(start.checked_add(step.checked_mul(i64::try_from(i).ok()?)?)?).ok()
                };
                *kept.get_mut(*axis)? = (0..*len).map(index).collect::<Option<_>>()?;
                keep(constant, &kept)
            }
            Self::Gather { axis, indices } => {
                let mut kept = all();
                *kept.get_mut(*axis)? = indices.clone();
                keep(constant, &kept)
            }
        }
    }
}

/// The elements of a constant whose index on each axis is listed.
fn keep(constant: &Constant, kept: &[Vec<usize>]) -> Option<Constant> {
    let total = count(&kept.iter().map(Vec::len).collect::<Vec<_>>())?;
    if total > constant.len().max(MAX_FILLED) {
        return None;
    }
    let positions = kept
        .iter()
        .zip(strides(&constant.shape))
        .map(|(indices, stride)| indices.iter().map(|i| i * stride).collect())
        .collect::<Vec<Vec<_>>>();
    constant.pick(kept.iter().map(Vec::len).collect(), &offsets(&positions))
}

/// Sums of one entry per list, in row-major order.
pub(super) fn offsets(lists: &[Vec<usize>]) -> Vec<usize> {
    // The sums of the lists before an empty one may be more than fit into memory.
    if lists.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    lists.iter().fold(vec![0], |prefixes, list| {
        prefixes.iter().flat_map(|prefix| list.iter().map(move |offset| prefix + offset)).collect()
    })
}
