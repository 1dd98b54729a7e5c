//! `inspect`: what a model is and what it costs.

use crate::args::InspectArgs;
use crate::failure::{Failure, Outcome, print_line};
use crate::{describe, engine, table};
use serde::Serialize;
use tilehawk::geom::Shape;
use tilehawk::heads::Head;
use tilehawk::model::{Cost, FocusMap, Fusion, InputSpec, Model, Node, NodeCost, Recommended};

/// All of it, in the order of docs/FORMATS.md.
#[derive(Debug, Serialize)]
struct Document<'a> {
    name: &'a str,
    licence: &'a str,
    source: &'a str,
    input: &'a InputSpec,
    head: Option<&'a Head>,
    classes: &'a [String],
    recommended: Option<&'a Recommended>,
    focus: Option<&'a FocusMap>,
    fusion: &'a [Fusion],
    outputs: Vec<OutputEntry<'a>>,
    parameters: usize,
    flop: u64,
    weight_bytes: Bytes,
    activation_bytes: Bytes,
    map_bytes: Bytes,
    map_bytes_fused: Bytes,
    ops: Vec<OpEntry>,
    layers: Vec<Layer<'a>>,
}

/// A size in both precisions.
#[derive(Debug, Serialize)]
struct Bytes {
    f32: u64,
    f16: u64,
}

impl Bytes {
    fn of(elements: u64) -> Self {
        Self { f32: elements * 4, f16: elements * 2 }
    }

    fn text(&self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        format!("{:.1} MiB in f32, {:.1} MiB in f16", mib(self.f32), mib(self.f16))
    }
}

#[derive(Debug, Serialize)]
struct OutputEntry<'a> {
    name: &'a str,
    shape: &'a [usize],
}

#[derive(Debug, Serialize)]
struct OpEntry {
    op: &'static str,
    count: usize,
}

/// A node; shapes are channels, height, width.
#[derive(Debug, Serialize)]
struct Layer<'a> {
    name: &'a str,
    op: &'static str,
    inputs: Vec<[u32; 3]>,
    output: [u32; 3],
    parameters: u64,
    flop: u64,
    runs: bool,
    spared: bool,
}

impl<'a> Layer<'a> {
    fn new(model: &Model, node: &'a Node, cost: NodeCost) -> tilehawk::Result<Self> {
        let sides =
            |name: &str| model.shapes().get(name).map(|shape| [shape.channels, shape.height, shape.width]);
        Ok(Self {
            name: &node.name,
            op: node.op.name(),
            inputs: node.inputs.iter().map(|name| sides(name)).collect::<tilehawk::Result<_>>()?,
            output: sides(&node.name)?,
            parameters: cost.parameters,
            flop: cost.flop,
            runs: cost.runs,
            spared: cost.spared,
        })
    }

    fn cells(&self) -> Vec<String> {
        let sides = |[c, h, w]: [u32; 3]| describe::sides(&Shape::new(c, h, w));
        let inputs: Vec<String> = self.inputs.iter().map(|&shape| sides(shape)).collect();
        vec![
            self.name.to_owned(),
            self.op.to_owned(),
            format!("{} -> {}", inputs.join(" "), sides(self.output)).trim_start().to_owned(),
            match (self.runs, self.spared) {
                (true, _) => "",
                (false, true) => "spared",
                (false, false) => "not run",
            }
            .to_owned(),
            self.parameters.to_string(),
            format!("{:.2}", self.flop as f64 / 1e6),
        ]
    }
}

/// Runs the command.
pub(crate) fn run(args: &InspectArgs) -> Outcome<()> {
    let model = engine::load_model(&args.model, &args.onnx)?;
    let at = |e: tilehawk::Error| Failure::from(e.at(args.model.display()));
    let cost = model.cost().map_err(at)?;
    let fused = Bytes {
        f32: model.cost_fused(false).map_err(at)?.map_len() * 4,
        f16: model.cost_fused(true).map_err(at)?.map_len() * 2,
    };
    let document = document(&model, &cost, fused).map_err(at)?;
    if args.json {
        let text = serde_json::to_string(&document).map_err(|e| Failure::file(&args.model, e))?;
        return print_line(&text);
    }
    print_line(&format!("{}: \"{}\"", args.model.display(), document.name))?;
    print_line(&summary(&model, &document))?;
    if args.layers {
        let title =
            ["layer", "op", "inputs -> output", "", "parameters", "MFLOP"].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> =
            std::iter::once(title).chain(document.layers.iter().map(Layer::cells)).collect();
        print_line(&table::aligned(&rows, 4).join("\n"))?;
    }
    Ok(())
}

