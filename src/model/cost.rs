//! What a network costs: arithmetic, parameters, memory.

use super::{ArenaPlan, Graph, Model, Node, Op, SeparablePairs};
use crate::error::Result;
use std::collections::HashSet;

/// What one tile costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// By node of the graph.
    pub nodes: Vec<NodeCost>,
    /// Floating-point operations of the nodes that run.
    pub flop: u64,
    /// Elements of all feature maps that are held at once, padding channels included.
    pub activation_len: u64,
    /// Nodes that share a dispatch: the second of a pair counts for both, and the first does not run.
    pub pairs: SeparablePairs,
}

impl Cost {
    /// Elements of the maps that one tile reads and writes: the sum over the nodes that run.
    #[must_use]
    pub fn map_len(&self) -> u64 {
        self.nodes.iter().filter(|node| node.runs).map(|node| node.map_len).sum()
    }

    /// What the layer of a node is counted as, such as `conv 3x3`, `depthwise 5x5 + conv 1x1` or `channels`: its op with its window,
    /// after that of a node in the same dispatch. `None` if the model has no such node.
    #[must_use]
    pub fn kind(&self, model: &Model, node: usize) -> Option<String> {
        let kind = |index: usize| model.info().graph.nodes.get(index).map(|node| model.kind(node));
        let own = kind(node)?;
        Some(match self.pairs.get(&node).and_then(|&first| kind(first)) {
            Some(first) => format!("{first} + {own}"),
            None => own,
        })
    }
}

/// What one node costs for one tile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCost {
    /// Elements of its weight tensors.
    pub parameters: u64,
    /// Two for each multiply-add of a convolution, transposed convolution or matrix product, but those with channels that only
    /// come along where it gathers; 0 for all else.
    pub flop: u64,
    /// Elements of the maps that it reads and of the one that it writes, padding channels included. An op that only moves
    /// elements reads as many as it writes at most.
    pub map_len: u64,
    /// Whether detection runs it: it is needed for a map that the head reads, or, without a head, for an output, and no other
    /// node does its work.
    pub runs: bool,
    /// Whether it is needed and nothing is left to do: its map lies in another, another node's dispatch computes it, or the only
    /// node that reads its channels reads them where they come from.
    pub spared: bool,
}

impl Op {
    /// Its name in the file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv { .. } => "conv",
            Self::Pool { .. } => "pool",
            Self::Resize { .. } => "resize",
            Self::Add { .. } => "add",
            Self::Binary { .. } => "binary",
            Self::Softmax { .. } => "softmax",
            Self::Reduce { .. } => "reduce",
            Self::Matmul => "matmul",
            Self::Rearrange { .. } => "rearrange",
            Self::Join => "join",
            Self::Sample { .. } => "sample",
            Self::Constant { .. } => "constant",
            Self::ConvTranspose { .. } => "conv_transpose",
            Self::Activate { .. } => "activate",
            Self::Channels { .. } => "channels",
        }
    }

    /// The weight tensors it reads.
    fn tensors(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Conv { weight, bias, .. } | Self::ConvTranspose { weight, bias, .. } => {
                (Some(weight), bias.as_ref())
            }
            Self::Constant { tensor } => (Some(tensor), None),
            _ => (None, None),
        };
        [first, second].into_iter().flatten().map(String::as_str)
    }
}

impl Model {
    /// Columns and rows of the window of a node; `None` if it has none.
    #[must_use]
    pub fn window(&self, node: &Node) -> Option<[u32; 2]> {
        match &node.op {
            Op::Conv { weight, .. } | Op::ConvTranspose { weight, .. } => {
                let shape = &self.weights().get(weight).ok()?.shape;
                let side = |axis: usize| u32::try_from(*shape.get(axis)?).ok();
                Some([side(3)?, side(2)?])
            }
            Op::Pool { kernel: [height, width], .. } => Some([*width, *height]),
            _ => None,
        }
    }

    fn kind(&self, node: &Node) -> String {
        let name = match &node.op {
            Op::Conv { weight, groups, .. } if *groups > 1 => {
                let single = self.weights().get(weight).is_ok_and(|weight| weight.shape.get(1) == Some(&1));
                if single { "depthwise" } else { "grouped conv" }
            }
            op => op.name(),
        };
        self.window(node)
            .map_or_else(|| name.to_owned(), |[width, height]| format!("{name} {width}x{height}"))
    }

