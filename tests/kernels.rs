//! Every operation of a graph on the device against the CPU oracle: random shapes, windows, groups and activations.

#![expect(clippy::cast_possible_truncation, clippy::panic, reason = "tests of small sizes")]

mod common;
#[path = "kernels/functions.rs"]
mod functions;
#[path = "kernels/moves.rs"]
mod moves;

use common::{compare, context, plain_context};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::sync::OnceLock;
use tilehawk::gpu::Context;
use tilehawk::model::{
    Activation, Graph, InputSpec, Model, ModelInfo, Node, Op, Output, OutputOrder, PoolKind, Residual,
    ResizeKind, Tensor, Weights,
};
use tilehawk::reference::network;
use tilehawk::{Forward, Precision};

/// Sums of up to some thousand products of values below 2 in f32, in another order than the oracle's.
const TOLERANCE: f32 = 2e-4;

/// Values in -1..1, seeded.
fn random(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            f32::from((state >> 16) as u16) / 32768.0 - 1.0
        })
        .collect()
}

/// A graph under construction: `head` makes any number of channels from the three of the input.
struct Builder {
    weights: Weights,
    nodes: Vec<Node>,
    seed: u32,
}

impl Builder {
    fn new(seed: u32) -> Self {
        Self { weights: Weights::default(), nodes: Vec::new(), seed }
    }

    fn node(&mut self, name: &str, inputs: &[&str], op: Op) {
        self.nodes.push(Node { name: name.into(), inputs: inputs.iter().map(|&i| i.into()).collect(), op });
    }

    fn tensor(&mut self, name: &str, shape: &[usize]) {
        self.seed = self.seed.wrapping_add(77);
        let count: usize = shape.iter().product();
        let data = random(self.seed, count);
        self.weights.insert(name, Tensor { shape: shape.to_vec(), data }).expect("finite");
    }

    /// A 1x1 convolution of the input to `channels` channels.
    fn spread(&mut self, name: &str, channels: usize) {
        self.tensor(&format!("{name}.w"), &[channels, 3, 1, 1]);
        let op = conv(&format!("{name}.w"), [1, 1], [0; 4], [1, 1], 1, Activation::None, Residual::None);
        self.node(name, &["input"], op);
    }

    fn model(self, [height, width]: [u32; 2]) -> Result<Model, tilehawk::Error> {
        let last = self.nodes.last().expect("a node").name.clone();
        let mut graph = Graph { input: "input".into(), nodes: self.nodes, outputs: Vec::new() };
        let input = InputSpec::plain(width, height);
        let shape = tilehawk::model::Shapes::infer(&graph, &input, &self.weights)?.get(&last)?;
        graph.outputs.push(Output {
            name: "output".into(),
            shape: vec![1, shape.channels as usize, shape.height as usize, shape.width as usize],
            order: OutputOrder::ChannelsFirst,
            maps: vec![last],
        });
        Model::new(ModelInfo::new("test", input, graph), self.weights)
    }
}

fn conv(
    weight: &str,
    stride: [u32; 2],
    padding: [u32; 4],
    dilation: [u32; 2],
    groups: u32,
    activation: Activation,
    residual: Residual,
) -> Op {
    Op::Conv { weight: weight.into(), bias: None, stride, padding, dilation, groups, activation, residual }
}

/// Runs a model on two tiles, after a run on NaN that poisons every map, and compares both with the oracle.
fn agree(context: &Context, model: &Model, seed: u32) -> Result<(), TestCaseError> {
    agree_within(context, model, seed, TOLERANCE)
}

/// The same device without shader checks; one for each, so that kernels are compiled once.
fn unchecked(context: &Context) -> &'static Context {
    static CONTEXTS: [OnceLock<Context>; 2] = [const { OnceLock::new() }; 2];
    CONTEXTS[usize::from(context.features().is_empty())].get_or_init(|| context.without_shader_checks())
}

