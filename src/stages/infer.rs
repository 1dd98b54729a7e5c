//! The graph executor: a model's nodes as dispatches over a chunk of tiles.

use super::plan::fused_pairs;
use super::weights::{ConvKind, NetworkWeights, conv_kind, conv_window};
use crate::error::{Error, Result};
use crate::gpu::{Context, Recorder};
use crate::kernels::nn::conv_gathered::Segments;
use crate::kernels::nn::conv_pointwise::ConvArgs;
use crate::kernels::nn::tiling::{Class, Tiling};
use crate::kernels::nn::{
    Launch, Map, Window, add, binary, channels, constant, conv, conv_depthwise, conv_grouped, conv_pointwise,
    conv_row, conv_separable, conv_transpose, join, matmul, pool, rearrange, reduce, resize, sample, softmax,
};
use crate::kernels::preprocess::stem;
use crate::model::{ArenaPlan, Gather, Model, Node, Op, Residual, Segment};
use half::f16;

/// Arenas for chunks of up to `max_tiles` tiles.
#[derive(Debug)]
pub(crate) struct Arenas {
    buffers: Vec<wgpu::Buffer>,
    pub(crate) max_tiles: u32,
    pub(crate) bytes: u64,
}

/// Bytes of a vec4 in an arena.
fn vec4_bytes(f16: bool) -> u64 {
    if f16 { 8 } else { 16 }
}

impl Arenas {
    /// Tiles a chunk may hold so that each arena fits a binding and all fit `budget` bytes; at least 1.
    ///
    /// # Errors
    /// `Capacity` if not even one tile fits the device.
    pub(crate) fn max_batch(context: &Context, plan: &ArenaPlan, f16: bool, budget: u64) -> Result<u32> {
        let unit = vec4_bytes(f16);
        let largest = Self::largest(plan, f16);
        let by_device = context.max_binding_bytes() / largest;
        if by_device == 0 {
            return Err(Error::capacity(format!(
                "one tile needs an arena of {largest} bytes, beyond the device's binding limit of {}",
                context.max_binding_bytes()
            )));
        }
        let by_budget = budget / (plan.total_len().max(1) * unit);
        Ok(u32::try_from(by_device.min(by_budget).max(1)).unwrap_or(u32::MAX))
    }

    /// Bytes of the largest arena for one tile.
    fn largest(plan: &ArenaPlan, f16: bool) -> u64 {
        plan.arena_len.iter().max().copied().unwrap_or(0).max(1) * vec4_bytes(f16)
    }

    /// Whether the device can bind the arenas for one tile.
    pub(crate) fn can_hold(context: &Context, plan: &ArenaPlan, f16: bool) -> bool {
        Self::largest(plan, f16) <= context.max_binding_bytes()
    }

    /// Fills all arenas with numbers between -1 and 1, for trials.
    pub(crate) fn fill(&self, context: &Context, f16: bool) -> Result<()> {
        const PART: usize = 1 << 16;
        // A full period of a linear congruence in 16 bits, so that neighbours differ.
        let numbers = (0..PART).scan(1u16, |state, _| {
            *state = state.wrapping_mul(25_173).wrapping_add(13_849);
            Some(f32::from(*state) / 32_768.0 - 1.0)
        });
        let bytes: Vec<u8> = if f16 {
            numbers.flat_map(|number| f16::from_f32(number).to_le_bytes()).collect()
        } else {
            numbers.flat_map(f32::to_le_bytes).collect()
        };
        context.fill(self.buffers.iter(), &bytes)
    }

    /// The buffer of an arena.
    pub(crate) fn buffer(&self, arena: usize) -> &wgpu::Buffer {
        &self.buffers[arena]
    }

    /// Arenas for chunks of up to `max_tiles` tiles.
    pub(crate) fn new(context: &Context, plan: &ArenaPlan, f16: bool, max_tiles: u32) -> Result<Self> {
        let mut arenas = Self { buffers: Vec::new(), max_tiles, bytes: 0 };
        for &len in &plan.arena_len {
            let bytes = (len * vec4_bytes(f16) * u64::from(max_tiles)).max(16);
            arenas.buffers.push(context.storage("arena", bytes)?);
            arenas.bytes += bytes;
        }
        Ok(arenas)
    }
}

