//! From ONNX nodes to graph nodes: values, maps and the walk over the live nodes.

use super::fold::{fold, shape_of};
use super::movement::{Move, moves};
use super::proto::{GraphProto, NodeProto, TensorProto};
use super::tensor::{Constant, MAX_FILLED};
use super::view::{Gather, Tap, View};
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{Graph, Node, Op, Tensor, Weights};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// What is understood in a live part of the graph; arithmetic on constants also knows `Range` and its like.
pub(super) const SUPPORTED: &str = "Abs, Add, AveragePool, BatchNormalization, Cast, Ceil, Celu, Clip, Concat, Constant, Conv, ConvTranspose, Cos, \
     DepthToSpace, Div, Dropout, Einsum, Elu, Erf, Exp, Expand, Flatten, Floor, Gather, Gelu, Gemm, \
     GlobalAveragePool, GlobalMaxPool, GroupNormalization, HardSigmoid, HardSwish, Identity, InstanceNormalization, \
     LayerNormalization, LeakyRelu, Log, LogSoftmax, MatMul, Max, MaxPool, Mean, Min, Mish, Mul, Neg, PRelu, Pad, Pow, \
     Reciprocal, ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMax, ReduceMean, ReduceMin, ReduceSum, ReduceSumSquare, \
     Relu, Reshape, Resize, Selu, Shape, Sigmoid, Sin, Slice, Softmax, Softplus, Softsign, SpaceToDepth, Split, Sqrt, \
     Squeeze, Sub, Sum, Swish, Tanh, Tile, Transpose, Unsqueeze, Upsample, Where";

/// Channels that all views together may list: a graph that doubles a map over and over ends here.
const MAX_TAPS: usize = 1 << 22;
/// Maps that one channel node may read.
const MAX_SOURCES: usize = 4;
/// Maps that one map may be gathered from: each few take a node, which looks through all channels.
pub(super) const MAX_GATHERED: usize = 1024;

/// What an ONNX value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Constant(Rc<Constant>),
    View(View),
    /// Views joined along an axis that is not a channel axis.
    Joined {
        parts: Vec<View>,
        axis: usize,
    },
    /// Made by post-processing that is not computed.
    Beyond,
}

/// A map of the graph being built.
pub(super) struct Map {
    pub(super) name: String,
    pub(super) shape: Shape,
    /// Index of the node that makes it; none for the input.
    pub(super) node: Option<usize>,
}

/// The graph being built and what is known of the values.
pub(super) struct Lowering<'a> {
    pub(super) opset: i64,
    /// The batch that the file fixes; one picture of it is computed.
    pub(super) batch: usize,
    pub(super) maps: Vec<Map>,
    numbers: HashMap<String, usize>,
    pub(super) graph: Graph,
    pub(super) weights: Weights,
    /// Values that post-processing takes, in the order met.
    pub(super) frontier: Vec<&'a str>,
    initializers: HashMap<&'a str, &'a TensorProto<'a>>,
    values: HashMap<&'a str, Value>,
    gathered: HashMap<(Vec<Tap>, u32), usize>,
    file_names: HashSet<&'a str>,
    names: HashSet<String>,
    /// How many numbered names a name has.
    numbered: HashMap<String, usize>,
    taps: usize,
    /// Elements of constants made at import, and how many there may be.
    grown: usize,
    most_grown: usize,
}

impl Value {
    pub(super) fn shape(&self) -> Vec<usize> {
        match self {
            Self::Constant(constant) => constant.shape.clone(),
            Self::View(view) => view.shape(),
            Self::Joined { parts, axis } => {
                let mut shape = parts.first().map(View::shape).unwrap_or_default();
                if let Some(side) = shape.get_mut(*axis) {
                    *side = parts.iter().filter_map(|p| p.shape().get(*axis).copied()).sum();
                }
                shape
            }
            Self::Beyond => Vec::new(),
        }
    }
}

/// An `Unsupported` error with what would have been understood.
pub(super) fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::unsupported(format!("{what}. Supported operators: {SUPPORTED}"))
}

impl<'a> Lowering<'a> {
    pub(super) fn new(proto: &'a GraphProto<'a>, opset: i64) -> Self {
        Self {
            opset,
            batch: 1,
            maps: Vec::new(),
            numbers: HashMap::new(),
            graph: Graph::default(),
            weights: Weights::default(),
            frontier: Vec::new(),
            initializers: proto.initializers.iter().map(|t| (t.name, t)).collect(),
            values: HashMap::new(),
            gathered: HashMap::new(),
            file_names: (proto.nodes.iter().flat_map(|node| node.outputs.iter().copied()))
                .chain(proto.initializers.iter().map(|tensor| tensor.name))
                .collect(),
            names: HashSet::new(),
            numbered: HashMap::new(),
            taps: 0,
            grown: 0,
            // A weight may be copied once, and a small model may compute some tables.
            most_grown: MAX_TAPS * 4
                + proto
                    .initializers
                    .iter()
                    .map(|t| t.raw.map_or(0, <[u8]>::len) + t.floats.len())
                    .sum::<usize>(),
        }
    }

