//! Arithmetic of tensors of any shapes that fit each other, by the rules of broadcasting.

use super::lower::{Lowering, Value, unsupported};
use super::materialise::sides;
use super::view::{Factor, View};
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{Activation, BinaryKind, Op};

/// The shape of a result of two, or none if they do not fit.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at =
        |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis]);
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (a, b) if a == b => Some(a),
            (1, side) | (side, 1) => Some(side),
            _ => None,
        })
        .collect()
}

impl Lowering<'_> {
    /// Arithmetic of two values, neither of which need be a map.
    pub(super) fn binary(&mut self, name: &str, kind: BinaryKind, a: &Value, b: &Value) -> Result<Value> {
        if let (Value::Joined { parts: left, axis }, Value::Joined { parts: right, axis: other }) = (a, b)
            && axis == other
            && left.iter().map(|part| (&part.dims, part.size)).eq(right.iter().map(|p| (&p.dims, p.size)))
        {
            let mut parts = Vec::with_capacity(left.len());
            for (a, b) in left.iter().zip(right) {
                parts.push(self.binary_views(name, kind, a, b)?);
            }
            return Ok(Value::Joined { parts, axis: *axis });
        }
        let (a, b) = (self.view_of(name, a)?, self.view_of(name, b)?);
        Ok(Value::View(self.binary_views(name, kind, &a, &b)?))
    }

    fn binary_views(&mut self, name: &str, kind: BinaryKind, a: &View, b: &View) -> Result<View> {
        let (left, right) = (a.shape(), b.shape());
        let out = broadcast(&left, &right).ok_or_else(|| {
            Error::model(format!("its inputs {left:?} and {right:?} do not fit each other"))
        })?;
        // Maps, or parts of such, of one arrangement.
        if a.dims == b.dims && a.size == b.size {
            let views = [self.rebase(name, a)?, self.rebase(name, b)?];
            let maps = views.each_ref().map(|view| view.taps.first().map_or(0, |tap| tap.map));
            if self.maps[maps[0]].shape == self.maps[maps[1]].shape {
                let map = self.binary_maps(name, kind, maps)?;
                return Ok(View { taps: View::whole(map, self.maps[map].shape).taps, ..views[0].clone() });
            }
        }
        if let (Some(first), Some(second)) = (a.as_map(), b.as_map()) {
            let maps = [self.gather(name, first)?, self.gather(name, second)?];
            let map = self.binary_maps(name, kind, maps)?;
            return Ok(View::whole(map, self.maps[map].shape));
        }
        let maps = [self.operand(name, a, &out)?, self.operand(name, b, &out)?];
        let map = self.binary_maps(name, kind, maps)?;
        self.whole_as(map, &out)
    }

    /// A map of a view for a result of shape `out`: its sides are those of the result, or 1 where it is repeated.
    fn operand(&mut self, name: &str, view: &View, out: &[usize]) -> Result<usize> {
        let mut shape = vec![1; out.len() - view.dims.len()];
        shape.extend(view.shape());
        let view = view.reshape(&shape).ok_or_else(|| Error::model("its axes do not fit"))?;
        let (own, full) = (sides_with_batch(&shape, out)?, sides_with_batch(out, out)?);
        if own.iter().zip(full).all(|(&own, full)| own == full || own == 1) {
            return self.as_sides(name, &view, own);
        }
        let map = self.expanded(name, &view, out)?;
        self.as_sides(name, &self.whole_as(map, out)?, full)
    }

    /// A map of a view with its axes of 1 repeated to those of `out`, of equal rank.
    pub(super) fn expanded(&mut self, name: &str, view: &View, out: &[usize]) -> Result<usize> {
        let based = self.rebase(name, view)?;
        let mut factors = Vec::new();
        for (dim, &side) in based.dims.iter().zip(out) {
            if dim.is_empty() && side != 1 {
                factors.push(Factor { axis: super::view::Axis::C, size: side, stride: 0 });
            } else {
                factors.extend(dim.iter().copied());
            }
        }
        let map = based.taps.first().map_or(0, |tap| tap.map);
        self.rearrange(name, map, &factors, sides(out)?)
    }

    fn binary_maps(&mut self, name: &str, kind: BinaryKind, maps: [usize; 2]) -> Result<usize> {
        let [a, b] = maps.map(|map| self.maps[map].shape);
        if a == b && kind == BinaryKind::Add {
            return self.emit(name, Op::Add { activation: Activation::None }, &maps, a);
        }
        let side = |a: u32, b: u32| match (a, b) {
            (a, b) if a == b => Ok(a),
            (1, side) | (side, 1) => Ok(side),
            _ => Err(unsupported(format!("arithmetic of {a} and {b} on one axis"))),
        };
        let shape =
            Shape::new(side(a.channels, b.channels)?, side(a.height, b.height)?, side(a.width, b.width)?);
        self.emit(name, Op::Binary { kind }, &maps, shape)
    }

    /// An element-wise function of any value.
    pub(super) fn apply(&mut self, name: &str, value: &Value, activation: Activation) -> Result<Value> {
        Ok(match value {
            Value::Joined { parts, axis } => {
                let mut applied = Vec::with_capacity(parts.len());
                for part in parts {
                    applied.push(self.apply_view(name, part, activation)?);
                }
                Value::Joined { parts: applied, axis: *axis }
            }
            value => {
                let view = self.view_of(name, value)?;
                Value::View(self.apply_view(name, &view, activation)?)
            }
        })
    }

    fn apply_view(&mut self, name: &str, view: &View, activation: Activation) -> Result<View> {
        if let Some(gather) = view.as_map() {
            let map = self.gather(name, gather)?;
            let shape = self.maps[map].shape;
            let result = self.emit(name, Op::Activate { activation }, &[map], shape)?;
            return Ok(View::whole(result, shape));
        }
        let based = self.rebase(name, view)?;
        let map = based.taps.first().map_or(0, |tap| tap.map);
        let shape = self.maps[map].shape;
        let result = self.emit(name, Op::Activate { activation }, &[map], shape)?;
        Ok(View { taps: View::whole(result, shape).taps, ..based })
    }
}

/// As [`sides`], but the batch axis is left out by what `out` has there.
fn sides_with_batch(shape: &[usize], out: &[usize]) -> Result<[usize; 3]> {
    match (shape, out) {
        ([1, rest @ ..], [1, ..]) if !rest.is_empty() => sides_of_rank(rest),
        _ => sides_of_rank(shape),
    }
}

/// [`sides`] without a batch axis.
fn sides_of_rank(shape: &[usize]) -> Result<[usize; 3]> {
    let mut with_batch = vec![1];
    with_batch.extend_from_slice(shape);
    sides(&with_batch)
}
