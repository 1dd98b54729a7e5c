//! The ONNX importer against ONNX Runtime's outputs on real networks, and against hostile files.

#![cfg(feature = "onnx")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::shared;
use safetensors::SafeTensors;
use tilehawk::heads::{BoxForm, Head};
use tilehawk::import::onnx::{HeadKind, ImportOptions, import};
use tilehawk::model::{Model, Op};
use tilehawk::reference::network;

/// Imports a network and compares all its outputs with ONNX Runtime's: `|a - b| <= 1e-3 * max(1, |b|)`.
fn compare(name: &str) -> Option<Model> {
    let bytes = shared(&format!("models/{name}.onnx"))?;
    let file = shared(&format!("models/{name}.ref.safetensors"))?;
    let model = import(&bytes, &ImportOptions::default()).unwrap();
    let maps = network::run(&model, &common::reference_picture(&file)).unwrap();
    let reference = SafeTensors::deserialize(&file).unwrap();
    let outputs = &model.info().graph.outputs;
    assert_eq!(outputs.len(), reference.names().iter().filter(|n| n.starts_with("output.")).count());
    for output in outputs {
        let key = format!("output.{}", output.name);
        let found = network::output(&model, &maps, output).unwrap();
        assert_eq!(output.shape, reference.tensor(&key).unwrap().shape());
        let worst = common::compare(&found, &common::reference_tensor(&file, &key), 1e-3);
        println!("{name} {}: worst {worst:?} of {} elements", output.name, found.len());
        assert!(worst.is_ok(), "{name} {}: {worst:?}", output.name);
    }
    println!("{name}: {} nodes, {} parameters", model.info().graph.nodes.len(), model.weights().parameters());
    Some(model)
}

#[test]
fn yolox_nano() {
    let Some(model) = compare("yolox_nano_416") else { return };
    let Some(Head::Yolox(head)) = &model.info().head else { panic!("{:?}", model.info().head) };
    assert_eq!(head.levels.iter().map(|l| l.stride).collect::<Vec<_>>(), [8, 16, 32]);
    assert_eq!(model.info().classes.len(), 80);
}

#[test]
fn nanodet_plus_m() {
    let Some(model) = compare("nanodet_plus_m_416") else { return };
    let Some(Head::Gfl(head)) = &model.info().head else { panic!("{:?}", model.info().head) };
    assert_eq!(head.levels.iter().map(|l| l.stride).collect::<Vec<_>>(), [8, 16, 32, 64]);
    assert_eq!((head.bins, head.centre), (8, 0.0));
    assert_eq!(model.info().classes.len(), 80);
}

