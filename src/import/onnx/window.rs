//! Convolution and pooling: windows, padding and weights.

use super::lower::{Lowering, Value, first, input, output, unsupported};
use super::proto::NodeProto;
use super::tensor::Data;
use super::view::View;
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{Activation, Op, PoolKind, Residual};

/// A sliding window: sizes `[height, width]`, padding `[top, left, bottom, right]`.
struct Window {
    stride: [u32; 2],
    padding: [u32; 4],
    dilation: [u32; 2],
    size: [u32; 2],
}

fn pair(node: &NodeProto<'_>, name: &str, default: u32) -> Result<[u32; 2]> {
    let Some(values) = node.ints(name) else { return Ok([default; 2]) };
    let &[height, width] = values else {
        return Err(unsupported(format!("attribute {name} = {values:?}: only two axes are")));
    };
    let side = |value: i64| {
        u32::try_from(value)
            .ok()
            .filter(|value| (1..=1 << 12).contains(value))
            .ok_or_else(|| unsupported(format!("attribute {name} = {values:?} is out of range")))
    };
    Ok([side(height)?, side(width)?])
}

impl Window {
    fn read(node: &NodeProto<'_>, kernel: [u32; 2], map: Shape) -> Result<Self> {
        let stride = pair(node, "strides", 1)?;
        let dilation = pair(node, "dilations", 1)?;
        let full = [map.height, map.width].map(i64::from);
        let extent = [0, 1].map(|axis| i64::from(kernel[axis] - 1) * i64::from(dilation[axis]) + 1);
        let step = stride.map(i64::from);
        let mut pads = match node.text("auto_pad", "NOTSET") {
            "NOTSET" | "" => explicit(node)?,
            "VALID" => [0; 4],
            mode @ ("SAME_UPPER" | "SAME_LOWER") => {
                let mut pads = [0; 4];
                for axis in 0..2 {
                    let out = (full[axis] + step[axis] - 1) / step[axis];
                    let total = ((out - 1) * step[axis] + extent[axis] - full[axis]).max(0);
                    let less = total / 2;
                    let (before, after) =
                        if mode == "SAME_UPPER" { (less, total - less) } else { (total - less, less) };
                    (pads[axis], pads[axis + 2]) = (before, after);
                }
                pads
            }
            other => return Err(unsupported(format!("attribute auto_pad = {other}"))),
        };
        let mut size = [0; 2];
        for axis in 0..2 {
            let padded = full[axis] + pads[axis] + pads[axis + 2];
            let free = padded - extent[axis];
            if free < 0 {
                return Err(Error::model(format!(
                    "a window of {} does not fit a side of {padded}",
                    extent[axis]
                )));
            }
            let mut steps = free / step[axis];
            if node.int("ceil_mode", 0) != 0 && free % step[axis] != 0 {
                // A window that would start in the padding after the map is dropped.
                if (steps + 1) * step[axis] < full[axis] + pads[axis] {
                    steps += 1;
                    pads[axis + 2] += steps * step[axis] + extent[axis] - padded;
                }
            }
            size[axis] = u32::try_from(steps + 1).map_err(|_| Error::model("its output is too large"))?;
        }
        let padding = pads.map(|pad| u32::try_from(pad).unwrap_or(u32::MAX));
        Ok(Self { stride, padding, dilation, size })
    }
}

/// The window of a transposed convolution: what it cuts off at top and left, and the size of what is left.
pub(super) struct TransposedWindow {
    pub(super) stride: [u32; 2],
    pub(super) padding: [u32; 2],
    pub(super) dilation: [u32; 2],
    pub(super) size: [u32; 2],
}

impl TransposedWindow {
    pub(super) fn read(node: &NodeProto<'_>, kernel: [u32; 2], map: Shape) -> Result<Self> {
        let (stride, dilation) = (pair(node, "strides", 1)?, pair(node, "dilations", 1)?);
        let extra = match node.ints("output_padding") {
            None => [0; 2],
            Some(&[y, x]) if (0..1 << 12).contains(&y) && (0..1 << 12).contains(&x) => [y, x],
            Some(other) => return Err(unsupported(format!("attribute output_padding = {other:?}"))),
        };
        let full = [map.height, map.width].map(i64::from);
        let extent = [0, 1].map(|axis| {
            (full[axis] - 1) * i64::from(stride[axis])
                + i64::from(kernel[axis].max(1) - 1) * i64::from(dilation[axis])
                + 1
                + extra[axis]
        });
        let mode = node.text("auto_pad", "NOTSET");
        let wanted = match (node.ints("output_shape"), mode) {
            (Some(&[.., y, x]), _) if [y, x].iter().all(|side| (1..=1 << 30).contains(side)) => Some([y, x]),
            (Some(other), _) => return Err(unsupported(format!("attribute output_shape = {other:?}"))),
            (None, "SAME_UPPER" | "SAME_LOWER") => {
                Some([0, 1].map(|axis| full[axis] * i64::from(stride[axis])))
            }
            _ => None,
        };
        let (mut padding, mut size) = ([0; 2], [0; 2]);
        let pads = explicit(node)?;
        for axis in 0..2 {
            let (before, out) = match wanted {
                Some(wanted) => {
                    let total = (extent[axis] - wanted[axis]).max(0);
                    let before = if mode == "SAME_UPPER" { total / 2 } else { total - total / 2 };
                    (before, wanted[axis])
                }
                None => (pads[axis], extent[axis] - pads[axis] - pads[axis + 2]),
            };
            padding[axis] = u32::try_from(before).unwrap_or(u32::MAX);
            size[axis] = u32::try_from(out)
                .ok()
                .filter(|&out| out > 0)
                .ok_or_else(|| Error::model("its padding leaves nothing"))?;
        }
        Ok(Self { stride, padding, dilation, size })
    }
}

