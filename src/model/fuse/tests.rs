#![allow(clippy::unwrap_used)]

use super::super::{
    Activation, Graph, InputSpec, Model, ModelInfo, Node, Op, Output, OutputOrder, Residual, Tensor, Weights,
};
use super::{depth, fuse, merge, remove_dead, remove_identities, remove_unused_weights, scale};
use crate::reference::network;

fn tensor(shape: &[usize], seed: usize) -> Tensor {
    let count = shape.iter().product();
    let value = |i: usize| f32::from(u8::try_from((i * 37 + seed * 11) % 101).unwrap()) / 50.0 - 1.0;
    Tensor { shape: shape.to_vec(), data: (0..count).map(value).collect() }
}

fn conv(name: &str, input: &str, weight: &str, pad: u32, groups: u32) -> Node {
    let op = Op::Conv {
        weight: weight.into(),
        bias: None,
        stride: [1, 1],
        padding: [pad; 4],
        dilation: [1, 1],
        groups,
        activation: Activation::None,
        residual: Residual::None,
    };
    Node { name: name.into(), inputs: vec![input.into()], op }
}

fn node(name: &str, inputs: &[&str], op: Op) -> Node {
    Node { name: name.into(), inputs: inputs.iter().map(|&i| i.to_owned()).collect(), op }
}

fn relu(name: &str, input: &str) -> Node {
    node(name, &[input], Op::Activate { activation: Activation::Relu })
}

fn add(name: &str, a: &str, b: &str) -> Node {
    node(name, &[a, b], Op::Add { activation: Activation::None })
}

fn graph(nodes: Vec<Node>, shape: [usize; 4]) -> Graph {
    let last = nodes.last().unwrap().name.clone();
    let output = Output {
        name: "o".into(),
        shape: shape.to_vec(),
        order: OutputOrder::ChannelsFirst,
        maps: vec![last],
    };
    Graph { input: "in".into(), nodes, outputs: vec![output] }
}

fn weights() -> Weights {
    let mut weights = Weights::default();
    weights.insert("dense", tensor(&[4, 3, 3, 3], 1)).unwrap();
    weights.insert("next", tensor(&[4, 4, 3, 3], 2)).unwrap();
    weights.insert("scale", tensor(&[4, 1, 1, 1], 3)).unwrap();
    weights.insert("deep", tensor(&[4, 12, 3, 3], 4)).unwrap();
    weights
}

fn compute(graph: &Graph, weights: &Weights) -> Vec<f32> {
    let input = InputSpec::plain(10, 8);
    let info = ModelInfo::new("", input, graph.clone());
    let model = Model::new(info, weights.clone()).unwrap();
    let maps = network::run(&model, &tensor(&[3, 8, 10], 5).data).unwrap();
    network::output(&model, &maps, &graph.outputs[0]).unwrap()
}

/// Runs a rewrite and checks that the output stays; returns the names of the nodes left.
fn check(graph: &Graph, rewrite: impl Fn(&mut Graph, &mut Weights)) -> (Vec<String>, Graph) {
    let before = weights();
    let (mut after, mut changed) = (graph.clone(), before.clone());
    rewrite(&mut after, &mut changed);
    let (expected, found) = (compute(graph, &before), compute(&after, &changed));
    assert_eq!(expected.len(), found.len());
    for (a, b) in expected.iter().zip(&found) {
        assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} {b}");
    }
    assert!(expected.iter().any(|v| *v != 0.0));
    (after.nodes.iter().map(|n| n.name.clone()).collect(), after)
}

#[test]
fn activation_joins_its_convolution() {
    let nodes = vec![conv("a", "in", "dense", 1, 1), relu("b", "a")];
    let (names, _) = check(&graph(nodes, [1, 4, 8, 10]), |g, _| merge::fuse_activations(g, &[]));
    assert_eq!(names, ["b"]);
}

