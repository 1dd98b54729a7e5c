//! Small ONNX files made of random but mostly fitting nodes: what a mutator of bytes hardly ever reaches.

use crate::proto::{Message, NUMBERS};
use arbitrary::{Result, Unstructured};

/// A value of the graph and the shape it probably has.
#[derive(Clone)]
struct Value {
    name: String,
    shape: Vec<i64>,
}

struct Node {
    op: &'static str,
    inputs: Vec<String>,
    attributes: Vec<Message>,
    shapes: Vec<Vec<i64>>,
}

/// The file as it grows.
struct Builder<'a, 'b> {
    u: &'b mut Unstructured<'a>,
    opset: i64,
    graph: Message,
    values: Vec<Value>,
    count: usize,
}

/// What each node computes, by kind.
const UNARY: [&str; 36] = [
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "Tanh",
    "Mish",
    "Gelu",
    "Softplus",
    "Elu",
    "Erf",
    "Exp",
    "Log",
    "Sqrt",
    "Reciprocal",
    "Abs",
    "Floor",
    "Ceil",
    "Sin",
    "Cos",
    "Swish",
    "Selu",
    "Celu",
    "Softsign",
    "Neg",
    "Clip",
    "Identity",
    "Dropout",
    "Cast",
    "Shape",
    "Size",
    "Round",
    "Sign",
    "Not",
    "GlobalAveragePool",
    "GlobalMaxPool",
];
const BINARY: [&str; 18] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Min",
    "Max",
    "PRelu",
    "Sum",
    "Mean",
    "Equal",
    "Greater",
    "Less",
    "Mod",
    "And",
    "Or",
    "Xor",
    "LessOrEqual",
];
const REDUCE: [&str; 11] = [
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceSumSquare",
    "ReduceProd",
    "ReduceMean",
];
const OTHER: [&str; 12] = [
    "TopK",
    "NonMaxSuppression",
    "ArgMax",
    "GatherElements",
    "ScatterND",
    "NonZero",
    "Loop",
    "If",
    "GatherND",
    "LSTM",
    "GridSample",
    "QuantizeLinear",
];

fn int(name: &str, value: i64) -> Message {
    Message::default().text(1, name).int(3, value).int(20, 2)
}

fn ints(name: &str, values: &[i64]) -> Message {
    let start = Message::default().text(1, name).int(20, 7);
    values.iter().fold(start, |message, &value| message.int(8, value))
}

fn float(name: &str, value: f32) -> Message {
    Message::default().text(1, name).float(2, value).int(20, 1)
}

fn text(name: &str, value: &str) -> Message {
    Message::default().text(1, name).text(4, value).int(20, 3)
}

