//! Concatenations and slices that are views, and sums of repeated maps, give the bytes of copies.

use super::{context, input};
use crate::geom::ResizeMode;
use crate::gpu::{Context, Recorder, encode, map_read};
use crate::model::{
    Activation, ArenaPlan, Gathers, Graph, Model, ModelInfo, Node, Op, PoolKind, Residual, ResizeKind,
    Sharing, Tensor, Weights,
};
use crate::stages::infer::{Arenas, Network};
use crate::stages::weights::NetworkWeights;

const TILES: u32 = 3;
/// Room for more tiles than are computed.
const MAX_TILES: u32 = 4;

/// A graph under construction.
#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    weights: Weights,
}

impl Builder {
    fn add(&mut self, name: &str, inputs: &[&str], op: Op) -> &mut Self {
        let inputs = inputs.iter().map(|&name| name.to_owned()).collect();
        self.nodes.push(Node { name: name.into(), inputs, op });
        self
    }

    /// A convolution with the weights `[out, in / groups, kernel, kernel]`, size kept but for the stride.
    fn conv(
        &mut self,
        name: &str,
        inputs: &[&str],
        shape: [usize; 3],
        groups: u32,
        stride: u32,
    ) -> &mut Self {
        let [out, per_group, kernel] = shape;
        let count = out * per_group * kernel * kernel;
        let data = (0..count).map(|i| ((i * 37 + out + name.len()) % 101) as f32 / 200.0 - 0.25).collect();
        self.weights.insert(name, Tensor { shape: vec![out, per_group, kernel, kernel], data }).unwrap();
        let residual = if inputs.len() == 1 { Residual::None } else { Residual::AfterActivation };
        let op = Op::Conv {
            weight: name.into(),
            bias: None,
            stride: [stride; 2],
            padding: [(kernel / 2) as u32; 4],
            dilation: [1, 1],
            groups,
            activation: Activation::Silu,
            residual,
        };
        self.add(name, inputs, op)
    }

    fn channels(&mut self, name: &str, inputs: &[&str], map: &[[u32; 2]]) -> &mut Self {
        let map = map.iter().map(|&[input, channel]| [input, channel, 0, 0]).collect();
        self.add(name, inputs, Op::Channels { step: 1, map })
    }

    fn concat(&mut self, name: &str, inputs: &[(&str, u32)]) -> &mut Self {
        let map = (0..).zip(inputs).flat_map(|(input, &(_, len))| (0..len).map(move |c| [input, c]));
        let (map, names): (Vec<_>, Vec<_>) = (map.collect(), inputs.iter().map(|&(name, _)| name).collect());
        self.channels(name, &names, &map)
    }

    fn slice(&mut self, name: &str, input: &str, from: u32, to: u32) -> &mut Self {
        self.channels(name, &[input], &(from..to).map(|c| [0, c]).collect::<Vec<_>>())
    }

    fn pool(&mut self, name: &str, input: &str) -> &mut Self {
        let kind = PoolKind::Max;
        let op = Op::Pool { kind, kernel: [3; 2], stride: [1; 2], padding: [1; 4], count_padding: false };
        self.add(name, &[input], op)
    }

    fn up(&mut self, name: &str, input: &str, size: [u32; 2]) -> &mut Self {
        self.add(name, &[input], Op::Resize { kind: ResizeKind::NearestAsymmetricFloor, size })
    }

    /// The size of the input, by linear interpolation.
    fn linear(&mut self, name: &str, input: &str) -> &mut Self {
        self.add(name, &[input], Op::Resize { kind: ResizeKind::LinearHalfPixel, size: [11, 13] })
    }

    /// A transposed convolution of 8 to 8 channels with stride 2, to the size of the input.
    fn transposed(&mut self, name: &str, input: &str) -> &mut Self {
        let data = (0..8 * 8 * 9).map(|i| (i * 29 % 97) as f32 / 200.0 - 0.25).collect();
        self.weights.insert(name, Tensor { shape: vec![8, 8, 3, 3], data }).unwrap();
        let op = Op::ConvTranspose {
            weight: name.into(),
            bias: None,
            stride: [2; 2],
            padding: [1; 2],
            dilation: [1, 1],
            groups: 1,
            size: [11, 13],
            activation: Activation::Silu,
        };
        self.add(name, &[input], op)
    }