fn agree_within(context: &Context, model: &Model, seed: u32, tolerance: f32) -> Result<(), TestCaseError> {
    let fail = |e: tilehawk::Error| TestCaseError::fail(e.to_string());
    let forward = Forward::new(context, model, 2, Precision::F32).map_err(fail)?;
    let values = 3 * (model.info().input.width * model.info().input.height) as usize;
    forward.upload(&vec![f32::NAN; 2 * values]).map_err(fail)?;
    forward.run().map_err(fail)?;
    let input = random(seed, 2 * values);
    forward.upload(&input).map_err(fail)?;
    // Twice: a run must leave its input alone.
    forward.run().map_err(fail)?;
    forward.run().map_err(fail)?;
    assert!(forward.outputs(2).is_err(), "the batch has two tiles");
    if seed.is_multiple_of(4) {
        let unchecked = Forward::new(unchecked(context), model, 2, Precision::F32).map_err(fail)?;
        unchecked.upload(&input).map_err(fail)?;
        unchecked.run().map_err(fail)?;
        let bits = |forward: &Forward| -> Result<Vec<u32>, TestCaseError> {
            let outputs = [0, 1].map(|tile| forward.outputs(tile).map_err(fail));
            let mut bits = Vec::new();
            for output in outputs {
                bits.extend(output?.concat().into_iter().map(f32::to_bits));
            }
            Ok(bits)
        };
        prop_assert!(bits(&unchecked)? == bits(&forward)?, "shaders without checks compute something else");
    }
    for (tile, values) in (0..2).zip(input.chunks_exact(values)) {
        let maps = network::run(model, values).map_err(fail)?;
        let output = &model.info().graph.outputs[0];
        let expected = network::output(model, &maps, output).map_err(fail)?;
        let found = forward.outputs(tile).map_err(fail)?;
        compare(&found[0], &expected, tolerance)
            .map_err(|e| TestCaseError::fail(format!("tile {tile}: {e}")))?;
    }
    Ok(())
}

fn run<S: Strategy>(strategy: &S, test: impl Fn(&Context, S::Value) -> Result<(), TestCaseError>) {
    if let Some(context) = context() {
        run_on(&context, strategy, test);
    }
}

/// With the features of the device and without: kernels may differ.
fn run_twice<S: Strategy>(strategy: &S, test: impl Fn(&Context, S::Value) -> Result<(), TestCaseError>) {
    for context in [context(), plain_context()].into_iter().flatten() {
        run_on(&context, strategy, &test);
    }
}

fn run_on<S: Strategy>(
    context: &Context,
    strategy: &S,
    test: impl Fn(&Context, S::Value) -> Result<(), TestCaseError>,
) {
    let config = Config { cases: 40, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    runner.run(strategy, |value| test(context, value)).unwrap_or_else(|e| panic!("{e}"));
}

fn activation() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::None),
        Just(Activation::Relu),
        Just(Activation::LeakyRelu { slope: 0.1 }),
        Just(Activation::Sigmoid),
        Just(Activation::Silu),
        Just(Activation::Clip { low: -0.5, high: 0.75 }),
        Just(Activation::HardSigmoid { slope: 0.2, offset: 0.5 }),
        Just(Activation::HardSwish),
        Just(Activation::Tanh),
    ]
}

fn residual() -> impl Strategy<Value = Residual> {
    prop_oneof![Just(Residual::None), Just(Residual::BeforeActivation), Just(Residual::AfterActivation)]
}

#[test]
fn dense_and_pointwise_convolutions() {
    let shapes = (1..40usize, 1..40usize, 1..20u32, 1..20u32, 1..5u32, 1..5u32);
    let steps = (1..3u32, 1..3u32, 0..3u32, 0..3u32, 1..3u32);
    run_twice(
        &(shapes, steps, functions::any_activation(), residual(), any::<u32>()),
        |context, (shapes, steps, act, residual, seed)| {
            let (input, out, height, width, kernel_h, kernel_w) = shapes;
            let (stride_y, stride_x, top, right, dilation) = steps;
            let mut b = Builder::new(seed);
            b.spread("x", input);
            b.tensor("w", &[out, input, kernel_h as usize, kernel_w as usize]);
            let padding = [top, kernel_w / 2, kernel_h / 2, right];
            let op = |residual| conv("w", [stride_y, stride_x], padding, [dilation, 1], 1, act, residual);
            b.node("y", &["x"], op(Residual::None));
            if residual != Residual::None {
                // The residual has the shape of the sum: the same convolution made before.
                b.node("z", &["x", "y"], op(residual));
            }
            // Windows that do not fit are refused by the model, and drawn again: 40 must be accepted.
            let model = b.model([height, width]).map_err(|e| TestCaseError::reject(e.to_string()))?;
            agree(context, &model, seed)
        },
    );
}

