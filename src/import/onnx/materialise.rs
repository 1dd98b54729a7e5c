//! Views made into maps: the elements of a view, in its own order, as a map that a node computes.

use super::lower::{Lowering, Value, unsupported};
use super::tensor::{Constant, count};
use super::view::{Axis, Factor, Gather, Tap, View};
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{self, Digit, Op};
use std::collections::HashMap;

/// Channels, height and width that hold a tensor of `shape`: the last two axes are rows and columns and all before
/// are channels; of two axes the first is channels. A batch axis of 1 is left out.
pub(super) fn sides(shape: &[usize]) -> Result<[usize; 3]> {
    let shape = match shape {
        [1, rest @ ..] if !rest.is_empty() => rest,
        shape => shape,
    };
    let product = |sides: &[usize]| count(sides).ok_or_else(|| Error::model("its shape overflows"));
    Ok(match shape {
        [] => [1, 1, 1],
        &[channels] => [channels, 1, 1],
        &[channels, width] => [channels, 1, width],
        &[ref channels @ .., height, width] => [product(channels)?, height, width],
    })
}

fn shape_of([channels, height, width]: [usize; 3]) -> Shape {
    let side = |side: usize| u32::try_from(side).unwrap_or(0);
    Shape::new(side(channels), side(height), side(width))
}

fn digit(factor: &Factor) -> Digit {
    let axis = match factor.axis {
        Axis::C => model::Axis::Channel,
        Axis::H => model::Axis::Row,
        Axis::W => model::Axis::Column,
    };
    let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Digit { axis, size: narrow(factor.size), stride: narrow(factor.stride) }
}