    fn build(&mut self) -> Model {
        let graph = Graph { input: "in".into(), nodes: std::mem::take(&mut self.nodes), outputs: Vec::new() };
        let spec = input([13, 11], ResizeMode::Stretch);
        Model::new(ModelInfo::new("test", spec, graph), std::mem::take(&mut self.weights)).unwrap()
    }
}

/// The tiles of a map, one after the other, as bytes.
fn compute(context: &Context, model: &Model, wanted: &str, f16: bool, plan: &ArenaPlan) -> Vec<u8> {
    let weights = NetworkWeights::new(context, model, plan, f16).unwrap();
    let arenas = Arenas::new(context, plan, f16, MAX_TILES).unwrap();
    let network = Network { model, plan, weights: &weights, arenas: &arenas };
    arenas.fill(context, f16).unwrap();
    let unit = if f16 { 8 } else { 16 };
    let source = network.map("in").unwrap();
    let values = (0..source.tile * TILES * 4)
        .map(|i| if i % 4 == 3 { 0.0 } else { (i * 29 % 211) as f32 / 100.0 - 1.0 });
    let values: Vec<u8> = if f16 {
        values.flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect()
    } else {
        values.flat_map(f32::to_le_bytes).collect()
    };
    context.queue().write_buffer(source.buffer, u64::from(source.base) * unit, &values);
    let mut recorder = Recorder::new(context);
    network.record(&mut recorder, TILES, None).unwrap();
    let recording = recorder.finish();
    let map = network.map(wanted).unwrap();
    let bytes = map.shape.padded_len() / 4 * unit;
    let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
    let target = context.buffer("target", bytes * u64::from(TILES), usage).unwrap();
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encode(&mut encoder, &[&recording], None);
    for tile in 0..TILES {
        let from = u64::from(map.base + tile * map.tile) * unit;
        encoder.copy_buffer_to_buffer(map.buffer, from, &target, u64::from(tile) * bytes, bytes);
    }
    let submission = context.queue().submit([encoder.finish()]);
    map_read(context, &target, submission).unwrap().wait().unwrap();
    target.get_mapped_range(..).unwrap().to_vec()
}

/// The largest difference, of max(1, value).
fn worst(found: &[u8], expected: &[u8], f16: bool) -> f32 {
    let values = |bytes: &[u8]| -> Vec<f32> {
        if f16 {
            bytemuck::pod_collect_to_vec::<u8, half::f16>(bytes).iter().map(|value| value.to_f32()).collect()
        } else {
            bytemuck::pod_collect_to_vec(bytes)
        }
    };
    let (found, expected) = (values(found), values(expected));
    assert_eq!(found.len(), expected.len());
    let off =
        |(a, b): (&f32, &f32)| if a.is_finite() { (a - b).abs() / b.abs().max(1.0) } else { f32::INFINITY };
    found.iter().zip(&expected).map(off).fold(0.0, f32::max)
}

/// The nodes left with views by [`check_both`].
fn check(context: &Context, model: &Model, wanted: &str) -> Vec<String> {
    let [left, _] = check_both(context, model, wanted);
    left
}