    /// What one tile costs where pairs of convolutions are two dispatches, as on software adapters.
    ///
    /// # Errors
    /// `Unsupported` if a node reads more maps than a device binds at once.
    pub fn cost(&self) -> Result<Cost> {
        let (graph, wanted) = (&self.info().graph, self.detection_maps());
        let plan = ArenaPlan::sharing(graph, self.shapes(), &wanted, self.sharing(&wanted, None)?)?;
        self.cost_of(&plan, SeparablePairs::new())
    }

    /// What one tile costs where all of [`Model::separable_pairs`] share a dispatch, unless that would leave too little memory for
    /// what convolutions gather: the operations of [`Model::cost`], and less memory moved.
    ///
    /// # Errors
    /// As [`Model::cost`].
    pub fn cost_fused(&self, f16: bool) -> Result<Cost> {
        let (graph, wanted) = (&self.info().graph, self.detection_maps());
        let plan = ArenaPlan::sharing(graph, self.shapes(), &wanted, self.sharing(&wanted, Some(f16))?)?;
        self.cost_of(&plan, plan.pairs.clone())
    }

    /// The maps that the head reads, or, without a head, those of the outputs.
    fn detection_maps(&self) -> Vec<&str> {
        let info = self.info();
        info.head.as_ref().map_or_else(|| output_maps(&info.graph), |head| head.maps())
    }

    /// What one tile costs with a plan of this model, with some of its pairs in one dispatch.
    pub(crate) fn cost_of(&self, plan: &ArenaPlan, pairs: SeparablePairs) -> Result<Cost> {
        let graph = &self.info().graph;
        let mut nodes = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            let mut parameters = 0;
            for name in node.op.tensors() {
                parameters += self.weights().get(name)?.data.len() as u64;
            }
            let map_len = self.map_len(node)?;
            let flop = 2 * self.multiply_adds(node)?;
            nodes.push(NodeCost { parameters, flop, map_len, runs: false, spared: false });
        }
        for (&second, &first) in &pairs {
            let NodeCost { parameters, flop, map_len, .. } = nodes[first];
            // The map between them is neither written nor read.
            let between = 2 * self.shapes().get(&graph.nodes[first].name)?.padded_len();
            let both = &mut nodes[second];
            both.parameters += parameters;
            both.flop += flop;
            both.map_len = (both.map_len + map_len).saturating_sub(between);
        }
        for (&index, copies) in &plan.copies {
            // A channel read for each one written; the last vec4 may hold fewer than four.
            let groups: u64 =
                copies.iter().map(|range| u64::from(range.end.div_ceil(4) - range.start / 4)).sum();
            let shape = self.shapes().get(&graph.nodes[index].name)?;
            nodes[index].map_len = 2 * groups * 4 * u64::from(shape.pixels());
        }
        let mut flop = 0;
        for &index in &plan.nodes {
            if pairs.values().any(|&first| first == index) {
                continue;
            }
            nodes[index].runs = true;
            for (large, small) in
                graph.nodes[index].inputs.iter().filter_map(|name| plan.nearest.get_key_value(name))
            {
                let (large, small) = (self.shapes().get(large)?, self.shapes().get(small)?);
                let spared = large.padded_len().saturating_sub(small.padded_len());
                nodes[index].map_len = nodes[index].map_len.saturating_sub(spared);
            }
            flop += nodes[index].flop;
        }
        for (&index, gather) in &plan.gathers {
            let replaced = self.shapes().get(&gather.replaces)?;
            let read = u64::from(gather.len()) * u64::from(replaced.pixels());
            nodes[index].map_len = (nodes[index].map_len + read).saturating_sub(replaced.padded_len());
        }
        let gathered: HashSet<&str> = plan.gathers.values().map(|gather| gather.replaces.as_str()).collect();
        for (cost, node) in nodes.iter_mut().zip(&graph.nodes) {
            let is_gathered = gathered.contains(node.name.as_str());
            let is_needed =
                plan.places.contains_key(&node.name) || plan.nearest.contains_key(&node.name) || is_gathered;
            cost.spared = is_needed && !cost.runs;
        }
        Ok(Cost { nodes, flop, activation_len: plan.total_len() * 4, pairs })
    }

    fn map_len(&self, node: &Node) -> Result<u64> {
        let written = self.shapes().get(&node.name)?.padded_len();
        let mut read = 0;
        for input in &node.inputs {
            read += self.shapes().get(input)?.padded_len();
        }
        Ok(written
            + match &node.op {
                Op::Channels { .. } | Op::Sample { .. } | Op::Rearrange { .. } | Op::Join => {
                    read.min(written)
                }
                _ => read,
            })
    }

    fn multiply_adds(&self, node: &Node) -> Result<u64> {
        let shape = |index: usize| self.shapes().get(node.inputs.get(index).map_or("", String::as_str));
        let out = self.shapes().get(&node.name)?;
        Ok(match &node.op {
            // Each output pixel takes every weight once; of a transposed one, each input pixel.
            Op::Conv { weight, .. } => {
                self.weights().get(weight)?.data.len() as u64 * u64::from(out.pixels())
            }
            Op::ConvTranspose { weight, .. } => {
                self.weights().get(weight)?.data.len() as u64 * u64::from(shape(0)?.pixels())
            }
            Op::Matmul => u64::from(out.channels) * u64::from(out.pixels()) * u64::from(shape(0)?.width),
            _ => 0,
        })
    }
}