    /// Makes the input's value: a map, or a view of it where the file wants rows and columns first.
    pub(super) fn input(&mut self, name: &'a str, shape: Shape, channels_last: bool) -> Result<()> {
        let map = self.add_map(name, shape, None)?;
        let mut view = View::whole(map, shape);
        if channels_last {
            view = view.transpose(&[0, 2, 3, 1]).unwrap_or(view);
        }
        self.graph.input.clone_from(&self.maps[map].name);
        self.set(name, Value::View(view))
    }

    pub(super) fn is_initializer(&self, name: &str) -> bool {
        self.initializers.contains_key(name)
    }

    /// The value of that name.
    pub(super) fn value(&mut self, name: &'a str) -> Result<Value> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let Some(tensor) = self.initializers.get(name) else {
            return Err(Error::model(format!(
                "input \"{name}\" is made by no node and is no input of the graph"
            )));
        };
        let value = Value::Constant(Rc::new(Constant::read(tensor)?));
        self.set(name, value.clone())?;
        Ok(value)
    }

    pub(super) fn set(&mut self, name: &'a str, value: Value) -> Result<()> {
        match &value {
            Value::Constant(constant) => {
                if constant.len() == 0 && constant.shape.iter().any(|&side| side > MAX_FILLED) {
                    return Err(Error::model(format!(
                        "tensor \"{name}\": absurd shape {:?}",
                        constant.shape
                    )));
                }
                if !self.is_initializer(name) {
                    self.grown = self.grown.saturating_add(constant.len());
                }
            }
            Value::View(view) => self.taps += view.taps.len(),
            Value::Joined { parts, .. } => self.taps += parts.iter().map(|p| p.taps.len()).sum::<usize>(),
            Value::Beyond => {}
        }
        self.check_size()?;
        self.values.insert(name, value);
        Ok(())
    }

    /// Counts elements made at import.
    pub(super) fn grow(&mut self, elements: usize) -> Result<()> {
        self.grown = self.grown.saturating_add(elements);
        self.check_size()
    }

    fn check_size(&self) -> Result<()> {
        if self.taps > MAX_TAPS || self.grown > self.most_grown {
            return Err(Error::unsupported("the graph is too large"));
        }
        Ok(())
    }

    /// The constants among a node's inputs.
    pub(super) fn constants(&mut self, node: &NodeProto<'a>) -> Result<Vec<Option<Rc<Constant>>>> {
        let mut constants = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            constants.push(match *name {
                "" => None,
                name => match self.value(name)? {
                    Value::Constant(constant) => Some(constant),
                    _ => None,
                },
            });
        }
        Ok(constants)
    }

    /// Lowers one node; all its inputs are known.
    pub(super) fn node(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        if !matches!(node.domain, "" | "ai.onnx") {
            return Err(unsupported(format!("operator domain \"{}\" is not known", node.domain)));
        }
        if self.beyond(node)? {
            return Ok(());
        }
        let constants = self.constants(node)?;
        if let Some(constant) = fold(node, &constants)? {
            return self.set(output(node)?, Value::Constant(Rc::new(constant)));
        }
        if node.op == "Shape" {
            let shape = self.value(first(node)?)?.shape();
            return self.set(output(node)?, Value::Constant(Rc::new(shape_of(node, &shape)?)));
        }
        if node.op == "Concat" {
            return self.concat(node);
        }
        if let Some(name) = node.inputs.first().filter(|name| !name.is_empty()) {
            let value = self.value(name)?;
            if let Some(outputs) = moves(node, &value.shape(), &constants, (self.opset, self.batch))? {
                for (name, steps) in node.outputs.iter().zip(outputs) {
                    let moved = match move_value(&value, &steps) {
                        Some(moved) => moved,
                        None => self.moved_value(name, &value, &steps)?,
                    };
                    self.set(name, moved)?;
                }
                return Ok(());
            }
        }
        self.compute(node)
    }

    /// A value moved where no view stands for the result.
    fn moved_value(&mut self, name: &str, value: &Value, steps: &[Move]) -> Result<Value> {
        if matches!(value, Value::Constant(_)) {
            return Err(Error::model(format!(
                "{steps:?} does not fit a constant of shape {:?}",
                value.shape()
            )));
        }
        let mut view = self.view_of(name, value)?;
        for step in steps {
            view = self.moved(name, &view, step)?;
        }
        Ok(Value::View(view))
    }

    /// The map that a value of shape `[1, C, H, W]` stands for, made now if it is not one already.
    pub(super) fn map(&mut self, name: &'a str) -> Result<usize> {
        let value = self.value(name)?;
        if let Value::View(view) = &value
            && let Some(gather) = view.as_map()
        {
            return self.gather(name, gather);
        }
        let &[1, channels, height, width] = value.shape().as_slice() else {
            return Err(unsupported(format!(
                "input \"{name}\" of shape {:?} is not a feature map of shape [1, channels, height, width]",
                value.shape()
            )));
        };
        let view = self.view_of(name, &value)?;
        self.as_sides(name, &view, [channels, height, width])
    }

    /// A map of those channels: an existing one, or a new channel node.
    pub(super) fn gather(&mut self, name: &str, gather: Gather) -> Result<usize> {
        let Gather { mut taps, mut step, shape } = gather;
        if let Some(first) = taps.first() {
            let map = first.map;
            let whole =
                |(k, t): (usize, &Tap)| t.map == map && t.channel as usize == k && t.dy == 0 && t.dx == 0;
            if self.maps[map].shape == shape && step == 1 && taps.iter().enumerate().all(whole) {
                return Ok(map);
            }
        }
        let key = (taps.clone(), step);
        if let Some(&map) = self.gathered.get(&key) {
            return Ok(map);
        }
        loop {
            let mut sources = Vec::new();
            let mut seen = HashSet::new();
            // Neighbours mostly come from one map: a file of 2 KB can have 2^22 channels to look at.
            for run in taps.chunk_by(|a, b| a.map == b.map) {
                if seen.insert(run[0].map) {
                    sources.push(run[0].map);
                }
            }
            if sources.len() <= MAX_SOURCES {
                let map = self.channels(name, &taps, &sources, step, shape)?;
                self.gathered.insert(key, map);
                return Ok(map);
            }
            if sources.len() > MAX_GATHERED {
                return Err(unsupported(format!("a map gathered from {} maps", sources.len())));
            }
            let mut replaced = taps.clone();
            for group in groups(&taps, sources, step) {
                let inside: Vec<usize> = (0..taps.len()).filter(|&i| group.contains(&taps[i].map)).collect();
                let part: Vec<Tap> = inside.iter().map(|&i| taps[i]).collect();
                let partial = Shape::new(u32::try_from(part.len()).unwrap_or(0), shape.height, shape.width);
                let map = self.channels(&format!("{name}.part"), &part, &group, step, partial)?;
                for (channel, index) in (0u32..).zip(inside) {
                    replaced[index] = Tap { map, channel, dy: 0, dx: 0 };
                }
            }
            (taps, step) = (replaced, 1);
        }
    }

    fn channels(
        &mut self,
        name: &str,
        taps: &[Tap],
        sources: &[usize],
        step: u32,
        shape: Shape,
    ) -> Result<usize> {
        let index = |map: usize| sources.iter().position(|&s| s == map).unwrap_or(0);
        let map =
            taps.iter().map(|t| [u32::try_from(index(t.map)).unwrap_or(0), t.channel, t.dy, t.dx]).collect();
        self.emit(name, Op::Channels { step, map }, sources, shape)
    }

    /// Adds a node and the map it makes.
    pub(super) fn emit(&mut self, name: &str, op: Op, inputs: &[usize], shape: Shape) -> Result<usize> {
        let inputs = inputs.iter().map(|&map| self.maps[map].name.clone()).collect();
        let map = self.add_map(name, shape, Some(self.graph.nodes.len()))?;
        self.graph.nodes.push(Node { name: self.maps[map].name.clone(), inputs, op });
        Ok(map)
    }

    fn add_map(&mut self, name: &str, shape: Shape, node: Option<usize>) -> Result<usize> {
        const MAX_ELEMENTS: u64 = 1 << 30;
        let [c, h, w] = [shape.channels, shape.height, shape.width].map(u64::from);
        let fits =
            c.checked_mul(h).and_then(|x| x.checked_mul(w)).is_some_and(|n| (1..=MAX_ELEMENTS).contains(&n));
        if !fits || c > super::view::MAX_CHANNELS as u64 {
            return Err(Error::unsupported(format!("a map of {c}x{h}x{w} is empty or too large")));
        }
        let name = self.unique(name);
        self.numbers.insert(name.clone(), self.maps.len());
        self.maps.push(Map { name, shape, node });
        Ok(self.maps.len() - 1)
    }

    /// `name`, or with a number after it where a map or tensor already has it.
    pub(super) fn unique(&mut self, name: &str) -> String {
        if self.names.insert(name.to_owned()) {
            return name.to_owned();
        }
        let number = self.numbered.entry(name.to_owned()).or_insert(0);
        loop {
            *number += 1;
            let unique = format!("{name}.{number}");
            if self.names.insert(unique.clone()) {
                return unique;
            }
        }
    }

    /// Adds a tensor made at import.
    pub(super) fn tensor(&mut self, name: &str, shape: Vec<usize>, data: Vec<f32>) -> Result<String> {
        self.grow(data.len())?;
        let mut name = self.unique(name);
        // A value of the file may have this name and become a weight later.
        while self.file_names.contains(name.as_str()) {
            name = self.unique(&name);
        }
        self.weights.insert(name.clone(), Tensor { shape, data })?;
        Ok(name)
    }

    /// The map of that name.
    pub(super) fn map_named(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The value of that name, if it is known.
    pub(super) fn value_named(&self, name: &str) -> Option<Value> {
        self.values.get(name).cloned()
    }

    /// Factors that multiply all of a map on its way from a convolution.
    pub(super) fn factors(&self, mut map: usize) -> Vec<f32> {
        let mut factors = Vec::new();
        while let Some(node) = self.maker(map) {
            match &node.op {
                Op::Activate { activation: crate::model::Activation::Linear { slope, .. } } => {
                    factors.push(*slope);
                }
                Op::Conv { weight, groups, .. } => {
                    let Ok(tensor) = self.weights.get(weight) else { break };
                    if *groups == 1 || tensor.shape.as_slice() != [*groups as usize, 1, 1, 1] {
                        break;
                    }
                    factors.extend(tensor.data.first());
                }
                Op::Activate { .. } | Op::Rearrange { .. } | Op::Binary { .. } => {}
                _ => break,
            }
            match node.inputs.first().and_then(|name| self.map_named(name)) {
                Some(source) => map = source,
                None => break,
            }
        }
        factors
    }

    /// The node that makes a map.
    pub(super) fn maker(&self, map: usize) -> Option<&Node> {
        self.graph.nodes.get(self.maps.get(map)?.node?)
    }
}