/// The reason why a network is not imported.
fn refusal(bytes: &[u8]) -> String {
    match import(bytes, &ImportOptions::default()) {
        Ok(_) => panic!("it is imported"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn picodet_s() {
    let Some(model) = compare("picodet_s_416") else { return };
    let Some(Head::Gfl(head)) = &model.info().head else { panic!("{:?}", model.info().head) };
    assert_eq!((head.bins, head.levels.len(), head.sigmoid, model.info().classes.len()), (8, 4, false, 80));
}

#[test]
fn fastestdet() {
    let Some(model) = compare("fastestdet_352") else { return };
    let Some(Head::Dense(head)) = &model.info().head else { panic!("{:?}", model.info().head) };
    assert_eq!((head.levels.len(), model.info().classes.len()), (1, 80));
    assert_eq!((head.score.class_power, head.score.objectness_power), (0.4, 0.6));
}

#[test]
fn segmentations() {
    for name in ["deeplab_v3_257", "road_segmentation_adas_512x896"] {
        let Some(model) = compare(name) else { return };
        assert!(model.info().head.is_none(), "{name}");
    }
}

/// Boxes from left-top and right-bottom distances `l`, `r` to points `g`, as `boxes` makes them, beside five classes.
fn decoded(boxes: Vec<Message>) -> Vec<u8> {
    let mut nodes = vec![
        node("Conv", &["x", "wl"], "l", &[]),
        node("Conv", &["x", "wr"], "r", &[]),
        node("Conv", &["x", "wc"], "logits", &[]),
        node("Sigmoid", &["logits"], "classes", &[]),
        node("Sub", &["g", "l"], "low", &[]),
        node("Add", &["g", "r"], "high", &[]),
    ];
    nodes.extend(boxes);
    nodes.push(node("Concat", &["b0", "b1", "classes"], "all", &[("axis", &[1])]));
    nodes.push(node("Reshape", &["all", "flat"], "y", &[]));
    let weight = |name: &str, out: i64| floats_tensor(name, &[out, 3, 1, 1]);
    let tensors = [
        weight("wl", 2),
        weight("wr", 2),
        weight("wc", 5),
        floats_tensor("g", &[1, 2, 8, 8]),
        floats_tensor("half", &[1]),
        ints_tensor("flat", &[1, 9, 64]),
    ];
    file(&nodes, &tensors)
}

#[test]
fn corners_and_centres_are_told_apart() {
    let corners = vec![node("Identity", &["low"], "b0", &[]), node("Identity", &["high"], "b1", &[])];
    let centres = vec![
        node("Add", &["low", "high"], "sum", &[]),
        node("Mul", &["sum", "half"], "b0", &[]),
        node("Sub", &["high", "low"], "b1", &[]),
    ];
    for (boxes, form) in [(corners, BoxForm::Corners), (centres, BoxForm::Centre)] {
        let model = import(&decoded(boxes), &ImportOptions::default()).unwrap();
        let Some(Head::Dense(head)) = &model.info().head else { panic!("{:?}", model.info().head) };
        assert_eq!((head.boxes, head.levels.len(), model.info().classes.len()), (form, 1, 5));
        assert!(head.levels[0].objectness.is_none() && head.levels[0].stride == [0.0; 2]);
    }
}

#[test]
fn a_head_can_be_asked_for_or_left_out() {
    let boxes = || vec![node("Identity", &["low"], "b0", &[]), node("Identity", &["high"], "b1", &[])];
    let with = |head| ImportOptions { head: Some(head), ..ImportOptions::default() };
    let model = import(&decoded(boxes()), &with(HeadKind::DecodedCentre)).unwrap();
    let Some(Head::Dense(head)) = &model.info().head else { panic!("{:?}", model.info().head) };
    assert_eq!(head.boxes, BoxForm::Centre);
    assert!(import(&decoded(boxes()), &with(HeadKind::Raw)).unwrap().info().head.is_none());
    let text = import(&decoded(boxes()), &with(HeadKind::FastestDet)).unwrap_err().to_string();
    assert!(text.contains("not those of head \"fastestdet\"") && text.contains("\"y\" [1, 9, 64]"), "{text}");
}

#[test]
fn class_names_must_fit_the_head() {
    let Some(bytes) = shared("models/nanodet_plus_m_416.onnx") else { return };
    let options = ImportOptions { classes: Some(vec!["bird".into(); 12]), ..ImportOptions::default() };
    let text = import(&bytes, &options).unwrap_err().to_string();
    assert_eq!(text, "12 class names are given, but the model's head has 80 classes");
}

/// Writes protobuf messages.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap());
        self
    }

    fn int(self, field: u64, value: i64) -> Self {
        self.number(field << 3).number(value.cast_unsigned())
    }

    fn bytes(self, field: u64, bytes: &[u8]) -> Self {
        let mut message = self.number(field << 3 | 2).number(bytes.len() as u64);
        message.0.extend_from_slice(bytes);
        message
    }

    fn ints(self, field: u64, values: &[i64]) -> Self {
        values.iter().fold(self, |message, &value| message.int(field, value))
    }
}

fn floats_tensor(name: &str, dims: &[i64]) -> Message {
    let count = usize::try_from(dims.iter().product::<i64>()).unwrap();
    let values = (0u8..=250).cycle().take(count).flat_map(|i| (f32::from(i) / 250.0 - 0.5).to_le_bytes());
    Message::default().ints(1, dims).int(2, 1).bytes(8, name.as_bytes()).bytes(9, &values.collect::<Vec<_>>())
}

fn ints_tensor(name: &str, values: &[i64]) -> Message {
    let message = Message::default().int(1, i64::try_from(values.len()).unwrap()).int(2, 7);
    message.ints(7, values).bytes(8, name.as_bytes())
}

fn node(op: &str, inputs: &[&str], output: &str, ints: &[(&str, &[i64])]) -> Message {
    let mut node = inputs.iter().fold(Message::default(), |node, name| node.bytes(1, name.as_bytes()));
    node = node.bytes(2, output.as_bytes()).bytes(4, op.as_bytes());
    for (name, values) in ints {
        let attribute = Message::default().bytes(1, name.as_bytes());
        let attribute = match values {
            [value] => attribute.int(3, *value).int(20, 2),
            values => attribute.ints(8, values).int(20, 7),
        };
        node = node.bytes(5, &attribute.0);
    }
    node
}

fn value(name: &str, dims: &[i64]) -> Message {
    let shape = dims.iter().fold(Message::default(), |s, &d| s.bytes(1, &Message::default().int(1, d).0));
    let tensor = Message::default().int(1, 1).bytes(2, &shape.0);
    Message::default().bytes(1, name.as_bytes()).bytes(2, &Message::default().bytes(1, &tensor.0).0)
}

fn file(nodes: &[Message], tensors: &[Message]) -> Vec<u8> {
    let graph = nodes.iter().fold(Message::default(), |graph, node| graph.bytes(1, &node.0));
    let graph = tensors.iter().fold(graph, |graph, tensor| graph.bytes(5, &tensor.0));
    let graph = graph.bytes(11, &value("x", &[1, 3, 8, 8]).0).bytes(12, &value("y", &[]).0);
    Message::default().int(1, 8).bytes(7, &graph.0).bytes(8, &Message::default().int(2, 13).0).0
}

/// A small network with a shuffle, a focus, folded shapes and a joined output.
fn small() -> Vec<u8> {
    let nodes = [
        node("Slice", &["x", "zero", "end", "rows", "two"], "top", &[]),
        node("Slice", &["x", "one", "end", "rows", "two"], "low", &[]),
        node("Slice", &["top", "zero", "end", "columns", "two"], "a", &[]),
        node("Slice", &["low", "zero", "end", "columns", "two"], "b", &[]),
        node("Concat", &["a", "b"], "focus", &[("axis", &[1])]),
        node("Conv", &["focus", "w", "bias"], "c", &[("pads", &[1, 1, 1, 1])]),
        node("Sigmoid", &["c"], "s", &[]),
        node("Mul", &["c", "s"], "silu", &[]),
        node("Reshape", &["silu", "groups"], "r", &[]),
        node("Transpose", &["r"], "t", &[("perm", &[0, 2, 1, 3, 4])]),
        node("Reshape", &["t", "whole"], "shuffled", &[]),
        node("MaxPool", &["shuffled"], "p", &[("kernel_shape", &[2, 2]), ("strides", &[2, 2])]),
        node("Shape", &["shuffled"], "shape", &[]),
        node("Slice", &["shape", "zero", "two", "zero"], "front", &[]),
        node("Concat", &["front", "rest"], "flat", &[("axis", &[0])]),
        node("Reshape", &["shuffled", "flat"], "f0", &[]),
        node("Reshape", &["p", "flat"], "f1", &[]),
        node("Concat", &["f0", "f1"], "joined", &[("axis", &[2])]),
        node("Transpose", &["joined"], "y", &[("perm", &[0, 2, 1])]),
    ];
    let tensors = [
        floats_tensor("w", &[4, 6, 3, 3]),
        floats_tensor("bias", &[4]),
        ints_tensor("zero", &[0]),
        ints_tensor("one", &[1]),
        ints_tensor("two", &[2]),
        ints_tensor("rows", &[2]),
        ints_tensor("columns", &[3]),
        ints_tensor("end", &[i64::MAX]),
        ints_tensor("groups", &[1, 2, 2, 4, 4]),
        ints_tensor("whole", &[0, 4, 4, 4]),
        ints_tensor("rest", &[-1]),
    ];
    file(&nodes, &tensors)
}

#[test]
fn small_network_is_three_nodes_and_an_output() {
    let model = import(&small(), &ImportOptions::default()).unwrap();
    let graph = &model.info().graph;
    let channels = graph.nodes.iter().filter(|n| matches!(n.op, Op::Channels { .. })).count();
    assert_eq!((graph.nodes.len(), channels), (4, 2), "{graph:?}");
    assert_eq!(graph.outputs[0].shape, [1, 20, 4]);
    let input: Vec<f32> = (0u8..192).map(|i| f32::from(i) / 192.0).collect();
    let maps = network::run(&model, &input).unwrap();
    let found = network::output(&model, &maps, &graph.outputs[0]).unwrap();
    // Channel 1 of the shuffled map is channel 2 before it.
    let Op::Channels { map, .. } = &graph.nodes[2].op else { panic!("{graph:?}") };
    assert_eq!(map, &[[0, 0, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0], [0, 3, 0, 0]]);
    assert_eq!(found[1].to_bits(), maps[&graph.nodes[1].name][32].to_bits());
}

#[test]
fn damaged_files_are_errors() {
    let bytes = small();
    for len in 0..bytes.len() {
        assert!(import(&bytes[..len], &ImportOptions::default()).is_err(), "{len}");
    }
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut damaged = bytes.clone();
        for _ in 0..=random(3) {
            let place = random(damaged.len());
            damaged[place] = u8::try_from(random(256)).unwrap();
        }
        refused += u32::from(import(&damaged, &ImportOptions::default()).is_err());
    }
    println!("{refused} of 20000 damaged files refused");
    assert!(refused > 1000);
}

