//! A depthwise and a 1x1 convolution in one dispatch give the bytes of both on their own, on shapes that nothing divides.

use super::{context, input, run};
use crate::geom::ResizeMode;
use crate::gpu::{Context, ContextOptions, Recorder};
use crate::model::{Activation, Graph, Model, ModelInfo, Node, Op, Residual, Tensor, Weights};
use crate::stages::infer::{Arenas, Network};
use crate::stages::plan::plan;
use crate::stages::weights::NetworkWeights;

const TILES: u32 = 3;

/// A window over `from` channels, and a 1x1 convolution to `to`.
#[derive(Clone, Copy, Debug)]
struct Case {
    from: usize,
    to: usize,
    /// Height and width of the input.
    size: [u32; 2],
    kernel: usize,
    stride: u32,
    padding: [u32; 4],
    activations: [Activation; 2],
    residual: Residual,
}

const CASE: Case = Case {
    from: 9,
    to: 37,
    size: [13, 11],
    kernel: 3,
    stride: 1,
    padding: [1; 4],
    activations: [Activation::None, Activation::Relu],
    residual: Residual::None,
};

/// The input goes through a 1x1 convolution to `x`, through the window to `d`, through the second 1x1 to `p`.
fn model(case: Case) -> Model {
    let mut weights = Weights::default();
    let mut tensor = |name: &str, shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        let data = (0..count).map(|i| ((i * 37 + shape[0]) % 101) as f32 / 50.0 - 1.0).collect();
        weights.insert(name, Tensor { shape: shape.to_vec(), data }).unwrap();
    };
    for (name, shape) in [
        ("x", [case.from, 3, 1, 1]),
        ("d", [case.from, 1, case.kernel, case.kernel]),
        ("p", [case.to, case.from, 1, 1]),
    ] {
        tensor(name, &shape);
        tensor(&format!("{name}.bias"), &shape[..1]);
    }
    let node = |name: &str, inputs: &[&str], (stride, padding, groups), activation, residual| Node {
        name: name.into(),
        inputs: inputs.iter().map(|&name| name.into()).collect(),
        op: Op::Conv {
            weight: name.into(),
            bias: Some(format!("{name}.bias")),
            stride: [stride; 2],
            padding,
            dilation: [1, 1],
            groups,
            activation,
            residual,
        },
    };
    let [inner, outer] = case.activations;
    let of_point: &[&str] = if case.residual == Residual::None { &["d"] } else { &["d", "x"] };
    let nodes = vec![
        node("x", &["input"], (1, [0; 4], 1), Activation::None, Residual::None),
        node("d", &["x"], (case.stride, case.padding, case.from as u32), inner, Residual::None),
        node("p", of_point, (1, [0; 4], 1), outer, case.residual),
    ];
    let graph = Graph { input: "input".into(), nodes, outputs: Vec::new() };
    let [height, width] = case.size;
    Model::new(ModelInfo::new("test", input([width, height], ResizeMode::Stretch), graph), weights).unwrap()
}