fn value_info(name: &str, dims: &[i64]) -> Message {
    let shape = dims.iter().fold(Message::default(), |shape, &dim| {
        let dim = if dim > 0 { Message::default().int(1, dim) } else { Message::default().text(2, "n") };
        shape.message(1, &dim)
    });
    let tensor = Message::default().int(1, 1).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

fn tensor(name: &str, dims: &[i64], kind: i64, raw: &[u8]) -> Message {
    let start = Message::default().int(2, kind).text(8, name).bytes(9, raw);
    dims.iter().fold(start, |message, &dim| message.int(1, dim))
}

/// The file that those bytes choose.
pub fn file(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let opset = *u.choose(&[11, 13, 18, 7, 9, 10, 12, 17, 20, 22, 24])?;
    let sides = [8, 16, 4, 6, 32, 1, 2, 3, 5, 12, 31, 64, 0];
    let (h, w) = (*u.choose(&sides)?, *u.choose(&sides)?);
    let batch = *u.choose(&[1, 1, 1, 1, 1, 1, 2, 0])?;
    let dims = if u.ratio(1, 10)? { [batch, h, w, 3] } else { [batch, 3, h, w] };
    let graph = Message::default().text(2, "g").message(11, &value_info("x", &dims));
    let mut builder =
        Builder { u, opset, graph, values: vec![Value { name: "x".into(), shape: dims.to_vec() }], count: 0 };
    builder.values[0].shape[0] = 1;
    while builder.count < 60 && !builder.u.is_empty() {
        builder.node()?;
    }
    let outputs = builder.u.int_in_range(1..=3)?.min(builder.values.len());
    for index in 0..outputs {
        let at = builder.values.len() - 1 - index;
        let value = if index == 0 { builder.values[at].clone() } else { builder.any()? };
        builder.graph = builder.graph.clone().message(12, &value_info(&value.name, &value.shape));
    }
    let set = Message::default().text(1, "").int(2, opset);
    let mut file = Message::default().int(1, 8).message(7, &builder.graph).message(8, &set);
    if builder.u.ratio(1, 8)? {
        for (key, value) in
            [("stride", "32"), ("task", "detect"), ("names", "{0: 'a', 1: 'b'}"), ("imgsz", "[64, 64]")]
        {
            file = file.message(14, &Message::default().text(1, key).text(2, value));
        }
    }
    Ok(file.0)
}

impl Builder<'_, '_> {
    fn pick<T: Copy>(&mut self, from: &[T]) -> Result<T> {
        self.u.choose(from).copied()
    }

    /// An earlier value, most of the time one of the latest.
    fn any(&mut self) -> Result<Value> {
        let len = self.values.len();
        let back = if self.u.ratio(3, 4)? {
            self.u.int_in_range(0..=1)?
        } else {
            self.u.int_in_range(0..=len - 1)?
        };
        Ok(self.values[len - 1 - back.min(len - 1)].clone())
    }

    /// An earlier value of 4 axes, if there is one.
    fn map(&mut self) -> Result<Value> {
        let maps: Vec<Value> = self.values.iter().filter(|value| value.shape.len() == 4).cloned().collect();
        if maps.is_empty() || self.u.ratio(1, 16)? {
            return self.any();
        }
        let back = if self.u.ratio(3, 4)? { 0 } else { self.u.int_in_range(0..=maps.len() - 1)? };
        Ok(maps[maps.len() - 1 - back].clone())
    }

    fn number(&mut self) -> Result<i64> {
        Ok(match self.u.int_in_range(0..=7)? {
            0 => self.pick(&NUMBERS)?,
            1 => i64::from(self.u.arbitrary::<i8>()?),
            _ => self.u.int_in_range(-2..=9)?,
        })
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("v{}", self.count)
    }

    /// A constant of integers: an initializer or a node.
    fn int_list(&mut self, values: &[i64]) -> Result<String> {
        let mut values = values.to_vec();
        if self.u.ratio(1, 24)? {
            let at = self.u.int_in_range(0..=values.len())?;
            let value = self.number()?;
            values.insert(at, value);
        }
        if self.u.ratio(1, 24)? && !values.is_empty() {
            let at = self.u.int_in_range(0..=values.len() - 1)?;
            values[at] = self.number()?;
        }
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(&[values.len() as i64], 7, &raw)
    }

    fn constant(&mut self, dims: &[i64], kind: i64, raw: &[u8]) -> Result<String> {
        let name = self.name();
        if self.u.ratio(1, 4)? {
            let value =
                Message::default().text(1, "value").message(5, &tensor("", dims, kind, raw)).int(20, 4);
            let node = Message::default().text(2, &name).text(4, "Constant").message(5, &value);
            self.graph = self.graph.clone().message(1, &node);
        } else {
            self.graph = self.graph.clone().message(5, &tensor(&name, dims, kind, raw));
        }
        Ok(name)
    }

    /// A constant of floats, all alike.
    fn floats(&mut self, dims: &[i64]) -> Result<String> {
        let mut dims = dims.to_vec();
        if self.u.ratio(1, 32)? && !dims.is_empty() {
            let at = self.u.int_in_range(0..=dims.len() - 1)?;
            dims[at] = self.u.int_in_range(0..=9)?;
        }
        let count = dims.iter().try_fold(1i64, |product, &dim| product.checked_mul(dim.max(0)));
        let count = count.filter(|&count| count <= 1 << 13).unwrap_or(0) as usize;
        let value = self.pick(&[0.5f32, 1.0, 0.0, -1.0, 2.0, 1e-3, 3e38, f32::INFINITY, f32::NAN])?;
        let raw = value.to_le_bytes().repeat(count);
        self.constant(&dims, 1, &raw)
    }

    fn side(shape: &[i64], axis: usize) -> i64 {
        shape.get(axis).copied().unwrap_or(1)
    }

    fn node(&mut self) -> Result<()> {
        let mut node = self.kind()?;
        if self.u.ratio(1, 32)? {
            let index = self.u.int_in_range(0..=node.inputs.len())?;
            let value = self.any()?.name;
            match node.inputs.get_mut(index) {
                Some(input) => *input = value,
                None => node.inputs.push(value),
            }
        }
        if self.u.ratio(1, 48)? {
            node.inputs.pop();
        }
        let mut message = Message::default().text(4, node.op);
        for input in &node.inputs {
            message = message.text(1, input);
        }
        for attribute in &node.attributes {
            message = message.message(5, attribute);
        }
        for shape in node.shapes {
            let name = self.name();
            message = message.text(2, &name);
            // A guess that is off may be anything; the next guess must not overflow.
            let shape = shape.iter().map(|side| (*side).clamp(0, 1 << 14)).collect();
            self.values.push(Value { name, shape });
        }
        self.graph = self.graph.clone().message(1, &message);
        Ok(())
    }

    fn kind(&mut self) -> Result<Node> {
        match self.u.int_in_range(0..=25)? {
            0 | 1 => self.unary(),
            2..=4 => self.binary(),
            5 | 6 => self.conv(),
            7 => self.pool(),
            8 => self.normalisation(),
            9 | 10 => self.reshape(),
            11 => self.transpose(),
            12 | 13 => self.slice(),
            14 => self.split(),
            15 | 16 => self.concat(),
            17 => self.gather(),
            18 => self.resize(),
            19 => self.pad(),
            20 => self.reduce(),
            21 => self.product(),
            22 => self.axes(),
            23 => self.repeat(),
            24 => self.constants(),
            _ => self.other(),
        }
    }

    fn unary(&mut self) -> Result<Node> {
        let x = self.any()?;
        let op = self.pick(&UNARY)?;
        let mut attributes = Vec::new();
        for name in ["alpha", "beta", "min", "max"] {
            if self.u.ratio(1, 6)? {
                let value = self.pick(&[1.0, 0.0, -1.0, 6.0, f32::NAN, f32::INFINITY, 3e38])?;
                attributes.push(float(name, value));
            }
        }
        if op == "Cast" {
            let kind = self.pick(&[1, 7, 6, 9, 10, 11, 0])?;
            attributes.push(int("to", kind));
        }
        let shape = match op {
            "Shape" => vec![x.shape.len() as i64],
            "GlobalAveragePool" | "GlobalMaxPool" => {
                x.shape.iter().enumerate().map(|(axis, &side)| if axis < 2 { side } else { 1 }).collect()
            }
            _ => x.shape.clone(),
        };
        Ok(Node { op, inputs: vec![x.name], attributes, shapes: vec![shape] })
    }

    fn binary(&mut self) -> Result<Node> {
        let op = self.pick(&BINARY)?;
        let a = self.any()?;
        let (c, rank) = (Self::side(&a.shape, 1), a.shape.len());
        let b = match self.u.int_in_range(0..=8)? {
            0 | 1 => {
                let same: Vec<Value> =
                    self.values.iter().filter(|value| value.shape == a.shape).cloned().collect();
                let at = self.u.int_in_range(0..=same.len() - 1)?;
                same[at].name.clone()
            }
            2 => self.floats(&[])?,
            3 => self.floats(&[1])?,
            4 => self.floats(&[c, 1, 1])?,
            5 => self.floats(&[1, c, 1, 1])?,
            6 => self.floats(&a.shape)?,
            7 => {
                let mut shape = a.shape.clone();
                for axis in 0..rank {
                    if self.u.ratio(1, 2)? {
                        shape[axis] = 1;
                    }
                }
                self.floats(&shape)?
            }
            _ => self.any()?.name,
        };
        let mut inputs = vec![a.name, b];
        if self.u.ratio(1, 4)? {
            inputs.reverse();
        }
        Ok(Node { op, inputs, attributes: vec![], shapes: vec![a.shape] })
    }

    /// Attributes of a window and the side it leaves of `side`.
    fn window(&mut self, kernel: i64, h: i64, w: i64) -> Result<(Vec<Message>, i64, i64)> {
        let stride = self.pick(&[1, 1, 2, 1, 3, 4])?;
        let pad = if self.u.ratio(1, 2)? { kernel / 2 } else { 0 };
        let dilation = if self.u.ratio(1, 8)? { 2 } else { 1 };
        let mut attributes = vec![ints("strides", &[stride, stride]), ints("pads", &[pad; 4])];
        if dilation != 1 {
            attributes.push(ints("dilations", &[dilation, dilation]));
        }
        if self.u.ratio(1, 10)? {
            let mode = self.pick(&["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])?;
            attributes.push(text("auto_pad", mode));
        }
        if self.u.ratio(1, 10)? {
            attributes.push(int("ceil_mode", 1));
        }
        if self.u.ratio(1, 24)? {
            let name = self.pick(&[
                "strides",
                "pads",
                "dilations",
                "kernel_shape",
                "output_padding",
                "output_shape",
            ])?;
            let list = (0..self.u.int_in_range(0..=4)?).map(|_| self.number()).collect::<Result<Vec<_>>>()?;
            attributes.insert(0, ints(name, &list));
        }
        let out = |side: i64| (side + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
        Ok((attributes, out(h), out(w)))
    }

    fn conv(&mut self) -> Result<Node> {
        let x = self.map()?;
        let [c, h, w] = [1, 2, 3].map(|axis| Self::side(&x.shape, axis));
        let kernel = self.pick(&[1, 3, 2, 5])?;
        let groups = self.pick(&[1, 1, c.max(1), 2])?;
        let out = self.pick(&[4, 8, 1, 2, 3, 16, 32, 65, c])?;
        let (mut attributes, mut height, mut width) = self.window(kernel, h, w)?;
        let transposed = self.u.ratio(1, 5)?;
        let (shape, out) = if transposed {
            let stride = self.pick(&[2, 1, 3])?;
            attributes.insert(0, ints("strides", &[stride, stride]));
            (height, width) = (h * stride, w * stride);
            ([c, out, kernel, kernel], out * groups)
        } else {
            ([out * groups, c / groups, kernel, kernel], out * groups)
        };
        if groups != 1 {
            attributes.push(int("group", groups));
        }
        let mut inputs = vec![x.name, self.floats(&shape)?];
        if self.u.ratio(1, 3)? {
            inputs.push(self.floats(&[out])?);
        }
        let op = if transposed { "ConvTranspose" } else { "Conv" };
        Ok(Node { op, inputs, attributes, shapes: vec![vec![1, out, height, width]] })
    }

    fn pool(&mut self) -> Result<Node> {
        let x = self.map()?;
        let [c, h, w] = [1, 2, 3].map(|axis| Self::side(&x.shape, axis));
        let kernel = self.pick(&[2, 3, 1, 5])?;
        let (mut attributes, height, width) = self.window(kernel, h, w)?;
        attributes.push(ints("kernel_shape", &[kernel, kernel]));
        if self.u.ratio(1, 6)? {
            attributes.push(int("count_include_pad", 1));
        }
        let op = self.pick(&["MaxPool", "AveragePool"])?;
        Ok(Node { op, inputs: vec![x.name], attributes, shapes: vec![vec![1, c, height, width]] })
    }

    fn normalisation(&mut self) -> Result<Node> {
        let op = self.pick(&[
            "BatchNormalization",
            "LayerNormalization",
            "InstanceNormalization",
            "GroupNormalization",
            "Softmax",
            "LogSoftmax",
        ])?;
        let x = if op == "BatchNormalization" { self.map()? } else { self.any()? };
        let (c, last) = (Self::side(&x.shape, 1), x.shape.last().copied().unwrap_or(1));
        let count = match op {
            "BatchNormalization" => 4,
            "Softmax" | "LogSoftmax" => 0,
            _ => 2,
        };
        let side = if op == "LayerNormalization" { last } else { c };
        let mut inputs = vec![x.name];
        for _ in 0..count {
            inputs.push(self.floats(&[side])?);
        }
        let mut attributes = Vec::new();
        if count != 4 && self.u.ratio(2, 3)? {
            let axis = self.u.int_in_range(-1..=x.shape.len() as i64)?;
            attributes.push(int("axis", axis));
        }
        if op == "GroupNormalization" {
            let groups = self.pick(&[1, 2, 4, c, 0, 3])?;
            attributes.push(int("num_groups", groups));
        }
        Ok(Node { op, inputs, attributes, shapes: vec![x.shape] })
    }

    fn reshape(&mut self) -> Result<Node> {
        let x = self.any()?;
        let total: i64 = x.shape.iter().fold(1i64, |product, &side| product.saturating_mul(side));
        let mut shape = x.shape.clone();
        for _ in 0..self.u.int_in_range(1..=3)? {
            if shape.is_empty() {
                break;
            }
            let at = self.u.int_in_range(0..=shape.len() - 1)?;
            match self.u.int_in_range(0..=3)? {
                0 if at + 1 < shape.len() => {
                    shape[at] = shape[at].saturating_mul(shape[at + 1]);
                    shape.remove(at + 1);
                }
                1 => {
                    let by = self.pick(&[2, 4, 1, 3, 16])?;
                    if shape[at] % by == 0 {
                        shape[at] /= by;
                        shape.insert(at, by);
                    }
                }
                2 => shape = vec![1, total],
                _ => shape.insert(at, 1),
            }
        }
        let mut target = shape.clone();
        if self.u.ratio(1, 2)? && !target.is_empty() {
            let at = self.u.int_in_range(0..=target.len() - 1)?;
            target[at] = -1;
        }
        if self.u.ratio(1, 4)? && target.first() == x.shape.first() && !target.is_empty() {
            target[0] = 0;
        }
        let target = self.int_list(&target)?;
        Ok(Node { op: "Reshape", inputs: vec![x.name, target], attributes: vec![], shapes: vec![shape] })
    }

    fn transpose(&mut self) -> Result<Node> {
        let x = self.any()?;
        let mut order: Vec<i64> = (0..x.shape.len() as i64).collect();
        for _ in 0..2 {
            if order.len() > 1 {
                let (a, b) =
                    (self.u.int_in_range(0..=order.len() - 1)?, self.u.int_in_range(0..=order.len() - 1)?);
                order.swap(a, b);
            }
        }
        let shape = order.iter().map(|&axis| x.shape[axis as usize]).collect();
        if self.u.ratio(1, 48)? && !order.is_empty() {
            order[0] = self.number()?;
        }
        Ok(Node {
            op: "Transpose",
            inputs: vec![x.name],
            attributes: vec![ints("perm", &order)],
            shapes: vec![shape],
        })
    }

    fn axis(&mut self, shape: &[i64]) -> Result<usize> {
        self.u.int_in_range(0..=shape.len().max(1) - 1)
    }

    fn slice(&mut self) -> Result<Node> {
        let x = self.any()?;
        let axis = self.axis(&x.shape)?;
        let side = Self::side(&x.shape, axis);
        let start = self.u.int_in_range(0..=side.clamp(1, 64) - 1)?;
        let end = if self.u.ratio(1, 2)? { self.pick(&[side, i64::MAX, -1])? } else { start + 1 };
        let step = self.pick(&[1, 1, 1, 2, 3, -1])?;
        let mut shape = x.shape.clone();
        if let Some(side) = shape.get_mut(axis) {
            *side = ((end.min(*side) - start) / step).clamp(1, (*side).max(1));
        }
        let lists: [(&str, &[i64]); 4] =
            [("starts", &[start]), ("ends", &[end]), ("axes", &[axis as i64]), ("steps", &[step])];
        let (mut inputs, mut attributes) = (vec![x.name], vec![]);
        for (name, list) in lists {
            if self.opset < 10 {
                attributes.push(ints(name, list));
            } else {
                inputs.push(self.int_list(list)?);
            }
        }
        Ok(Node { op: "Slice", inputs, attributes, shapes: vec![shape] })
    }

    fn split(&mut self) -> Result<Node> {
        let x = self.any()?;
        let axis = self.axis(&x.shape)?;
        let side = Self::side(&x.shape, axis);
        let parts = self.pick(&[2, 3, 1, 4])?;
        let sizes: Vec<i64> = if self.u.ratio(1, 2)? && side > 2 {
            vec![1, side - 1]
        } else {
            vec![side / parts; parts as usize]
        };
        let mut node = Node {
            op: "Split",
            inputs: vec![x.name],
            attributes: vec![int("axis", axis as i64)],
            shapes: vec![],
        };
        if self.u.ratio(3, 4)? {
            if self.opset < 13 {
                node.attributes.push(ints("split", &sizes));
            } else {
                let sizes = self.int_list(&sizes)?;
                node.inputs.push(sizes);
            }
        }
        for size in sizes {
            let mut shape = x.shape.clone();
            if let Some(side) = shape.get_mut(axis) {
                *side = size;
            }
            node.shapes.push(shape);
        }
        Ok(node)
    }

    fn concat(&mut self) -> Result<Node> {
        let first = self.any()?;
        let axis = self.axis(&first.shape)?;
        let fits = |value: &&Value| {
            value.shape.len() == first.shape.len()
                && (0..first.shape.len()).all(|a| a == axis || value.shape[a] == first.shape[a])
        };
        let fitting: Vec<Value> = self.values.iter().filter(fits).cloned().collect();
        let mut shape = first.shape.clone();
        let mut inputs = vec![first.name.clone()];
        for _ in 0..self.u.int_in_range(1..=6)? {
            let other = &fitting[self.u.int_in_range(0..=fitting.len() - 1)?];
            if let Some(side) = shape.get_mut(axis) {
                *side = side.saturating_add(Self::side(&other.shape, axis));
            }
            inputs.push(other.name.clone());
        }
        if self.u.ratio(1, 12)? {
            inputs.push(self.floats(&first.shape)?);
        }
        let axis = axis as i64 - if self.u.ratio(1, 4)? { shape.len() as i64 } else { 0 };
        Ok(Node { op: "Concat", inputs, attributes: vec![int("axis", axis)], shapes: vec![shape] })
    }

    fn gather(&mut self) -> Result<Node> {
        let x = self.any()?;
        let axis = self.axis(&x.shape)?;
        let side = Self::side(&x.shape, axis).clamp(1, 64);
        let count = self.u.int_in_range(0..=5)?;
        let list = (0..count).map(|_| self.u.int_in_range(-1..=side - 1)).collect::<Result<Vec<_>>>()?;
        let mut shape = x.shape.clone();
        let indices = if self.u.ratio(1, 4)? {
            let raw = list.first().copied().unwrap_or(0).to_le_bytes();
            if axis < shape.len() {
                shape.remove(axis);
            }
            self.constant(&[], 7, &raw)?
        } else {
            if let Some(side) = shape.get_mut(axis) {
                *side = count;
            }
            self.int_list(&list)?
        };
        Ok(Node {
            op: "Gather",
            inputs: vec![x.name, indices],
            attributes: vec![int("axis", axis as i64)],
            shapes: vec![shape],
        })
    }

    fn resize(&mut self) -> Result<Node> {
        let x = self.map()?;
        let [c, h, w] = [1, 2, 3].map(|axis| Self::side(&x.shape, axis));
        let factor = self.pick(&[2.0, 0.5, 1.0, 3.0, 1.5, 1e-3, f32::NAN, 1e30])?;
        let mut attributes = Vec::new();
        for (name, values) in [
            ("mode", &["nearest", "linear", "cubic", "bad"][..]),
            (
                "coordinate_transformation_mode",
                &[
                    "half_pixel",
                    "asymmetric",
                    "align_corners",
                    "pytorch_half_pixel",
                    "half_pixel_symmetric",
                    "tf_crop_and_resize",
                ],
            ),
            ("nearest_mode", &["floor", "ceil", "round_prefer_ceil", "round_prefer_floor"]),
            ("keep_aspect_ratio_policy", &["stretch", "not_larger", "not_smaller"]),
        ] {
            if self.u.ratio(1, 2)? {
                let value = self.pick(values)?;
                attributes.push(text(name, value));
            }
        }
        let scales: Vec<u8> =
            [1.0, 1.0, factor, factor].iter().flat_map(|scale: &f32| scale.to_le_bytes()).collect();
        let upsample = self.u.ratio(1, 4)?;
        let mut inputs = vec![x.name];
        if upsample || self.opset < 11 {
            inputs.push(self.constant(&[4], 1, &scales)?);
        } else if self.u.ratio(1, 2)? {
            inputs.push(String::new());
            inputs.push(self.constant(&[4], 1, &scales)?);
        } else {
            inputs.extend([String::new(), String::new()]);
            let size = self.pick(&[h * 2, h / 2, h, 1, 1 << 14])?;
            inputs.push(self.int_list(&[1, c, size, w * 2])?);
        }
        let [height, width] = [h, w].map(|side| (side as f32 * factor) as i64);
        let op = if upsample { "Upsample" } else { "Resize" };
        Ok(Node { op, inputs, attributes, shapes: vec![vec![1, c, height, width]] })
    }

    fn pad(&mut self) -> Result<Node> {
        let x = self.any()?;
        let mut pads = vec![0; 2 * x.shape.len()];
        for _ in 0..self.u.int_in_range(1..=3)? {
            if !pads.is_empty() {
                let at = self.u.int_in_range(0..=pads.len() - 1)?;
                pads[at] = self.u.int_in_range(-2..=4)?;
            }
        }
        let mode = self.pick(&["constant", "edge", "reflect", "wrap"])?;
        let (mut inputs, mut attributes) = (vec![x.name], vec![text("mode", mode)]);
        if self.opset < 11 {
            attributes.push(ints("pads", &pads));
        } else {
            inputs.push(self.int_list(&pads)?);
            if self.u.ratio(1, 4)? {
                inputs.push(self.floats(&[])?);
            }
        }
        let rank = x.shape.len();
        let shape =
            (0..rank).map(|axis| x.shape[axis].saturating_add(pads[axis] + pads[axis + rank])).collect();
        Ok(Node { op: "Pad", inputs, attributes, shapes: vec![shape] })
    }

    fn reduce(&mut self) -> Result<Node> {
        let x = self.any()?;
        let op = self.pick(&REDUCE)?;
        let mut axes = Vec::new();
        for _ in 0..self.u.int_in_range(0..=3)? {
            let axis = self.axis(&x.shape)? as i64;
            if !axes.contains(&axis) || self.u.ratio(1, 16)? {
                axes.push(axis);
            }
        }
        let keep = self.u.ratio(1, 2)?;
        let listed = |axis: usize| axes.is_empty() || axes.contains(&(axis as i64));
        let shape = (0..x.shape.len())
            .filter(|&axis| keep || !listed(axis))
            .map(|axis| if listed(axis) { 1 } else { x.shape[axis] })
            .collect();
        let (mut inputs, mut attributes) = (vec![x.name], vec![int("keepdims", i64::from(keep))]);
        if self.opset < 18 {
            attributes.push(ints("axes", &axes));
        } else {
            inputs.push(self.int_list(&axes)?);
        }
        Ok(Node { op, inputs, attributes, shapes: vec![shape] })
    }

    fn product(&mut self) -> Result<Node> {
        let a = self.any()?;
        let rank = a.shape.len();
        let inner = a.shape.last().copied().unwrap_or(1);
        let outer = self.pick(&[4, 1, 8, 3])?;
        let mut shape = a.shape.clone();
        match self.u.int_in_range(0..=4)? {
            0 | 1 => {
                let b = self.floats(&[inner, outer])?;
                if let Some(side) = shape.last_mut() {
                    *side = outer;
                }
                let gemm = self.u.ratio(1, 3)?;
                let mut attributes = Vec::new();
                for name in ["transA", "transB"] {
                    if gemm && self.u.ratio(1, 4)? {
                        attributes.push(int(name, 1));
                    }
                }
                Ok(Node {
                    op: if gemm { "Gemm" } else { "MatMul" },
                    inputs: vec![a.name, b],
                    attributes,
                    shapes: vec![shape],
                })
            }
            2 => {
                let b = self.floats(&[outer, Self::side(&a.shape, rank.max(2) - 2)])?;
                Ok(Node { op: "MatMul", inputs: vec![b, a.name], attributes: vec![], shapes: vec![shape] })
            }
            3 => {
                let b = self.any()?;
                Ok(Node {
                    op: "MatMul",
                    inputs: vec![a.name, b.name],
                    attributes: vec![],
                    shapes: vec![shape],
                })
            }
            _ => {
                let b = self.any()?;
                let equation = self.pick(&[
                    "bchw,bkhw->bck",
                    "bij,bjk->bik",
                    "ab,cb->ac",
                    "abcd,abcd->abcd",
                    "a,b->ab",
                    "ii,i->i",
                    "->",
                ])?;
                Ok(Node {
                    op: "Einsum",
                    inputs: vec![a.name, b.name],
                    attributes: vec![text("equation", equation)],
                    shapes: vec![shape],
                })
            }
        }
    }

    /// Operators that add or remove axes, and depth to space.
    fn axes(&mut self) -> Result<Node> {
        let op = self.pick(&["Squeeze", "Unsqueeze", "Flatten", "DepthToSpace", "SpaceToDepth"])?;
        let x = if op.ends_with('h') || op.ends_with("ce") { self.map()? } else { self.any()? };
        let axis = self.axis(&x.shape)?;
        let mut shape = x.shape.clone();
        let mut node = Node { op, inputs: vec![x.name], attributes: vec![], shapes: vec![] };
        match op {
            "Squeeze" | "Unsqueeze" => {
                if op == "Squeeze" && Self::side(&shape, axis) == 1 && axis < shape.len() {
                    shape.remove(axis);
                } else if op == "Unsqueeze" {
                    shape.insert(axis, 1);
                }
                if self.opset < 13 {
                    node.attributes.push(ints("axes", &[axis as i64]));
                } else {
                    let axes = self.int_list(&[axis as i64])?;
                    node.inputs.push(axes);
                }
            }
            "Flatten" => {
                let product =
                    |part: &[i64]| part.iter().fold(1i64, |product, &side| product.saturating_mul(side));
                let at = axis.min(shape.len());
                shape = vec![product(&shape[..at]), product(&shape[at..])];
                node.attributes.push(int("axis", axis as i64));
            }
            _ => {
                let block = self.pick(&[2, 1, 3, 4, 0, 1 << 33, i64::MAX])?;
                node.attributes.push(int("blocksize", block));
                if self.u.ratio(1, 2)? {
                    node.attributes.push(text("mode", "CRD"));
                }
                if block < 5 && block > 0 && shape.len() == 4 {
                    let area = block * block;
                    shape = if op == "DepthToSpace" {
                        vec![1, shape[1] / area, shape[2] * block, shape[3] * block]
                    } else {
                        vec![1, shape[1] * area, shape[2] / block, shape[3] / block]
                    };
                }
            }
        }
        node.shapes.push(shape);
        Ok(node)
    }

    fn repeat(&mut self) -> Result<Node> {
        let x = self.any()?;
        let tile = self.u.ratio(1, 2)?;
        let mut counts = vec![1; x.shape.len()];
        let mut shape = x.shape.clone();
        if !counts.is_empty() {
            let axis = self.axis(&shape)?;
            counts[axis] = self.pick(&[2, 3, 1, 64, 0, 1 << 20])?;
            shape[axis] = shape[axis].saturating_mul(counts[axis]);
        }
        let list = if tile { counts } else { shape.clone() };
        let list = self.int_list(&list)?;
        Ok(Node {
            op: if tile { "Tile" } else { "Expand" },
            inputs: vec![x.name, list],
            attributes: vec![],
            shapes: vec![shape],
        })
    }

    /// Operators that make constants.
    fn constants(&mut self) -> Result<Node> {
        match self.u.int_in_range(0..=4)? {
            0 => {
                let count = self.u.int_in_range(0..=4)?;
                let shape = (0..count).map(|_| self.number()).collect::<Result<Vec<_>>>()?;
                let list = self.int_list(&shape)?;
                Ok(Node {
                    op: "ConstantOfShape",
                    inputs: vec![list],
                    attributes: vec![],
                    shapes: vec![shape],
                })
            }
            1 => {
                let mut inputs = Vec::new();
                for _ in 0..3 {
                    let value = self.number()?;
                    inputs.push(self.constant(&[], 7, &value.to_le_bytes())?);
                }
                Ok(Node { op: "Range", inputs, attributes: vec![], shapes: vec![vec![4]] })
            }
            2 => {
                let x = self.any()?;
                let condition = self.floats(&x.shape)?;
                let other = self.any()?;
                Ok(Node {
                    op: "Where",
                    inputs: vec![condition, x.name, other.name],
                    attributes: vec![],
                    shapes: vec![x.shape],
                })
            }
            3 => {
                let x = self.any()?;
                let axis = self.int_list(&[0])?;
                Ok(Node {
                    op: "CumSum",
                    inputs: vec![x.name, axis],
                    attributes: vec![],
                    shapes: vec![x.shape],
                })
            }
            _ => {
                // A tensor without elements, or with absurd sides.
                let count = self.u.int_in_range(0..=5)?;
                let shape = (0..count).map(|_| self.number()).collect::<Result<Vec<_>>>()?;
                let x = self.floats(&shape)?;
                Ok(Node { op: "Identity", inputs: vec![x], attributes: vec![], shapes: vec![shape] })
            }
        }
    }

    fn other(&mut self) -> Result<Node> {
        let op = match self.u.int_in_range(0..=3)? {
            0 => self.pick(&OTHER)?,
            1 => self.pick(&UNARY)?,
            2 => self.pick(&BINARY)?,
            _ => self.pick(&[
                "Conv", "Resize", "Concat", "Reshape", "Slice", "Pad", "Split", "Gather", "Expand", "MatMul",
            ])?,
        };
        let mut inputs = Vec::new();
        for _ in 0..self.u.int_in_range(0..=4)? {
            inputs.push(self.any()?.name);
        }
        let mut attributes = Vec::new();
        for _ in 0..self.u.int_in_range(0..=2)? {
            let name = self.pick(&[
                "axis",
                "axes",
                "to",
                "pads",
                "perm",
                "shape",
                "split",
                "kernel_shape",
                "value",
                "mode",
            ])?;
            let value = self.number()?;
            attributes.push(if self.u.ratio(1, 2)? { int(name, value) } else { ints(name, &[value, 1]) });
        }
        let shape = self.any()?.shape;
        let shapes = vec![shape; self.u.int_in_range(0..=2)?];
        Ok(Node { op, inputs, attributes, shapes })
    }
}