fn document<'a>(model: &'a Model, cost: &Cost, fused: Bytes) -> tilehawk::Result<Document<'a>> {
    let info = model.info();
    let nodes = info.graph.nodes.iter().zip(&cost.nodes);
    let layers =
        nodes.map(|(node, &cost)| Layer::new(model, node, cost)).collect::<tilehawk::Result<Vec<_>>>()?;
    let mut ops: Vec<OpEntry> = Vec::new();
    for layer in &layers {
        match ops.iter_mut().find(|entry| entry.op == layer.op) {
            Some(entry) => entry.count += 1,
            None => ops.push(OpEntry { op: layer.op, count: 1 }),
        }
    }
    ops.sort_by_key(|entry| (std::cmp::Reverse(entry.count), entry.op));
    let outputs = &info.graph.outputs;
    let parameters = model.weights().parameters();
    Ok(Document {
        name: &info.name,
        licence: &info.licence,
        source: &info.source,
        input: &info.input,
        head: info.head.as_ref(),
        classes: &info.classes,
        recommended: info.recommended.as_ref(),
        focus: info.focus.as_ref(),
        fusion: &info.fusion,
        outputs: outputs.iter().map(|o| OutputEntry { name: &o.name, shape: &o.shape }).collect(),
        parameters,
        flop: cost.flop,
        weight_bytes: Bytes::of(parameters as u64),
        activation_bytes: Bytes::of(cost.activation_len),
        map_bytes: Bytes::of(cost.map_len()),
        map_bytes_fused: fused,
        ops,
        layers,
    })
}

fn summary(model: &Model, document: &Document<'_>) -> String {
    let mut entries: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, text) in [("licence", document.licence), ("source", document.source)] {
        if !text.is_empty() {
            entries.push((name, vec![text.to_owned()]));
        }
    }
    entries.push(("input", vec![describe::input(document.input)]));
    let none = || vec!["none".to_owned()];
    entries.push(("head", document.head.map_or_else(none, |head| describe::head(model, head))));
    let classes = match document.classes {
        [] => "none".to_owned(),
        classes if describe::has_names(classes) => describe::classes(classes),
        classes => format!("{} without names", classes.len()),
    };
    entries.push(("classes", vec![classes]));
    if let Some(recommended) = document.recommended {
        entries.push(("recommended", vec![describe::recommended(recommended)]));
    }
    if let Some(focus) = document.focus {
        entries.push(("focus", vec![describe::focus(focus)]));
    }
    if !document.fusion.is_empty() {
        let edges = document.fusion.iter().map(|fusion| format!("{} {:.3}", fusion.edge, fusion.alpha));
        entries.push(("fusion", vec![edges.collect::<Vec<_>>().join(", ")]));
    }
    if !document.outputs.is_empty() {
        entries.push(("outputs", describe::outputs(model)));
    }
    let ops: Vec<String> = document.ops.iter().map(|entry| format!("{} {}", entry.count, entry.op)).collect();
    entries.push(("layers", vec![format!("{}: {}", document.layers.len(), ops.join(", "))]));
    entries.push(("parameters", vec![document.parameters.to_string()]));
    entries.push(("weights", vec![document.weight_bytes.text()]));
    entries.push(("operations", vec![format!("{:.3} GFLOP a tile", document.flop as f64 / 1e9)]));
    entries.push(("activations", vec![format!("{} a tile", document.activation_bytes.text())]));
    let mut traffic = vec![format!("{} read and written a tile", document.map_bytes.text())];
    if document.map_bytes_fused.f16 < document.map_bytes.f16 {
        let text = document.map_bytes_fused.text();
        traffic.push(format!("{text} with depthwise and 1x1 convolutions in one dispatch"));
    }
    entries.push(("maps", traffic));
    let lines: Vec<String> = entries.iter().map(|(name, lines)| describe::entry(name, lines)).collect();
    lines.join("\n")
}