/// The bytes of the last map.
fn compute(context: &Context, model: &Model, f16: bool, fused: bool) -> Vec<u8> {
    let plan = plan(&context.with_fusion(fused), model, &["p"], f16).unwrap();
    assert_eq!(plan.pairs.len(), usize::from(fused));
    let (before, last, first) = if fused { (1, 2, Some(1)) } else { (2, 2, None) };
    let weights = NetworkWeights::new(context, model, &plan, f16).unwrap();
    let arenas = Arenas::new(context, &plan, f16, TILES).unwrap();
    let network = Network { model, plan: &plan, weights: &weights, arenas: &arenas };
    arenas.fill(context, f16).unwrap();
    let unit = if f16 { 8 } else { 16 };
    let bytes_of = |map: crate::kernels::nn::Map<'_>| {
        let start = map.base as usize * unit;
        start..start + map.shape.padded_len() as usize / 4 * TILES as usize * unit
    };
    let (source, target) = (network.map("input").unwrap(), network.map("p").unwrap());
    let values = (0..bytes_of(source).len() / (unit / 4)).map(|i| (i * 29 % 211) as f32 / 100.0 - 1.0);
    let values: Vec<u8> = if f16 {
        values.flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect()
    } else {
        values.flat_map(f32::to_le_bytes).collect()
    };
    context.queue().write_buffer(source.buffer, bytes_of(source).start as u64, &values);
    let mut recorder = Recorder::new(context);
    for index in 0..before {
        network.record_planned(&mut recorder, index, None, TILES).unwrap();
    }
    let before = run(context, recorder, target.buffer);
    let mut recorder = Recorder::new(context);
    network.record_planned(&mut recorder, last, first, TILES).unwrap();
    let after = run(context, recorder, target.buffer);
    let place = bytes_of(target);
    assert!(before[..place.start] == after[..place.start], "writes before the map");
    assert!(before[place.end..] == after[place.end..], "writes beyond the map");
    assert!(before[place.clone()] != after[place.clone()], "writes nothing");
    after[place].to_vec()
}

fn check(context: &Context, case: Case, f16: bool) {
    let model = model(case);
    let [one, two] = [true, false].map(|fused| compute(context, &model, f16, fused));
    assert!(one == two, "{case:?}, f16 {f16}: differs");
}

#[test]
fn one_dispatch_gives_the_bytes_of_two() {
    let Some(context) = context() else { return };
    let leaky = Activation::LeakyRelu { slope: 0.1 };
    let cases = [
        CASE,
        // The lanes beyond the channels of the map between stay 0.
        Case { to: 5, activations: [Activation::Sigmoid, leaky], ..CASE },
        Case { kernel: 5, padding: [2; 4], activations: [leaky, Activation::Sigmoid], ..CASE },
        Case { stride: 2, activations: [Activation::HardSwish, Activation::None], ..CASE },
        Case { kernel: 5, stride: 2, padding: [2, 2, 1, 1], activations: [Activation::Silu; 2], ..CASE },
        Case { to: 9, residual: Residual::BeforeActivation, ..CASE },
        Case { to: 9, residual: Residual::AfterActivation, activations: [Activation::Silu, leaky], ..CASE },
        // Patches of 64, 32 and 16 pixels, in several rounds of outputs.
        Case { from: 62, to: 70, ..CASE },
        Case { from: 70, to: 141, activations: [Activation::Gelu, Activation::Erf], ..CASE },
        Case { from: 141, to: 262, size: [7, 5], stride: 2, ..CASE },
        Case { from: 142, to: 3, size: [6, 19], padding: [0; 4], ..CASE },
        Case { from: 256, to: 9, size: [1, 1], ..CASE },
    ];
    let plain = ContextOptions { default_limits: true, ..ContextOptions::default() };
    let plain = Context::new(&plain).unwrap();
    for (number, case) in cases.into_iter().enumerate() {
        check(&context, case, false);
        if context.has_f16() {
            check(&context, case, true);
        }
        if number % 4 == 0 {
            check(&plain, case, false);
            check(&context.without_shader_checks(), case, false);
        }
    }
}

#[test]
fn too_many_channels_stay_two_dispatches() {
    let Some(context) = context() else { return };
    let model = model(Case { from: 257, to: 4, size: [3, 3], ..CASE });
    let pairs = |f16| plan(&context.with_fusion(true), &model, &["p"], f16).unwrap().pairs.len();
    assert_eq!([pairs(false), pairs(true)], [0, 1]);
}

#[test]
fn a_window_over_one_channel_is_dense() {
    let Some(context) = context() else { return };
    let model = model(Case { from: 1, ..CASE });
    assert!(plan(&context.with_fusion(true), &model, &["p"], false).unwrap().pairs.is_empty());
}