/// Compares a graph with views, with pairs in one dispatch besides, and with convolutions that gather, against each node in one
/// of its own; returns the nodes left with views, and with convolutions that gather besides.
fn check_both(context: &Context, model: &Model, wanted: &str) -> [Vec<String>; 2] {
    let graph = &model.info().graph;
    let plan = |sharing| ArenaPlan::sharing(graph, model.shapes(), &[wanted], sharing).unwrap();
    let names = |plan: &ArenaPlan| plan.nodes.iter().map(|&index| graph.nodes[index].name.clone()).collect();
    let mut left = [Vec::new(), Vec::new()];
    for f16 in [false, true].into_iter().filter(|f16| !f16 || context.has_f16()) {
        let plain = compute(context, model, wanted, f16, &plan(Sharing::default()));
        let mut gathered = None;
        for pairs_in in [None, Some(f16)] {
            let sharing = model.sharing(&[wanted], pairs_in).unwrap();
            let copying = plan(Sharing { gathers: Gathers::new(), ..sharing.clone() });
            assert!(
                plain == compute(context, model, wanted, f16, &copying),
                "f16 {f16}, pairs {pairs_in:?}: differs"
            );
            let shared = plan(sharing);
            assert_eq!(shared.pairs, copying.pairs);
            if !shared.gathers.is_empty() {
                // Sums in another order, which pairs do not change.
                let found = compute(context, model, wanted, f16, &shared);
                assert!(gathered.take().is_none_or(|before| before == found), "f16 {f16}: pairs differ");
                gathered = Some(found.clone());
                let (worst, most) = (worst(&found, &plain, f16), if f16 { 4e-3 } else { 2e-6 });
                assert!(worst <= most, "f16 {f16}, pairs {pairs_in:?}: {worst} off");
            }
            if pairs_in.is_none() {
                left = [names(&copying), names(&shared)];
            }
        }
    }
    left
}

#[test]
fn concatenations_of_all_kernels() {
    let Some(context) = context() else { return };
    let mut b = Builder::default();
    // Wide, so that memory is no reason to copy.
    b.conv("wide", &["in"], [128, 3, 1], 1, 1).conv("a", &["wide"], [8, 128, 1], 1, 1);
    b.conv("b", &["a"], [12, 8, 1], 1, 1).pool("c", "b");
    b.conv("d", &["a"], [8, 1, 3], 8, 1).conv("e", &["d"], [6, 8, 1], 1, 1);
    b.add("f", &["a", "d"], Op::Add { activation: Activation::Relu });
    b.conv("g", &["a"], [8, 4, 3], 2, 1);
    b.concat("all", &[("f", 8), ("c", 12), ("g", 8), ("e", 6)]);
    // Read at once, in part, and as what is added.
    b.slice("s", "all", 8, 28).conv("t", &["all"], [20, 34, 3], 1, 1).conv(
        "u",
        &["s", "t"],
        [20, 20, 5],
        1,
        1,
    );
    b.slice("v", "all", 20, 34).conv("w", &["v"], [14, 1, 5], 14, 1);
    b.conv("x", &["w"], [20, 14, 1], 1, 1).concat("last", &[("u", 20), ("x", 20)]);
    let left = check(&context, &b.build(), "last");
    assert_eq!(left, ["wide", "a", "b", "c", "d", "e", "f", "g", "t", "u", "w", "x"]);
}

#[test]
fn concatenations_of_the_other_kernels() {
    let Some(context) = context() else { return };
    let mut b = Builder::default();
    b.conv("wide", &["in"], [128, 3, 1], 1, 1).conv("a", &["wide"], [8, 128, 1], 1, 1);
    b.conv("half", &["a"], [8, 8, 3], 1, 2).transposed("b", "half").linear("c", "half");
    b.conv("d", &["a"], [8, 8, 7], 1, 1);
    b.add("e", &["a"], Op::Activate { activation: Activation::Tanh });
    // Copies into a part.
    b.channels("f", &["a", "wide"], &[[0, 3], [1, 4], [1, 5], [0, 0], [0, 1], [1, 7], [1, 6], [0, 2]]);
    b.concat("all", &[("f", 8), ("b", 8), ("c", 8), ("d", 8), ("e", 8)]);
    // And each reads a part.
    b.slice("s", "all", 16, 24).slice("t", "all", 0, 8).conv("g", &["s"], [8, 8, 7], 1, 1);
    b.conv("h", &["s"], [8, 8, 3], 1, 2).transposed("i", "h").linear("j", "t").pool("k", "t");
    b.add("l", &["s", "t"], Op::Add { activation: Activation::Relu });
    b.channels("m", &["s", "t"], &[[0, 3], [1, 4], [1, 5], [0, 0], [0, 1], [1, 7], [1, 6], [0, 2]]);
    b.conv("n", &["t"], [8, 4, 3], 2, 1).add("o", &["s"], Op::Activate { activation: Activation::Tanh });
    b.concat("last", &[("g", 8), ("i", 8), ("j", 8), ("k", 8), ("l", 8), ("m", 8), ("n", 8), ("o", 8)]);
    let left = check(&context, &b.build(), "last");
    assert!(!["all", "s", "t", "last"].iter().any(|name| left.contains(&(*name).to_owned())), "{left:?}");
}