impl Lowering<'_> {
    /// The view that a value is: constants become maps, joined views one map.
    pub(super) fn view_of(&mut self, name: &str, value: &Value) -> Result<View> {
        match value {
            Value::View(view) => Ok(view.clone()),
            Value::Constant(constant) => self.constant_view(name, constant),
            Value::Joined { parts, axis } => self.joined_view(name, parts, *axis),
            Value::Beyond => Err(super::beyond::consumed(name)),
        }
    }

    /// A map of a constant.
    fn constant_view(&mut self, name: &str, constant: &Constant) -> Result<View> {
        let sides = sides(&constant.shape)?;
        let shape = shape_of(sides);
        let tensor = self.tensor(&format!("{name}.tensor"), sides.to_vec(), constant.to_floats())?;
        let map = self.emit(&format!("{name}.map"), Op::Constant { tensor }, &[], shape)?;
        self.whole_as(map, &constant.shape)
    }

    /// A map as a view of `shape`.
    pub(super) fn whole_as(&self, map: usize, shape: &[usize]) -> Result<View> {
        View::whole(map, self.maps[map].shape)
            .reshape(shape)
            .ok_or_else(|| unsupported(format!("a map of shape {:?} as {shape:?}", self.maps[map].shape)))
    }

    /// Views one after the other along an axis, as one view.
    pub(super) fn joined_view(&mut self, name: &str, parts: &[View], axis: usize) -> Result<View> {
        const MOST: usize = 4;
        let mut shape = parts.first().map(View::shape).unwrap_or_default();
        let mut maps = Vec::with_capacity(parts.len());
        for part in parts {
            let last = move_last(part, axis)?;
            let mut map = self.contiguous(name, &last)?;
            let channels: usize = last.shape().iter().rev().skip(1).product();
            if self.maps[map].shape.channels as usize != channels {
                let width = last.shape().last().copied().unwrap_or(1);
                map = self.as_sides(name, &last, [channels, 1, width])?;
            }
            maps.push(map);
        }
        while maps.len() > 1 {
            let group: Vec<usize> = maps.drain(..maps.len().min(MOST)).collect();
            let first = self.maps[group[0]].shape;
            let positions = group.iter().map(|&map| u64::from(self.maps[map].shape.pixels())).sum::<u64>();
            let width = u32::try_from(positions).map_err(|_| unsupported("a tensor of 2^32 elements"))?;
            let result = Shape::new(first.channels, 1, width);
            let map = self.emit(&format!("{name}.join"), Op::Join, &group, result)?;
            maps.insert(0, map);
        }
        let &map = maps.first().ok_or_else(|| Error::model("it joins nothing"))?;
        let total = parts.iter().filter_map(|part| part.shape().get(axis).copied()).sum();
        let rank = shape.len();
        shape.remove(axis);
        shape.push(total);
        let joined = self.whole_as(map, &shape)?;
        let mut order: Vec<usize> = (0..rank - 1).collect();
        order.insert(axis, rank - 1);
        joined.transpose(&order).ok_or_else(|| Error::model("its axes do not fit"))
    }

    /// A map whose elements in row-major order are those of the view in its order; its sides are the map's own where
    /// it already is so.
    pub(super) fn contiguous(&mut self, name: &str, view: &View) -> Result<usize> {
        let based = self.rebase(name, view)?;
        let factors: Vec<Factor> = based.dims.iter().flatten().copied().collect();
        let map = based.taps.first().map_or(0, |tap| tap.map);
        if factors == View::whole(map, self.maps[map].shape).dims.concat() {
            return Ok(map);
        }
        self.rearrange(name, map, &factors, sides(&based.shape())?)
    }

    /// The same as a map of those sides.
    pub(super) fn as_sides(&mut self, name: &str, view: &View, sides: [usize; 3]) -> Result<usize> {
        let based = self.rebase(name, view)?;
        let factors: Vec<Factor> = based.dims.iter().flatten().copied().collect();
        let map = based.taps.first().map_or(0, |tap| tap.map);
        let shape = self.maps[map].shape;
        if shape == shape_of(sides) && factors == View::whole(map, shape).dims.concat() {
            return Ok(map);
        }
        self.rearrange(name, map, &factors, sides)
    }

    /// A map of elements picked by factors, outermost first; a stride of 0 repeats.
    pub(super) fn rearrange(
        &mut self,
        name: &str,
        map: usize,
        factors: &[Factor],
        sides: [usize; 3],
    ) -> Result<usize> {
        let shape = shape_of(sides);
        let digits = factors.iter().map(digit).collect();
        let op = Op::Rearrange { shape: shape.sides(), digits };
        self.emit(&format!("{name}.order"), op, &[map], shape)
    }

    /// The view over a single map made for it, all of whose channels are its taps.
    pub(super) fn rebase(&mut self, name: &str, view: &View) -> Result<View> {
        let Some(&first) = view.taps.first() else { return Err(Error::model("it is empty")) };
        let same_place = view.taps.iter().all(|tap| (tap.dy, tap.dx) == (first.dy, first.dx));
        let map = if same_place && (first.dy, first.dx) == (0, 0) {
            self.gather_taps(name, view.taps.to_vec(), view.size)?
        } else {
            // Crops of equal size, one per offset and map, and then the channels of those.
            let extent = |axis: Axis| {
                let factors = view.dims.iter().flatten().filter(|factor| factor.axis == axis);
                factors.map(|factor| (factor.size - 1) * factor.stride).sum::<usize>() + 1
            };
            let size = [extent(Axis::H), extent(Axis::W)];
            let mut crops: HashMap<(usize, u32, u32), usize> = HashMap::new();
            let mut taps = Vec::with_capacity(view.taps.len());
            for tap in view.taps.iter() {
                let key = (tap.map, tap.dy, tap.dx);
                let crop = match crops.get(&key) {
                    Some(&crop) => crop,
                    None if crops.len() == super::lower::MAX_GATHERED => {
                        return Err(unsupported(format!(
                            "a map gathered from more than {} crops",
                            crops.len()
                        )));
                    }
                    None => {
                        let crop = self.crop(name, tap.map, [tap.dy as usize, tap.dx as usize], size)?;
                        crops.insert(key, crop);
                        crop
                    }
                };
                taps.push(Tap { map: crop, dy: 0, dx: 0, ..*tap });
            }
            let size = size.map(|side| u32::try_from(side).unwrap_or(0));
            self.gather_taps(name, taps, size)?
        };
        let shape = self.maps[map].shape;
        Ok(View {
            taps: View::whole(map, shape).taps,
            size: [shape.height, shape.width],
            dims: view.dims.clone(),
        })
    }

    fn gather_taps(&mut self, name: &str, taps: Vec<Tap>, [height, width]: [u32; 2]) -> Result<usize> {
        let shape = Shape::new(u32::try_from(taps.len()).unwrap_or(0), height, width);
        self.gather(name, Gather { taps, step: 1, shape })
    }

    fn crop(&mut self, name: &str, map: usize, start: [usize; 2], size: [usize; 2]) -> Result<usize> {
        let list = |axis: usize| {
            (start[axis]..start[axis] + size[axis]).map(|index| i32::try_from(index).unwrap_or(-1)).collect()
        };
        let (rows, columns) = (list(0), list(1));
        self.sample(&format!("{name}.crop"), map, [rows, columns], 0.0)
    }

    /// Rows and columns of a map by number; -1 stands for `fill`.
    pub(super) fn sample(
        &mut self,
        name: &str,
        map: usize,
        [rows, columns]: [Vec<i32>; 2],
        fill: f32,
    ) -> Result<usize> {
        let shape = self.maps[map].shape;
        let same = |list: &[i32], side: u32| list.iter().copied().eq(0..i32::try_from(side).unwrap_or(0));
        if same(&rows, shape.height) && same(&columns, shape.width) {
            return Ok(map);
        }
        self.grow(rows.len() + columns.len())?;
        let [height, width] = [&rows, &columns].map(|list| u32::try_from(list.len()).unwrap_or(0));
        let result = Shape::new(shape.channels, height, width);
        self.emit(name, Op::Sample { rows, columns, fill }, &[map], result)
    }
}

/// The view with one dimension after all others.
pub(super) fn move_last(view: &View, axis: usize) -> Result<View> {
    let mut order: Vec<usize> = (0..view.dims.len()).filter(|&other| other != axis).collect();
    order.push(axis);
    view.transpose(&order).ok_or_else(|| Error::model(format!("it has no axis {axis}")))
}