#[test]
fn activation_stays_where_the_sum_is_used_elsewhere() {
    let nodes = vec![conv("a", "in", "dense", 1, 1), relu("b", "a"), add("c", "a", "b")];
    let (names, _) = check(&graph(nodes, [1, 4, 8, 10]), |g, _| merge::fuse_activations(g, &[]));
    assert_eq!(names, ["a", "b", "c"]);
    let nodes = vec![conv("a", "in", "dense", 1, 1), relu("b", "a")];
    let (names, _) = check(&graph(nodes, [1, 4, 8, 10]), |g, _| merge::fuse_activations(g, &["a"]));
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn addition_joins_before_the_activation() {
    // The other summand is made after the convolution: the sum must move behind it.
    let nodes = vec![
        conv("a", "in", "dense", 1, 1),
        conv("b", "a", "next", 1, 1),
        relu("late", "a"),
        add("sum", "late", "b"),
        relu("out", "sum"),
    ];
    let (names, after) = check(&graph(nodes, [1, 4, 8, 10]), |g, _| {
        merge::fuse_activations(g, &[]);
        merge::fuse_additions(g, &[]);
    });
    assert_eq!(names, ["a", "late", "out"]);
    let Op::Conv { residual, activation, .. } = &after.nodes[2].op else { unreachable!() };
    assert_eq!((*residual, *activation), (Residual::BeforeActivation, Activation::Relu));
}

#[test]
fn addition_joins_after_the_activation() {
    let nodes = vec![
        conv("a", "in", "dense", 1, 1),
        conv("b", "a", "next", 1, 1),
        relu("c", "b"),
        add("out", "c", "a"),
    ];
    let (names, after) = check(&graph(nodes, [1, 4, 8, 10]), |g, _| {
        merge::fuse_activations(g, &[]);
        merge::fuse_additions(g, &[]);
    });
    assert_eq!(names, ["a", "out"]);
    let Op::Conv { residual, .. } = &after.nodes[1].op else { unreachable!() };
    assert_eq!(*residual, Residual::AfterActivation);
}

#[test]
fn scale_joins_the_weights() {
    let nodes = vec![conv("a", "in", "dense", 1, 1), conv("b", "a", "scale", 0, 4), relu("c", "b")];
    let (names, _) = check(&graph(nodes, [1, 4, 8, 10]), |g, w| scale::fold_scales(g, w, &[]));
    assert_eq!(names, ["b", "c"]);
}

#[test]
fn space_to_depth_joins_the_kernel() {
    let orders: [[[u32; 2]; 4]; 2] = [[[0, 0], [1, 0], [0, 1], [1, 1]], [[1, 1], [0, 1], [0, 0], [1, 0]]];
    for order in orders {
        let map = order.iter().flat_map(|&[dy, dx]| (0..3).map(move |c| [0, c, dy, dx])).collect();
        let nodes = vec![
            node("s", &["in"], Op::Channels { step: 2, map }),
            conv("a", "s", "deep", 1, 1),
            relu("b", "a"),
        ];
        let (names, _) = check(&graph(nodes, [1, 4, 4, 5]), |g, w| depth::fuse_space_to_depth(g, w, &[]));
        assert_eq!(names, ["a", "b"]);
    }
}

#[test]
fn identities_and_dead_nodes_go() {
    let whole = Op::Channels { step: 1, map: (0..4).map(|c| [0, c, 0, 0]).collect() };
    let part = Op::Channels { step: 1, map: (0..3).map(|c| [0, c, 0, 0]).collect() };
    let none = Op::Activate { activation: Activation::None };
    let nodes = vec![
        conv("a", "in", "dense", 1, 1),
        node("b", &["a"], whole),
        node("c", &["b"], none),
        relu("dead", "b"),
        node("out", &["c"], part),
    ];
    let (names, _) = check(&graph(nodes, [1, 3, 8, 10]), |g, w| {
        remove_dead(g, &[]);
        remove_identities(g, w, &[]);
        remove_unused_weights(g, w);
        assert_eq!(w.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["dense"]);
    });
    assert_eq!(names, ["a", "out"]);
}

#[test]
fn all_rewrites_together_keep_the_function() {
    let map = (0..12).map(|i| [0, i % 3, i / 3 % 2, i / 6]).collect();
    let nodes = vec![
        node("s", &["in"], Op::Channels { step: 2, map }),
        conv("a", "s", "deep", 1, 1),
        conv("bn", "a", "scale", 0, 4),
        relu("ar", "bn"),
        conv("b", "ar", "next", 1, 1),
        relu("br", "b"),
        add("out", "br", "ar"),
    ];
    let (names, _) = check(&graph(nodes, [1, 4, 4, 5]), |g, w| {
        (*g, *w) = fuse(std::mem::take(g), std::mem::take(w), &[]);
    });
    assert_eq!(names, ["ar", "out"]);
}