fn explicit(node: &NodeProto<'_>) -> Result<[i64; 4]> {
    let Some(pads) = node.ints("pads") else { return Ok([0; 4]) };
    match pads {
        &[top, left, bottom, right] if pads.iter().all(|pad| (0..=1 << 12).contains(pad)) => {
            Ok([top, left, bottom, right])
        }
        _ => Err(unsupported(format!("attribute pads = {pads:?}"))),
    }
}

impl<'a> Lowering<'a> {
    pub(super) fn conv(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let source = self.map(first(node)?)?;
        let map = self.maps[source].shape;
        let weight = self.weight(input(node, 1)?)?;
        let shape = self.weights.get(&weight)?.shape.clone();
        let &[out, _, height, width] = shape.as_slice() else {
            return Err(unsupported(format!("weight of shape {shape:?}: only 2-D convolution is")));
        };
        let kernel = [height, width].map(|side| u32::try_from(side).unwrap_or(0));
        if kernel.iter().any(|side| !(1..=1 << 12).contains(side)) {
            return Err(unsupported(format!("weight of shape {shape:?}")));
        }
        if let Some(stated) = node.ints("kernel_shape")
            && stated != kernel.map(i64::from)
        {
            return Err(Error::model(format!("kernel_shape {stated:?} is not that of the weight {shape:?}")));
        }
        let groups = u32::try_from(node.int("group", 1))
            .map_err(|_| unsupported(format!("attribute group = {}", node.int("group", 1))))?;
        let bias = match node.inputs.get(2).filter(|name| !name.is_empty()) {
            Some(name) => Some(self.weight(name)?),
            None => None,
        };
        let window = Window::read(node, kernel, map)?;
        let op = Op::Conv {
            weight,
            bias,
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
            groups,
            activation: Activation::None,
            residual: Residual::None,
        };
        let shape = Shape::new(u32::try_from(out).unwrap_or(0), window.size[0], window.size[1]);
        self.finish(node, op, &[source], shape)
    }

    /// The name of a constant input among the weights, which it joins now.
    pub(super) fn weight(&mut self, name: &'a str) -> Result<String> {
        let Value::Constant(constant) = self.value(name)? else {
            return Err(unsupported(format!("weight \"{name}\" is computed from the picture, not constant")));
        };
        if self.weights.get(name).is_ok() {
            return Ok(name.to_owned());
        }
        let Data::Float(data) = &constant.data else {
            return Err(unsupported(format!("weight \"{name}\" is of integers")));
        };
        let tensor = crate::model::Tensor { shape: constant.shape.clone(), data: data.clone() };
        self.weights.insert(name, tensor)?;
        Ok(name.to_owned())
    }

    pub(super) fn pool(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let source = self.map(first(node)?)?;
        let map = self.maps[source].shape;
        if node.ints("kernel_shape").is_none() {
            return Err(Error::model("it has no kernel_shape"));
        }
        let kernel = pair(node, "kernel_shape", 1)?;
        if node.outputs.get(1).is_some_and(|name| !name.is_empty()) {
            return Err(unsupported("second output (Indices)"));
        }
        if node.int("storage_order", 0) != 0 {
            return Err(unsupported("attribute storage_order = 1"));
        }
        let window = Window::read(node, kernel, map)?;
        if window.dilation != [1, 1] {
            return Err(unsupported(format!("attribute dilations = {:?}", window.dilation)));
        }
        let count_padding = node.int("count_include_pad", 0) != 0;
        if count_padding && node.int("ceil_mode", 0) != 0 {
            return Err(unsupported("attribute ceil_mode = 1 with count_include_pad = 1"));
        }
        let kind = if node.op == "MaxPool" { PoolKind::Max } else { PoolKind::Average };
        let (stride, padding) = (window.stride, window.padding);
        let op = Op::Pool { kind, kernel, stride, padding, count_padding };
        let shape = Shape::new(map.channels, window.size[0], window.size[1]);
        self.finish(node, op, &[source], shape)
    }

    /// Adds a node named after the ONNX node's first output and makes the output its map.
    pub(super) fn finish(
        &mut self,
        node: &'a NodeProto<'a>,
        op: Op,
        inputs: &[usize],
        shape: Shape,
    ) -> Result<()> {
        let name = output(node)?;
        let map = self.emit(name, op, inputs, shape)?;
        self.set(name, Value::View(View::whole(map, shape)))
    }
}
