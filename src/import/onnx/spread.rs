//! Repetition, padding and picking along any axis, and depth to space.

use super::arithmetic::broadcast;
use super::lower::{Lowering, Value, first, output, unsupported};
use super::materialise::{move_last, sides};
use super::movement::{Move, list};
use super::proto::NodeProto;
use super::view::{Axis, Factor, View};
use crate::error::{Error, Result};
use crate::model::{Activation, Op};

/// The largest padding value; half precision holds it.
const LARGEST_FILL: f32 = 65_504.0;

impl<'a> Lowering<'a> {
    /// A view moved where no view stands for the result: as a map that is made now.
    pub(super) fn moved(&mut self, name: &str, view: &View, step: &Move) -> Result<View> {
        if let Some(moved) = step.on_view(view) {
            return Ok(moved);
        }
        if let Move::Slice { axis, len: 0, .. } = step {
            return Err(Error::model(format!("it takes nothing of axis {axis} of {:?}", view.shape())));
        }
        match step {
            Move::Reshape(shape) => {
                let map = self.as_sides(name, view, sides(shape)?)?;
                self.whole_as(map, shape)
            }
            Move::Transpose(_) => Err(Error::model("its axes repeat")),
            Move::Slice { axis, start, step, len } => {
                let index = |i: usize| {
                    let i = i64::try_from(i).ok()?;
                    i32::try_from(start.checked_add(step.checked_mul(i)?)?).ok()
                };
                let list = (0..*len).map(index).collect::<Option<Vec<_>>>();
                self.picked(name, view, *axis, list.ok_or_else(|| Error::model("its steps overflow"))?, 0.0)
            }
            Move::Gather { axis, indices } => {
                let list = indices.iter().map(|&i| i32::try_from(i).unwrap_or(-1)).collect();
                self.picked(name, view, *axis, list, 0.0)
            }
        }
    }

    /// Elements of one axis by number; -1 stands for `fill`.
    pub(super) fn picked(
        &mut self,
        name: &str,
        view: &View,
        axis: usize,
        list: Vec<i32>,
        fill: f32,
    ) -> Result<View> {
        if let Some(gather) = view.as_map()
            && (axis == 2 || axis == 3)
        {
            let map = self.gather(name, gather)?;
            let shape = self.maps[map].shape;
            let all = |side: u32| (0..i32::try_from(side).unwrap_or(0)).collect::<Vec<_>>();
            let lists = if axis == 2 { [list, all(shape.width)] } else { [all(shape.height), list] };
            let map = self.sample(name, map, lists, fill)?;
            return Ok(View::whole(map, self.maps[map].shape));
        }
        let last = move_last(view, axis)?;
        let mut shape = last.shape();
        let width = shape.pop().unwrap_or(1);
        let map = self.as_sides(name, &last, [shape.iter().product(), 1, width])?;
        shape.push(list.len());
        let map = self.sample(name, map, [vec![0], list], fill)?;
        let rank = shape.len();
        let mut order: Vec<usize> = (0..rank - 1).collect();
        order.insert(axis, rank - 1);
        self.whole_as(map, &shape)?.transpose(&order).ok_or_else(|| Error::model("its axes do not fit"))
    }