#[test]
fn wrong_graphs_are_named() {
    let relu = |input: &str, output: &str| node("Relu", &[input], output, &[]);
    let conv = |dims: &[i64]| file(&[node("Conv", &["x", "w"], "y", &[])], &[floats_tensor("w", dims)]);
    let external = floats_tensor("w", &[1, 3, 1, 1]).bytes(13, &[]).int(14, 1);
    let cases: [(Vec<u8>, &str); 9] = [
        (file(&[relu("b", "a"), relu("a", "b"), relu("a", "y")], &[]), "the graph has a cycle through \""),
        (file(&[relu("nothing", "y")], &[]), "value \"nothing\" is used, but no node makes it"),
        (file(&[relu("x", "y"), relu("x", "y")], &[]), "value \"y\" is made twice"),
        (conv(&[4, 3, 3]), "weight of shape [4, 3, 3]: only 2-D convolution is"),
        (
            conv(&[4, 5, 3, 3]),
            "node \"y\": weight \"w\" [4, 5, 3, 3] with 1 groups does not fit 3 input channels",
        ),
        (conv(&[4, 3, 9, 9]), "the Conv that makes \"y\": a window of 9 does not fit a side of 8"),
        (
            file(&[node("Conv", &["x", "w"], "y", &[])], &[external]),
            "tensor \"w\": its data is in another file",
        ),
        (file(&[node("Det", &["x"], "y", &[])], &[]), "the Det that makes \"y\": operator Det is not known"),
        (
            file(&[node("MaxPool", &["x"], "y", &[("kernel_shape", &[2, 2]), ("dilations", &[2, 2])])], &[]),
            "the MaxPool that makes \"y\": attribute dilations = [2, 2]",
        ),
    ];
    for (bytes, expected) in cases {
        let text = refusal(&bytes);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn dead_unknown_nodes_do_not_matter_and_order_is_made() {
    let relu = |input: &str, output: &str| node("Relu", &[input], output, &[]);
    let nodes = [node("Det", &["a"], "dead", &[]), relu("a", "y"), relu("x", "a")];
    let model = import(&file(&nodes, &[]), &ImportOptions::default()).unwrap();
    let names: Vec<_> = model.info().graph.nodes.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["a", "y"]);
}

#[test]
fn graphs_that_double_are_refused() {
    let mut nodes = Vec::new();
    let mut last = "x".to_owned();
    for step in 0..40 {
        let next = if step == 39 { "y".to_owned() } else { format!("v{step}") };
        nodes.push(node("Concat", &[&last, &last], &next, &[("axis", &[1])]));
        last = next;
    }
    assert!(import(&file(&nodes, &[]), &ImportOptions::default()).is_err());
    nodes[0] = node("Concat", &["w", "w"], "v0", &[("axis", &[1])]);
    assert!(import(&file(&nodes, &[floats_tensor("w", &[1, 64])]), &ImportOptions::default()).is_err());
}