#[test]
fn channels_that_a_convolution_gathers() {
    let Some(context) = context() else { return };
    // Units of ShuffleNet: half of the channels go on as they are, and both halves are shuffled.
    let turns = |maps: &[u32], from: u32, to: u32| -> Vec<[u32; 2]> {
        (from..to).flat_map(|c| maps.iter().map(move |&map| [map, c])).collect()
    };
    let mut b = Builder::default();
    b.conv("wide", &["in"], [64, 3, 3], 1, 1).conv("a", &["wide"], [60, 64, 1], 1, 1);
    b.conv("b", &["wide"], [60, 64, 1], 1, 1).channels("c", &["a", "b"], &turns(&[0, 1], 30, 60));
    b.conv("d", &["c"], [60, 60, 1], 1, 1).conv("e", &["d"], [60, 1, 3], 60, 1);
    b.conv("f", &["e"], [60, 60, 1], 1, 1);
    // Of three maps, with a residual, and of one map alone in another order.
    let three = [turns(&[0, 1], 15, 30), turns(&[2], 30, 60)].concat();
    b.channels("g", &["a", "b", "f"], &three).conv("h", &["g", "f"], [60, 60, 1], 1, 1);
    b.channels("i", &["h"], &(0..60).rev().map(|c| [0, c]).collect::<Vec<_>>());
    b.conv("j", &["i", "b"], [60, 60, 1], 1, 1);
    // Of four, the last a slice that stays where it is.
    b.slice("k", "wide", 4, 64).conv("l", &["k"], [12, 60, 3], 1, 1);
    let four: Vec<_> = (0..12).flat_map(|c| [[0, c], [1, c], [2, c], [3, c + 4]]).collect();
    b.channels("m", &["a", "f", "l", "k"], &four).conv("n", &["m"], [10, 48, 1], 1, 1);
    b.concat("z", &[("j", 60), ("n", 10)]);
    let [_, left] = check_both(&context, &b.build(), "z");
    assert_eq!(left, ["wide", "a", "b", "d", "e", "f", "h", "j", "l", "n"]);
    // Not what another reads as well, what is wanted, the network's input, and all but a 1x1 convolution.
    let turned = |b: &mut Builder, input: &str, kernel: usize| {
        b.channels("c", &[input], &(0..3).rev().map(|c| [0, c]).collect::<Vec<_>>());
        b.conv("d", &["c"], [3, 3, kernel], 1, 1);
        b.nodes.len()
    };
    let mut b = Builder::default();
    turned(&mut b, "in", 1);
    assert_eq!(check_both(&context, &b.build(), "d")[1], ["c", "d"]);
    b.conv("a", &["in"], [3, 3, 1], 1, 1);
    turned(&mut b, "a", 3);
    assert_eq!(check_both(&context, &b.build(), "d")[1], ["a", "c", "d"]);
    b.conv("a", &["in"], [3, 3, 1], 1, 1);
    turned(&mut b, "a", 1);
    b.add("e", &["c", "d"], Op::Add { activation: Activation::None });
    assert_eq!(check_both(&context, &b.build(), "e")[1], ["a", "c", "d", "e"]);
}