/// A convolution that reads the network's input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stem<'a> {
    /// Index of its node.
    pub(crate) node: usize,
    pub(crate) conv: ConvArgs<'a>,
}

/// A model, its plan and its memory: what is needed to record the network for a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network<'a> {
    pub(crate) model: &'a Model,
    pub(crate) plan: &'a ArenaPlan,
    pub(crate) weights: &'a NetworkWeights,
    pub(crate) arenas: &'a Arenas,
}

impl<'a> Network<'a> {
    /// The place of a map.
    pub(crate) fn map(&self, name: &str) -> Result<Map<'a>> {
        let place = self
            .plan
            .places
            .get(name)
            .ok_or_else(|| Error::model(format!("map \"{name}\" is not planned")))?;
        let base = place.offset * u64::from(self.arenas.max_tiles) + place.inside;
        let [base, tile] = [base, place.stride].map(u32::try_from);
        let (Ok(base), Ok(tile)) = (base, tile) else {
            return Err(Error::capacity("an arena exceeds 2^32 vec4s"));
        };
        let shape = self.model.shapes().get(name)?;
        Ok(Map { buffer: &self.arenas.buffers[place.arena], base, tile, shape })
    }

    /// The place of a map that is added: of a smaller one, if it is that one's pixels repeated.
    fn summand(&self, name: &str) -> Result<Map<'a>> {
        self.map(self.plan.nearest.get(name).map_or(name, String::as_str))
    }

    /// Records all planned nodes for a chunk of `tiles` tiles but the one that was computed before, if any.
    pub(crate) fn record(
        &self,
        recorder: &mut Recorder<'_>,
        tiles: u32,
        computed: Option<&Stem<'_>>,
    ) -> Result<()> {
        let launch = Launch { f16: self.weights.f16, tiles };
        let pairs = fused_pairs(recorder.context, self.model, self.plan, launch)?;
        for &index in &self.plan.nodes {
            let is_computed = computed.is_some_and(|stem| stem.node == index);
            if !is_computed && !pairs.values().any(|&first| first == index) {
                self.record_planned(recorder, index, pairs.get(&index).copied(), tiles)?;
            }
        }
        Ok(())
    }

    /// Records a planned node, in one dispatch with the depthwise convolution `first` if it is given.
    pub(crate) fn record_planned(
        &self,
        recorder: &mut Recorder<'_>,
        index: usize,
        first: Option<usize>,
        tiles: u32,
    ) -> Result<()> {
        let launch = Launch { f16: self.weights.f16, tiles };
        recorder.layer(index, tiles);
        let recorded = match first {
            Some(first) => self.record_pair(recorder, launch, [first, index]),
            None => self.record_node(recorder, launch, index),
        };
        let name = &self.model.info().graph.nodes[index].name;
        recorded.map_err(|e| e.at(format!("node \"{name}\"")))
    }

    fn record_node(&self, recorder: &mut Recorder<'_>, launch: Launch, index: usize) -> Result<()> {
        let node = &self.model.info().graph.nodes[index];
        if let Op::Conv { .. } = node.op {
            return self.record_conv(recorder, launch, index, None);
        }
        let inputs = node.inputs.iter().map(|name| self.summand(name)).collect::<Result<Vec<_>>>()?;
        let dst = self.map(&node.name)?;
        match &node.op {
            Op::Conv { .. } => Ok(()),
            Op::Pool { kind, kernel, stride, padding, count_padding } => {
                let window = Window {
                    kernel: *kernel,
                    stride: *stride,
                    padding: [padding[0], padding[1]],
                    dilation: [1, 1],
                };
                pool::record(recorder, launch, [inputs[0], dst], window, (*kind, *count_padding))
            }
            Op::Resize { kind, .. } => resize::record(recorder, launch, [inputs[0], dst], *kind),
            Op::Add { activation } => {
                let is_repeated = inputs[0].shape != dst.shape;
                let [src, other] = if is_repeated { [inputs[1], inputs[0]] } else { [inputs[0], inputs[1]] };
                add::record(recorder, launch, [src, dst], Some(other), *activation)
            }
            Op::Activate { activation } => add::record(recorder, launch, [inputs[0], dst], None, *activation),
            Op::Channels { step, map } => {
                let all = 0..dst.shape.channels;
                let all = std::slice::from_ref(&all);
                for range in self.plan.copies.get(&index).map_or(all, Vec::as_slice) {
                    channels::record(recorder, launch, &inputs, dst, *step, (map, range.clone()))?;
                }
                Ok(())
            }
            Op::Binary { kind } => binary::record(recorder, launch, [inputs[0], inputs[1], dst], *kind),
            Op::Rearrange { digits, .. } => rearrange::record(recorder, launch, [inputs[0], dst], digits),
            Op::Softmax { axis } => softmax::record(recorder, launch, [inputs[0], dst], *axis),
            Op::Reduce { kind, axes } => reduce::record(recorder, launch, [inputs[0], dst], *kind, axes),
            Op::Matmul => matmul::record(recorder, launch, [inputs[0], inputs[1], dst]),
            Op::Constant { .. } => constant::record(recorder, launch, &self.weights.of(node)?.0, dst),
            Op::Join => join::record(recorder, launch, &inputs, dst),
            Op::Sample { rows, columns, fill } => {
                sample::record(recorder, launch, [inputs[0], dst], [rows, columns], *fill)
            }
            Op::ConvTranspose { .. } => self.record_conv_transpose(recorder, launch, node, inputs[0]),
        }
    }

    /// A depthwise convolution and the 1x1 convolution that reads it, in one dispatch.
    fn record_pair(&self, recorder: &mut Recorder<'_>, launch: Launch, pair: [usize; 2]) -> Result<()> {
        let (depthwise, pointwise) = self.pair_args(pair)?;
        conv_separable::record(recorder, launch, &depthwise, &pointwise)
    }

    /// The operands of both convolutions of a pair.
    fn pair_args(&self, pair: [usize; 2]) -> Result<(ConvArgs<'a>, ConvArgs<'a>)> {
        let [first, second] = pair.map(|index| self.conv_args(index));
        Ok((first?.2, second?.2))
    }

    /// The operands of a convolution that is not transposed, and the kernel that runs it.
    fn conv_args(&self, index: usize) -> Result<(ConvKind, u32, ConvArgs<'a>)> {
        let node = &self.model.info().graph.nodes[index];
        let Op::Conv { weight, stride, padding, dilation, groups, activation, residual, .. } = &node.op
        else {
            return Err(Error::model("not a convolution"));
        };
        let (weights, bias) = self.weights.of(node)?;
        let tensor = self.model.weights().get(weight)?;
        let window = conv_window(tensor, *stride, *padding, *dilation);
        let other = || {
            let name = node.inputs.get(1).ok_or_else(|| Error::model("an input is missing"))?;
            self.summand(name)
        };
        let (src, segments) = match (self.plan.gathers.get(&index), node.inputs.first()) {
            (Some(gather), _) => {
                let segments = self.segments(gather)?;
                (segments.src(), Some(segments))
            }
            (None, Some(src)) => (self.map(src)?, None),
            (None, None) => return Err(Error::model("an input is missing")),
        };
        let args = ConvArgs {
            src,
            segments,
            dst: self.map(&node.name)?,
            weights,
            bias,
            window,
            activation: *activation,
            residual: if *residual == Residual::None { None } else { Some((*residual, other()?)) },
            tiling: None,
        };
        Ok((conv_kind(tensor, window, *padding, *groups), *groups, args))
    }

    /// The places of what a convolution gathers.
    fn segments(&self, gather: &Gather) -> Result<Segments<'a>> {
        let place = |segment: &Segment| {
            let channels = segment.groups.start * 4..segment.groups.end * 4;
            Ok(self.map(&segment.map)?.channels(channels))
        };
        let places = gather.segments.iter().map(place).collect::<Result<Vec<_>>>()?;
        let sources = gather.segments.iter().map(|segment| segment.map.as_str());
        Segments::new(&places, sources).ok_or_else(|| Error::model("too many maps to gather from"))
    }

    /// The first node, if it is a convolution, alone reads the network's input, and can be computed while that is made.
    pub(crate) fn stem(&self) -> Option<Stem<'a>> {
        let graph = &self.model.info().graph;
        let (&node, others) = self.plan.nodes.split_first()?;
        // Only the first node may run before the others: the place of its map is free from then on.
        if others.iter().any(|&index| graph.nodes[index].inputs.contains(&graph.input)) {
            return None;
        }
        let (kind, _, conv) = self.conv_args(node).ok()?;
        let fits = stem::fits(conv.window, conv.src.shape, self.weights.f16);
        let dense = matches!(kind, ConvKind::Pointwise | ConvKind::Dense);
        (dense && fits && conv.residual.is_none()).then_some(Stem { node, conv })
    }

    /// What decides the tiling of a planned node; `None` where there is no choice.
    pub(crate) fn class(&self, index: usize, tiles: u32) -> Option<Class> {
        let launch = Launch { f16: self.weights.f16, tiles };
        let (kind, _, args) = self.conv_args(index).ok()?;
        match kind {
            ConvKind::Pointwise => Some(conv_pointwise::class(launch, &args)),
            ConvKind::Dense if conv_row::fits(args.window) => Some(conv_row::class(launch, &args)),
            ConvKind::Depthwise => Some(conv_depthwise::class(launch, &args)),
            ConvKind::Dense | ConvKind::Grouped => None,
        }
    }

    /// Records one convolution alone, in a tiling that is tried.
    pub(crate) fn record_trial(
        &self,
        recorder: &mut Recorder<'_>,
        (index, tiles): (usize, u32),
        tiling: Tiling,
    ) -> Result<()> {
        self.record_conv(recorder, Launch { f16: self.weights.f16, tiles }, index, Some(tiling))
    }

    fn record_conv(
        &self,
        recorder: &mut Recorder<'_>,
        launch: Launch,
        index: usize,
        tiling: Option<Tiling>,
    ) -> Result<()> {
        let (kind, groups, args) = self.conv_args(index)?;
        let args = ConvArgs { tiling, ..args };
        match kind {
            ConvKind::Pointwise => conv_pointwise::record(recorder, launch, &args),
            ConvKind::Dense if conv_row::fits(args.window) => conv_row::record(recorder, launch, &args),
            ConvKind::Dense => conv::record(recorder, launch, &args),
            ConvKind::Depthwise => conv_depthwise::record(recorder, launch, &args),
            ConvKind::Grouped => conv_grouped::record(recorder, launch, &args, groups),
        }
    }

    fn record_conv_transpose(
        &self,
        recorder: &mut Recorder<'_>,
        launch: Launch,
        node: &Node,
        src: Map<'_>,
    ) -> Result<()> {
        let Op::ConvTranspose { weight, stride, padding: [top, left], dilation, groups, activation, .. } =
            &node.op
        else {
            return Err(Error::model("not a transposed convolution"));
        };
        let (weights, bias) = self.weights.of(node)?;
        let tensor = self.model.weights().get(weight)?;
        let args = ConvArgs {
            src,
            dst: self.map(&node.name)?,
            weights,
            bias,
            window: conv_window(tensor, *stride, [*top, *left, 0, 0], *dilation),
            activation: *activation,
            residual: None,
            segments: None,
            tiling: None,
        };
        conv_transpose::record(recorder, launch, &args, *groups)
    }
}

/// The channels of an NC4HW4 map of one tile as `[channels, height, width]`.
pub(crate) fn unpack(map: &[f32], shape: crate::geom::Shape) -> Vec<f32> {
    let pixels = shape.pixels() as usize;
    let channels = shape.channels as usize;
    let mut plain = Vec::with_capacity(channels * pixels);
    for channel in 0..channels {
        let group = &map[channel / 4 * pixels * 4..];
        plain.extend((0..pixels).map(|pixel| group[pixel * 4 + channel % 4]));
    }
    plain
}