#[test]
fn depthwise_and_grouped_convolutions() {
    let shapes = (1..7u32, 1..4u32, 1..4u32, 3..20u32, 3..20u32, 1..8u32, 1..3u32);
    let settings = (any::<bool>(), functions::any_activation(), residual(), any::<u32>());
    run_twice(&(shapes, settings), |context, (shapes, (depthwise, act, residual, seed))| {
        let (groups, in_per, out_per, height, width, kernel, stride) = shapes;
        let (groups, in_per, out_per) =
            if depthwise { (groups * in_per, 1, 1) } else { (groups, in_per, out_per) };
        let mut b = Builder::new(seed);
        b.spread("x", (groups * in_per) as usize);
        b.tensor("w", &[(groups * out_per) as usize, in_per as usize, kernel as usize, kernel as usize]);
        let padding = [kernel / 2, kernel / 2, kernel - 1 - kernel / 2, kernel / 2];
        let op = |residual| conv("w", [stride; 2], padding, [1, 1], groups, act, residual);
        b.node("y", &["x"], op(Residual::None));
        if residual != Residual::None {
            b.node("z", &["x", "y"], op(residual));
        }
        let model = b.model([height, width]).map_err(|e| TestCaseError::reject(e.to_string()))?;
        agree(context, &model, seed)
    });
}

/// In one dispatch; without shader checks possibly in two, of which the bytes are the same.
#[test]
fn depthwise_separable_convolutions() {
    let shapes = (1..80usize, 1..80usize, 3..20u32, 3..20u32, any::<bool>(), 1..3u32);
    // Few of them, and on one device: each pair of activations is a kernel of its own.
    let activations = (activation(), activation());
    run(
        &(shapes, activations, residual(), any::<u32>()),
        |context, (shapes, (inner, outer), residual, seed)| {
            let (channels, out, height, width, wide, stride) = shapes;
            let kernel = if wide { 5 } else { 3 };
            let mut b = Builder::new(seed);
            b.spread("x", channels);
            b.tensor("w", &[channels, 1, kernel as usize, kernel as usize]);
            b.tensor("v", &[out, channels, 1, 1]);
            let padding = [kernel / 2, kernel / 2, kernel - 1 - kernel / 2, 0];
            let groups = channels as u32;
            let window = || conv("w", [stride; 2], padding, [1, 1], groups, inner, Residual::None);
            let point = |residual| conv("v", [1, 1], [0; 4], [1, 1], 1, outer, residual);
            b.node("d", &["x"], window());
            b.node("y", &["d"], point(Residual::None));
            if residual != Residual::None {
                b.node("e", &["x"], window());
                b.node("z", &["e", "y"], point(residual));
            }
            let model = b.model([height, width]).map_err(|e| TestCaseError::reject(e.to_string()))?;
            agree(&context.with_fusion(true), &model, seed)
        },
    );
}

#[test]
fn pooling() {
    let shapes = (1..10usize, 1..20u32, 1..20u32, 1..6u32, 1..6u32, 1..4u32);
    let settings = (any::<bool>(), any::<bool>(), any::<u32>());
    run(&(shapes, settings), |context, (shapes, (max, count_padding, seed))| {
        let (channels, height, width, kernel_h, kernel_w, stride) = shapes;
        let mut b = Builder::new(seed);
        b.spread("x", channels);
        let kind = if max { PoolKind::Max } else { PoolKind::Average };
        let padding = [kernel_h / 2, kernel_w / 2, (kernel_h - 1) / 2, kernel_w / 2];
        let op = Op::Pool { kind, kernel: [kernel_h, kernel_w], stride: [stride; 2], padding, count_padding };
        b.node("y", &["x"], op);
        let model = b.model([height, width]).map_err(|e| TestCaseError::reject(e.to_string()))?;
        agree(context, &model, seed)
    });
}

#[test]
fn resizing() {
    let kinds = prop_oneof![
        Just(ResizeKind::NearestAsymmetricFloor),
        Just(ResizeKind::LinearHalfPixel),
        Just(ResizeKind::LinearAsymmetric),
        Just(ResizeKind::LinearAlignCorners),
    ];
    let shapes = (1..10usize, 1..20u32, 1..20u32, 1..40u32, 1..40u32);
    run(&(shapes, kinds, any::<u32>()), |context, ((channels, height, width, to_h, to_w), kind, seed)| {
        let mut b = Builder::new(seed);
        b.spread("x", channels);
        b.node("y", &["x"], Op::Resize { kind, size: [to_h, to_w] });
        agree(context, &b.model([height, width]).expect("sound"), seed)
    });
}