pub(super) fn first<'a>(node: &NodeProto<'a>) -> Result<&'a str> {
    input(node, 0)
}

pub(super) fn input<'a>(node: &NodeProto<'a>, index: usize) -> Result<&'a str> {
    let found = node.inputs.get(index).copied().filter(|name| !name.is_empty());
    found.ok_or_else(|| Error::model(format!("it has no input {index}")))
}

pub(super) fn output<'a>(node: &NodeProto<'a>) -> Result<&'a str> {
    node.outputs.first().copied().ok_or_else(|| Error::model("it has no output"))
}

fn move_value(value: &Value, steps: &[Move]) -> Option<Value> {
    match value {
        Value::Constant(constant) => {
            let moved = steps.iter().try_fold((**constant).clone(), |c, step| step.on_constant(&c))?;
            Some(Value::Constant(Rc::new(moved)))
        }
        Value::View(view) => {
            Some(Value::View(steps.iter().try_fold(view.clone(), |view, step| step.on_view(&view))?))
        }
        Value::Beyond => None,
        Value::Joined { parts, axis } => steps.iter().try_fold(value.clone(), |value, step| {
            let (parts, axis) = match &value {
                Value::Joined { parts, axis } => (parts, *axis),
                _ => (parts, *axis),
            };
            let axis = match step {
                Move::Reshape(shape) => (*shape == value.shape()).then_some(axis)?,
                Move::Transpose(order) => order.iter().position(|&old| old == axis)?,
                Move::Slice { axis: cut, .. } | Move::Gather { axis: cut, .. } => {
                    (*cut != axis).then_some(axis)?
                }
            };
            let parts = match step {
                Move::Reshape(_) => parts.clone(),
                step => parts.iter().map(|part| step.on_view(part)).collect::<Option<_>>()?,
            };
            Some(Value::Joined { parts, axis })
        }),
    }
}

/// Sources to gather first where one node cannot read all: all of them in turn if they are to be sampled, else as
/// few channels as will do.
fn groups(taps: &[Tap], mut sources: Vec<usize>, step: u32) -> Vec<Vec<usize>> {
    if step != 1 {
        return sources.chunks(MAX_SOURCES).map(<[usize]>::to_vec).collect();
    }
    let mut channels: HashMap<usize, usize> = HashMap::new();
    for tap in taps {
        *channels.entry(tap.map).or_insert(0) += 1;
    }
    sources.sort_by_key(|map| channels.get(map).copied());
    sources.truncate(MAX_SOURCES.min(sources.len() + 1 - MAX_SOURCES));
    vec![sources]
}
