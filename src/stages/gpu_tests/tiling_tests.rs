//! Every tiling of a convolution that can be chosen on this device gives the bytes of the default, on shapes that nothing divides.

use super::{context, input, run};
use crate::geom::ResizeMode;
use crate::gpu::{Context, ContextOptions, Recorder};
use crate::model::{Activation, ArenaPlan, Graph, Model, ModelInfo, Node, Op, Residual, Tensor, Weights};
use crate::stages::infer::{Arenas, Network};
use crate::stages::weights::NetworkWeights;

pub(super) const TILES: u32 = 3;

/// A convolution of `from` to `to` channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kernel: [usize; 2],
    pub(super) stride: [u32; 2],
    pub(super) depthwise: bool,
    pub(super) residual: Residual,
}

/// The input goes through a 1x1 convolution to `x`, and that through the one of the case to `y` and with a residual to `z`.
pub(super) fn model(case: Case) -> Model {
    let mut weights = Weights::default();
    let mut tensor = |name: &str, shape: [usize; 4]| {
        let count = shape.iter().product::<usize>();
        let data = (0..count).map(|i| ((i * 37 + shape[0]) % 101) as f32 / 50.0 - 1.0).collect();
        weights.insert(name, Tensor { shape: shape.to_vec(), data }).unwrap();
    };
    tensor("v", [case.from, 3, 1, 1]);
    let [height, width] = case.kernel;
    tensor("w", [case.to, if case.depthwise { 1 } else { case.from }, height, width]);
    let conv = |weight: &str, stride, padding, groups, residual| Op::Conv {
        weight: weight.into(),
        bias: None,
        stride,
        padding,
        dilation: [1, 1],
        groups,
        activation: Activation::Silu,
        residual,
    };
    let half = |side: usize| (side / 2) as u32;
    let padding = [half(height), half(width), half(height), half(width)];
    let groups = if case.depthwise { case.from as u32 } else { 1 };
    let node = |name: &str, inputs: &[&str], op| Node {
        name: name.into(),
        inputs: inputs.iter().map(|&name| name.into()).collect(),
        op,
    };
    let mut nodes = vec![
        node("x", &["input"], conv("v", [1, 1], [0; 4], 1, Residual::None)),
        node("y", &["x"], conv("w", case.stride, padding, groups, Residual::None)),
    ];
    if case.residual != Residual::None {
        nodes.push(node("z", &["x", "y"], conv("w", case.stride, padding, groups, case.residual)));
    }
    let graph = Graph { input: "input".into(), nodes, outputs: Vec::new() };
    Model::new(ModelInfo::new("test", input([13, 11], ResizeMode::Stretch), graph), weights).unwrap()
}

fn check(context: &Context, case: Case, f16: bool) {
    let model = model(case);
    let wanted: Vec<&str> = model.info().graph.nodes.iter().map(|node| node.name.as_str()).collect();
    let plan = ArenaPlan::new(&model.info().graph, model.shapes(), &wanted).unwrap();
    let weights = NetworkWeights::new(context, &model, &plan, f16).unwrap();
    let arenas = Arenas::new(context, &plan, f16, TILES).unwrap();
    let network = Network { model: &model, plan: &plan, weights: &weights, arenas: &arenas };
    let last = plan.nodes.len() - 1;
    let class = network.class(last, TILES).expect("a class");
    let place = network.map(wanted[last]).unwrap();
    let mut expected = None;
    for tiling in class.candidates(context) {
        arenas.fill(context, f16).unwrap();
        let mut recorder = Recorder::new(context);
        network.record_trial(&mut recorder, (last, TILES), tiling).unwrap();
        let bytes = run(context, recorder, place.buffer);
        let unit = if f16 { 8 } else { 16 };
        let start = place.base as usize * unit;
        let len = place.shape.padded_len() as usize / 4 * TILES as usize * unit;
        let map = bytes[start..start + len].to_vec();
        // What lies beside the map stays.
        let rest = (bytes[..start].to_vec(), bytes[start + len..].to_vec());
        let (first_map, first_rest) = expected.get_or_insert((map.clone(), rest.clone()));
        assert!(map == *first_map, "{case:?}, f16 {f16}: {tiling:?} differs");
        assert!(rest == *first_rest, "{case:?}, f16 {f16}: {tiling:?} writes beside the map");
    }
}

#[test]
fn every_tiling_gives_the_same_bytes() {
    let Some(context) = context() else { return };
    let dense =
        Case { from: 9, to: 37, kernel: [1, 1], stride: [1, 1], depthwise: false, residual: Residual::None };
    let depthwise = Case { from: 9, to: 9, kernel: [3, 3], depthwise: true, ..dense };
    let cases = [
        dense,
        Case { to: 4, ..dense },
        Case { to: 9, residual: Residual::AfterActivation, ..dense },
        Case { kernel: [3, 3], to: 21, ..dense },
        Case { kernel: [3, 3], stride: [2, 2], to: 21, ..dense },
        Case { kernel: [3, 3], residual: Residual::BeforeActivation, to: 9, ..dense },
        Case { kernel: [2, 5], ..dense },
        Case { stride: [1, 2], ..dense },
        depthwise,
        Case { stride: [2, 2], ..depthwise },
        Case { kernel: [5, 5], residual: Residual::BeforeActivation, ..depthwise },
        Case { kernel: [5, 5], stride: [2, 2], ..depthwise },
        Case { kernel: [7, 7], ..depthwise },
    ];
    let plain = ContextOptions { default_limits: true, ..ContextOptions::default() };
    let plain = Context::new(&plain).unwrap();
    for (number, case) in cases.into_iter().enumerate() {
        check(&context, case, false);
        // A part of them: each tiling takes long to compile on a software driver.
        if number % 4 == 0 {
            check(&plain, case, false);
        }
        if number % 4 == 3 && context.has_f16() {
            check(&context, case, true);
        }
    }
}