#[test]
fn concatenations_that_a_convolution_gathers() {
    let Some(context) = context() else { return };
    // Each pooling reads the one before, so that no view can spare all copies; parts of a concatenation keep the order of sums.
    let mut b = Builder::default();
    b.conv("a", &["in"], [8, 3, 1], 1, 1).pool("p", "a").pool("q", "p").pool("r", "q");
    b.concat("all", &[("r", 8), ("p", 8), ("a", 8), ("q", 8)]).conv("z", &["all"], [6, 32, 1], 1, 1);
    let model = b.build();
    let graph = &model.info().graph;
    let plan = |sharing| ArenaPlan::sharing(graph, model.shapes(), &["z"], sharing).unwrap();
    let gathered = plan(model.sharing(&["z"], None).unwrap());
    assert_eq!(gathered.nodes, [0, 1, 2, 3, 5]);
    let plain = plan(Sharing::default());
    assert!(gathered.total_len() <= plain.total_len());
    assert!(
        compute(&context, &model, "z", false, &gathered) == compute(&context, &model, "z", false, &plain)
    );
    // Five maps are too many.
    let mut b = Builder::default();
    b.conv("a", &["in"], [8, 3, 1], 1, 1).pool("p", "a").pool("q", "p").pool("r", "q").pool("s", "r");
    b.concat("all", &[("a", 8), ("p", 8), ("q", 8), ("r", 8), ("s", 8)]).conv(
        "z",
        &["all"],
        [6, 40, 1],
        1,
        1,
    );
    assert_eq!(check_both(&context, &b.build(), "z")[1], ["a", "p", "q", "r", "s", "all", "z"]);
}

#[test]
fn the_comparison_of_gathered_sums_can_fail() {
    let bytes = |values: &[f32]| bytemuck::cast_slice::<f32, u8>(values).to_vec();
    assert!(worst(&bytes(&[1.0, 2.0]), &bytes(&[1.0, 2.1]), false) > 0.01);
    assert!(worst(&bytes(&[f32::NAN]), &bytes(&[1.0]), false).is_infinite());
    assert!(worst(&bytes(&[3.0]), &bytes(&[3.0]), false) == 0.0);
}

#[test]
fn what_a_kernel_would_read_and_write_is_copied() {
    let Some(context) = context() else { return };
    // Spatial pyramid pooling: each pooling reads the one before.
    let mut b = Builder::default();
    b.conv("a", &["in"], [8, 3, 1], 1, 1).pool("p", "a").pool("q", "p").pool("r", "q");
    b.concat("all", &[("a", 8), ("p", 8), ("q", 8), ("r", 8)]).conv("z", &["all"], [4, 32, 1], 1, 1);
    let model = b.build();
    assert_eq!(check(&context, &model, "z"), ["a", "p", "q", "r", "all", "z"]);
    let sharing = Sharing { gathers: Gathers::new(), ..model.sharing(&["z"], None).unwrap() };
    let plan = ArenaPlan::sharing(&model.info().graph, model.shapes(), &["z"], sharing);
    assert_eq!(plan.unwrap().copies[&4], [8..16, 24..32]);
}

#[test]
fn channels_that_fill_no_vec4_are_copied() {
    let Some(context) = context() else { return };
    let mut b = Builder::default();
    b.conv("a", &["in"], [6, 3, 1], 1, 1).conv("b", &["in"], [5, 3, 1], 1, 1);
    b.concat("all", &[("a", 6), ("b", 5)]);
    // From within a vec4, ending in one, and twice the same.
    b.slice("s", "all", 2, 6).slice("t", "all", 4, 7).concat("u", &[("s", 4), ("t", 3), ("s", 4)]);
    b.conv("z", &["u"], [4, 11, 1], 1, 1);
    assert_eq!(check(&context, &b.build(), "z"), ["a", "b", "all", "s", "t", "u", "z"]);
}