    /// `Expand` and `Tile`.
    pub(super) fn repeat(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let value = self.value(first(node)?)?;
        let constants = self.constants(node)?;
        let counts = list(node, &constants, 1, "repeats")?.ok_or_else(|| Error::model("it has no shape"))?;
        let counts = counts
            .iter()
            .map(|&count| usize::try_from(count))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Error::model("a side is negative"))?;
        let shape = value.shape();
        if node.op == "Expand" {
            let out = broadcast(&shape, &counts)
                .ok_or_else(|| Error::model(format!("it expands {shape:?} to {counts:?}")))?;
            if out == shape {
                return self.set(name, value);
            }
            let mut padded = vec![1; out.len() - shape.len()];
            padded.extend(shape);
            let view = self.view_of(name, &value)?;
            let view = view.reshape(&padded).ok_or_else(|| Error::model("its axes do not fit"))?;
            let map = self.expanded(name, &view, &out)?;
            let view = self.whole_as(map, &out)?;
            return self.set(name, Value::View(view));
        }
        if counts.len() != shape.len() {
            return Err(Error::model(format!("it repeats {shape:?} {counts:?} times")));
        }
        if counts.iter().all(|&count| count == 1) {
            return self.set(name, value);
        }
        let view = self.view_of(name, &value)?;
        let based = self.rebase(name, &view)?;
        let mut factors = Vec::new();
        for (dim, &count) in based.dims.iter().zip(&counts) {
            if count != 1 {
                factors.push(Factor { axis: Axis::C, size: count, stride: 0 });
            }
            factors.extend(dim.iter().copied());
        }
        let out = shape.iter().zip(&counts).map(|(side, &count)| side.checked_mul(count));
        let out = out.collect::<Option<Vec<usize>>>().ok_or_else(|| Error::model("its shape overflows"))?;
        let map = based.taps.first().map_or(0, |tap| tap.map);
        let map = self.rearrange(name, map, &factors, sides(&out)?)?;
        let view = self.whole_as(map, &out)?;
        self.set(name, Value::View(view))
    }

    /// `DepthToSpace` and `SpaceToDepth`.
    pub(super) fn depth_and_space(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let value = self.value(first(node)?)?;
        let &[1, c, h, w] = value.shape().as_slice() else {
            return Err(unsupported(format!("an input of shape {:?}", value.shape())));
        };
        let block =
            usize::try_from(node.int("blocksize", 0)).ok().filter(|&block| block <= 1 << 12).unwrap_or(0);
        let bad = || Error::model(format!("blocks of {block} do not divide [{c}, {h}, {w}]"));
        let (split, order, out) = if node.op == "SpaceToDepth" {
            if block == 0 || h % block != 0 || w % block != 0 {
                return Err(bad());
            }
            let split = vec![1, c, h / block, block, w / block, block];
            (split, vec![0, 3, 5, 1, 2, 4], vec![1, c * block * block, h / block, w / block])
        } else {
            if block == 0 || c % (block * block) != 0 {
                return Err(bad());
            }
            let depth = c / (block * block);
            let out = vec![1, depth, h * block, w * block];
            if node.text("mode", "DCR") == "CRD" {
                (vec![1, depth, block, block, h, w], vec![0, 1, 4, 2, 5, 3], out)
            } else {
                (vec![1, block, block, depth, h, w], vec![0, 3, 4, 1, 5, 2], out)
            }
        };
        let mut view = self.view_of(name, &value)?;
        for step in [Move::Reshape(split), Move::Transpose(order), Move::Reshape(out)] {
            view = self.moved(name, &view, &step)?;
        }
        self.set(name, Value::View(view))
    }

    pub(super) fn pad(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let name = output(node)?;
        let value = self.value(first(node)?)?;
        let shape = value.shape();
        let constants = self.constants(node)?;
        let pads = list(node, if self.opset < 11 { &[] } else { &constants }, 1, "pads")?.unwrap_or_default();
        let fill = match constants.get(2) {
            // What is padded for a maximum comes as -inf.
            Some(Some(value)) => {
                value.to_floats().first().copied().unwrap_or(0.0).clamp(-LARGEST_FILL, LARGEST_FILL)
            }
            Some(None) if node.inputs.get(2).is_some_and(|name| !name.is_empty()) => {
                return Err(unsupported("a value that is computed from the picture"));
            }
            _ => node.float("value", 0.0).clamp(-LARGEST_FILL, LARGEST_FILL),
        };
        let axes: Vec<usize> = match constants.get(3) {
            Some(Some(axes)) => {
                let axes = axes.as_ints().ok_or_else(|| Error::model("its axes are not integers"))?;
                axes.iter().map(|&a| super::movement::axis_of(a, shape.len())).collect::<Result<_>>()?
            }
            _ => (0..shape.len()).collect(),
        };
        let mode = node.text("mode", "constant").to_owned();
        if pads.len() != 2 * axes.len() {
            return Err(Error::model(format!("its pads {pads:?} are not two for each of {axes:?}")));
        }
        if pads.iter().any(|pad| !(-(1 << 12)..=1 << 12).contains(pad)) {
            return Err(unsupported(format!("attribute pads = {pads:?}")));
        }
        let Value::View(mut view) = value else {
            let view = self.view_of(name, &value)?;
            let padded = self.padded(name, view, &axes, &pads, &mode, fill)?;
            return self.set(name, Value::View(padded));
        };
        // Zeros around a map are the padding of a convolution, which may take it in.
        let around = axes.iter().zip(pads.iter().zip(&pads[axes.len()..]));
        let zeros = mode == "constant" && fill == 0.0 && pads.iter().all(|&pad| pad >= 0);
        let outside = around.clone().all(|(&axis, pads)| axis >= 2 || pads == (&0, &0));
        if zeros && outside && shape.len() == 4 && shape[0] == 1 && view.as_map().is_some() {
            let map = self.map(first(node)?)?;
            let mut padding = [0; 4];
            for (&axis, (&before, &after)) in around.filter(|(axis, _)| **axis >= 2) {
                padding[axis - 2] = u32::try_from(before).unwrap_or(0);
                padding[axis] = u32::try_from(after).unwrap_or(0);
            }
            let channels = self.maps[map].shape.channels as usize;
            return self.affine(node, map, vec![1.0; channels], None, padding);
        }
        view = self.padded(name, view, &axes, &pads, &mode, fill)?;
        self.set(name, Value::View(view))
    }

    fn padded(
        &mut self,
        name: &str,
        mut view: View,
        axes: &[usize],
        pads: &[i64],
        mode: &str,
        fill: f32,
    ) -> Result<View> {
        for (index, &axis) in axes.iter().enumerate() {
            let (before, after) = (pads[index], pads[index + axes.len()]);
            if (before, after) == (0, 0) {
                continue;
            }
            let side = i64::try_from(view.shape()[axis]).unwrap_or(0);
            let source = |at: i64| match mode {
                "edge" => at.clamp(0, side - 1),
                "wrap" => at.rem_euclid(side),
                "reflect" if side > 1 => {
                    let folded = at.rem_euclid(2 * (side - 1));
                    folded.min(2 * (side - 1) - folded)
                }
                _ if (0..side).contains(&at) => at,
                _ => -1,
            };
            if !matches!(mode, "constant" | "edge" | "wrap" | "reflect") {
                return Err(unsupported(format!("attribute mode = {mode}")));
            }
            let list: Vec<i32> =
                (-before..side + after).map(|at| i32::try_from(source(at)).unwrap_or(-1)).collect();
            if list.is_empty() {
                return Err(Error::model("its negative pads leave nothing"));
            }
            view = self.picked(name, &view, axis, list, fill)?;
        }
        Ok(view)
    }

    /// `ConvTranspose`.
    pub(super) fn conv_transpose(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let source = self.map(first(node)?)?;
        let map = self.maps[source].shape;
        let weight = self.weight(super::lower::input(node, 1)?)?;
        let shape = self.weights.get(&weight)?.shape.clone();
        let &[_, per_group, height, width] = shape.as_slice() else {
            return Err(unsupported(format!("weight of shape {shape:?}: only 2-D convolution is")));
        };
        let groups = u32::try_from(node.int("group", 1)).unwrap_or(0);
        let bias = match node.inputs.get(2).filter(|name| !name.is_empty()) {
            Some(name) => Some(self.weight(name)?),
            None => None,
        };
        let window = super::window::TransposedWindow::read(
            node,
            [height, width].map(|side| u32::try_from(side).unwrap_or(0)),
            map,
        )?;
        let channels = u32::try_from(per_group).unwrap_or(0).saturating_mul(groups);
        let op = Op::ConvTranspose {
            weight,
            bias,
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
            groups,
            size: window.size,
            activation: Activation::None,
        };
        let shape = crate::geom::Shape::new(channels, window.size[0], window.size[1]);
        self.finish(node, op, &[source], shape)
    }
}