fn output_maps(graph: &Graph) -> Vec<&str> {
    graph.outputs.iter().flat_map(|output| &output.maps).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Activation, InputSpec, ModelInfo, Output, OutputOrder, PoolKind, Residual, ResizeKind, Tensor,
        Weights,
    };

    fn node(name: &str, inputs: &[&str], op: Op) -> Node {
        Node { name: name.to_owned(), inputs: inputs.iter().map(|&input| input.to_owned()).collect(), op }
    }

    fn model(nodes: Vec<Node>, tensors: &[(&str, &[usize])], output: &str, shape: &[usize]) -> Model {
        let mut weights = Weights::default();
        for (name, shape) in tensors {
            let data = vec![0.5; shape.iter().product()];
            weights.insert(*name, Tensor { shape: shape.to_vec(), data }).unwrap();
        }
        let input = InputSpec::plain(8, 6);
        let graph = Graph {
            input: "x".to_owned(),
            nodes,
            outputs: vec![Output {
                name: "y".to_owned(),
                shape: shape.to_vec(),
                order: OutputOrder::ChannelsFirst,
                maps: vec![output.to_owned()],
            }],
        };
        let info = ModelInfo::new("test", input, graph);
        Model::new(info, weights).unwrap()
    }

    #[test]
    fn convolutions_by_hand() {
        let nodes = vec![
            node(
                "a",
                &["x"],
                Op::Conv {
                    weight: "w".to_owned(),
                    bias: Some("b".to_owned()),
                    stride: [2, 2],
                    padding: [1; 4],
                    dilation: [1, 1],
                    groups: 1,
                    activation: Activation::Relu,
                    residual: Residual::None,
                },
            ),
            node(
                "up",
                &["a"],
                Op::ConvTranspose {
                    weight: "t".to_owned(),
                    bias: None,
                    stride: [2, 2],
                    padding: [0, 0],
                    dilation: [1, 1],
                    groups: 1,
                    size: [6, 8],
                    activation: Activation::None,
                },
            ),
            node("unused", &["a"], Op::Activate { activation: Activation::Relu }),
            node("part", &["a"], Op::Channels { step: 1, map: vec![[0, 4, 0, 0]] }),
        ];
        let tensors: [(&str, &[usize]); 3] = [("w", &[5, 3, 3, 3]), ("b", &[5]), ("t", &[5, 2, 2, 2])];
        let cost = model(nodes, &tensors, "up", &[1, 2, 6, 8]).cost().unwrap();
        // 5 x 3 x 3 x 3 weights at 3 x 4 outputs; 5 x 2 x 2 x 2 at 3 x 4 inputs.
        let expected = [(140, 2 * 135 * 12, true), (40, 2 * 40 * 12, true), (0, 0, false), (0, 0, false)];
        let found: Vec<_> = cost.nodes.iter().map(|node| (node.parameters, node.flop, node.runs)).collect();
        assert_eq!(found, expected);
        assert_eq!(cost.flop, 2 * (135 + 40) * 12);
        // Maps of 3, 5, 2 and 1 channels hold 4, 8, 4 and 4.
        let maps: Vec<u64> = cost.nodes.iter().map(|node| node.map_len).collect();
        assert_eq!(maps, [4 * 48 + 8 * 12, 8 * 12 + 4 * 48, 2 * 8 * 12, 2 * 4 * 12]);
        // The map "a" of 8 padded channels in one arena, input and result of 4 share others or are reused.
        assert!(cost.activation_len >= 8 * 12 + 4 * 48, "{}", cost.activation_len);
    }

    #[test]
    fn a_shared_dispatch_moves_less() {
        let conv = |weight: &str, groups, padding| Op::Conv {
            weight: weight.to_owned(),
            bias: None,
            stride: [1, 1],
            padding: [padding; 4],
            dilation: [1, 1],
            groups,
            activation: Activation::None,
            residual: Residual::None,
        };
        let nodes = vec![node("d", &["x"], conv("d", 3, 1)), node("p", &["d"], conv("p", 1, 0))];
        let tensors: [(&str, &[usize]); 2] = [("d", &[3, 1, 3, 3]), ("p", &[5, 3, 1, 1])];
        let model = model(nodes, &tensors, "p", &[1, 5, 6, 8]);
        let (apart, fused) = (model.cost().unwrap(), model.cost_fused(false).unwrap());
        // Maps of 4, 4 and 8 padded channels; the second of them is neither written nor read.
        assert_eq!((apart.map_len(), fused.map_len()), (20 * 48, 12 * 48));
        assert_eq!((fused.flop, apart.flop), (apart.flop, 2 * (27 + 15) * 48));
        assert_eq!(fused.pairs.into_iter().collect::<Vec<_>>(), [(1, 0)]);
        let second =
            NodeCost { parameters: 42, flop: apart.flop, map_len: 12 * 48, runs: true, spared: false };
        assert_eq!((fused.nodes[0].runs, fused.nodes[0].spared, fused.nodes[1]), (false, true, second));
    }

    #[test]
    fn what_lies_in_place_moves_nothing() {
        let conv = |weight: &str, side: u32, stride, residual| Op::Conv {
            weight: weight.to_owned(),
            bias: None,
            stride: [stride; 2],
            padding: [side / 2; 4],
            dilation: [1, 1],
            groups: 1,
            activation: Activation::None,
            residual,
        };
        let pool = Op::Pool {
            kind: PoolKind::Max,
            kernel: [3; 2],
            stride: [1; 2],
            padding: [1; 4],
            count_padding: false,
        };
        let nearest = ResizeKind::NearestAsymmetricFloor;
        let both = (0..2).flat_map(|input| (0..8).map(move |channel| [input, channel, 0, 0])).collect();
        let turns = (2..8).flat_map(|channel| [[0, channel, 0, 0], [1, channel, 0, 0]]).collect();
        let nodes = vec![
            node("wide", &["x"], conv("wide", 1, 1, Residual::None)),
            node("a", &["wide"], conv("a", 1, 1, Residual::None)),
            node("p", &["a"], pool),
            // "a" is in place, "p", which is made from it, is copied.
            node("both", &["a", "p"], Op::Channels { step: 1, map: both }),
            node("half", &["both"], conv("half", 3, 2, Residual::None)),
            node("up", &["half"], Op::Resize { kind: nearest, size: [6, 8] }),
            node("y", &["both", "up"], conv("y", 1, 1, Residual::BeforeActivation)),
            // Read where they lie: channels 2..8 of each, in two vec4s.
            node("turns", &["p", "y"], Op::Channels { step: 1, map: turns }),
            node("z", &["turns"], conv("z", 1, 1, Residual::None)),
        ];
        let tensors: [(&str, &[usize]); 5] = [
            ("z", &[4, 12, 1, 1]),
            ("wide", &[64, 3, 1, 1]),
            ("a", &[8, 64, 1, 1]),
            ("half", &[8, 16, 3, 3]),
            ("y", &[8, 16, 1, 1]),
        ];
        let cost = model(nodes, &tensors, "z", &[1, 4, 6, 8]).cost().unwrap();
        let maps: Vec<u64> = cost.nodes.iter().map(|node| node.map_len).collect();
        let (full, half) = (48, 12);
        let expected = [68 * full, 72 * full, 16 * full, 16 * full, 16 * full + 8 * half];
        assert_eq!(maps[..5], expected);
        assert_eq!(maps[6], (16 + 8) * full + 8 * half);
        let state = |index: usize| (cost.nodes[index].runs, cost.nodes[index].spared);
        assert_eq!([3, 5, 6].map(state), [(true, false), (false, true), (true, false)]);
        assert_eq!((maps[8], [7, 8].map(state)), ((16 + 4) * full, [(false, true), (true, false)]));
    }

    #[test]
    fn a_matrix_product_by_hand() {
        let constant = |tensor: &str| Op::Constant { tensor: tensor.to_owned() };
        let nodes = vec![node("m", &[], constant("m")), node("y", &["x", "m"], Op::Matmul)];
        let cost = model(nodes, &[("m", &[1, 8, 10])], "y", &[1, 3, 6, 10]).cost().unwrap();
        assert_eq!(cost.nodes[0].parameters, 80);
        assert_eq!(cost.flop, 2 * 3 * 6 * 10 * 8);
    }
}