#[test]
fn split_transform_and_concatenate() {
    let Some(context) = context() else { return };
    // As in C2f blocks, the second without a shortcut: the source of a slice is itself a part.
    let mut b = Builder::default();
    b.conv("wide", &["in"], [128, 3, 1], 1, 1)
        .conv("a", &["wide"], [16, 128, 1], 1, 1)
        .slice("s", "a", 8, 16);
    b.conv("b", &["s"], [8, 8, 3], 1, 1).conv("c", &["b", "s"], [8, 8, 3], 1, 1);
    b.concat("cat", &[("a", 16), ("c", 8)]).conv("d", &["cat"], [16, 24, 1], 1, 1).slice("t", "d", 8, 16);
    b.conv("e", &["t"], [8, 8, 3], 1, 1).conv("f", &["e"], [8, 8, 3], 1, 1);
    b.concat("end", &[("d", 16), ("f", 8)]).conv("z", &["end"], [4, 24, 1], 1, 1);
    assert_eq!(check(&context, &b.build(), "z"), ["wide", "a", "b", "c", "cat", "d", "e", "f", "z"]);
}

#[test]
fn a_slice_that_is_wanted() {
    let Some(context) = context() else { return };
    let mut b = Builder::default();
    b.conv("a", &["in"], [16, 3, 3], 1, 1).slice("s", "a", 8, 14);
    // Two channels of the vec4 belong to others.
    assert_eq!(check(&context, &b.build(), "s"), ["a", "s"]);
    b.conv("a", &["in"], [14, 3, 3], 1, 1).slice("s", "a", 8, 14);
    assert_eq!(check(&context, &b.build(), "s"), ["a"]);
}

#[test]
fn repeated_maps_that_are_added() {
    let Some(context) = context() else { return };
    for (shape, groups) in [([8, 8, 1], 1), ([8, 8, 3], 1), ([8, 1, 3], 8), ([8, 4, 3], 2), ([8, 8, 5], 1)] {
        let mut b = Builder::default();
        b.conv("a", &["in"], [8, 3, 3], 1, 1).conv("b", &["a"], [8, 8, 3], 1, 2).up("c", "b", [11, 13]);
        b.conv("d", &["a", "c"], shape, groups, 1);
        assert_eq!(check(&context, &b.build(), "d"), ["a", "b", "d"]);
    }
    // After a depthwise convolution, in a sum on either side, and by a factor that is not whole.
    let mut b = Builder::default();
    b.conv("a", &["in"], [8, 3, 3], 1, 1).conv("b", &["a"], [8, 8, 3], 1, 2).up("c", "b", [11, 13]);
    b.conv("d", &["a"], [8, 1, 3], 8, 1).conv("e", &["d", "c"], [8, 8, 1], 1, 1);
    b.conv("f", &["b"], [8, 8, 3], 1, 2).up("g", "f", [11, 13]);
    b.add("h", &["g", "e"], Op::Add { activation: Activation::Sigmoid });
    b.up("i", "b", [11, 13]).add("j", &["h", "i"], Op::Add { activation: Activation::None });
    assert_eq!(check(&context, &b.build(), "j"), ["a", "b", "d", "e", "f", "h", "j"]);
    // Read by another node as well.
    let mut b = Builder::default();
    b.conv("a", &["in"], [8, 3, 3], 1, 1).conv("b", &["a"], [8, 8, 3], 1, 2).up("c", "b", [11, 13]);
    b.conv("d", &["a", "c"], [8, 8, 1], 1, 1).add("e", &["c", "d"], Op::Add { activation: Activation::None });
    assert_eq!(check(&context, &b.build(), "e"), ["a", "b", "c", "d", "e"]);
    // Of the network's input, and not larger than its source.
    let mut b = Builder::default();
    b.up("a", "in", [22, 26]).up("b", "a", [11, 13]).conv("c", &["in"], [3, 3, 3], 1, 1);
    b.add("d", &["c", "b"], Op::Add { activation: Activation::None }).up("e", "d", [22, 26]);
    b.add("f", &["e", "a"], Op::Add { activation: Activation::None });
    assert_eq!(check(&context, &b.build(), "f"), ["a", "b", "c", "d", "f"]);
}