#[test]
fn sums_and_activations() {
    run(
        &(1..20usize, 1..20u32, 1..20u32, functions::any_activation(), any::<u32>()),
        |context, (c, height, width, act, seed)| {
            let mut b = Builder::new(seed);
            b.spread("x", c);
            b.spread("y", c);
            b.node("sum", &["x", "y"], Op::Add { activation: act });
            b.node("z", &["sum"], Op::Activate { activation: act });
            agree(context, &b.model([height, width]).expect("sound"), seed)
        },
    );
}

#[test]
fn channel_maps() {
    let sources = prop::collection::vec(1..9usize, 1..5);
    let shapes = (1..4u32, 1..8u32, 1..8u32, 1..30usize);
    run(&(sources, shapes, any::<u32>()), |context, (sources, (step, height, width, out), seed)| {
        let mut b = Builder::new(seed);
        let names: Vec<String> = (0..sources.len()).map(|i| format!("x{i}")).collect();
        for (name, &channels) in names.iter().zip(&sources) {
            b.spread(name, channels);
        }
        let mut picks = random(seed, 4 * out).into_iter().map(|v| (v.abs() * 10_000.0) as u32);
        let mut pick = |below: u32| picks.next().map_or(0, |v| v % below);
        let map = (0..out)
            .map(|_| {
                let source = pick(sources.len() as u32);
                [source, pick(sources[source as usize] as u32), pick(step), pick(step)]
            })
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        b.node("y", &names, Op::Channels { step, map });
        agree(context, &b.model([height * step, width * step]).expect("sound"), seed)
    });
}

#[test]
fn a_window_beyond_the_loop_limit_is_refused() {
    let Some(context) = context() else { return };
    for groups in [1, 3] {
        let mut b = Builder::new(1);
        b.tensor("w", &[3, 3 / groups, 250, 250]);
        let op = conv("w", [1; 2], [0; 4], [1; 2], groups as u32, Activation::None, Residual::None);
        b.node("y", &["input"], op);
        let model = b.model([250, 250]).expect("sound");
        let error = Forward::new(&context, &model, 1, Precision::F32).expect_err("too many taps");
        assert_eq!(error.kind(), tilehawk::ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("\"y\""), "{error}");
    }
}

#[test]
fn a_weight_beyond_f16_is_refused_in_f16() {
    let Some(context) = context().filter(Context::has_f16) else { return };
    let mut b = Builder::new(1);
    b.weights
        .insert("w", Tensor { shape: vec![1, 3, 1, 1], data: vec![1.0, 70_000.0, 0.0] })
        .expect("finite");
    b.node("y", &["input"], conv("w", [1; 2], [0; 4], [1; 2], 1, Activation::None, Residual::None));
    let model = b.model([4, 4]).expect("sound");
    assert!(Forward::new(&context, &model, 1, Precision::F32).is_ok());
    let error = Forward::new(&context, &model, 1, Precision::F16).expect_err("beyond f16");
    assert_eq!(error.kind(), tilehawk::ErrorKind::Unsupported, "{error}");
}

#[test]
fn activations_out_of_range_are_refused() {
    for activation in [
        Activation::LeakyRelu { slope: f32::INFINITY },
        Activation::Clip { low: 1.0, high: 0.0 },
        Activation::HardSigmoid { slope: f32::NAN, offset: 0.0 },
    ] {
        let mut b = Builder::new(1);
        b.node("y", &["input"], Op::Activate { activation });
        let error = b.model([4, 4]).expect_err("out of range");
        assert!(error.to_string().contains("\"y\""), "{error}");
    }
}

#[test]
fn a_point_with_padding_at_its_end() {
    let Some(context) = context() else { return };
    let mut b = Builder::new(5);
    b.tensor("w", &[5, 3, 1, 1]);
    b.node("y", &["input"], conv("w", [1; 2], [0, 0, 2, 1], [1; 2], 1, Activation::Sigmoid, Residual::None));
    agree(&context, &b.model([3, 4]).expect("sound"), 5).expect("as the oracle");
}
