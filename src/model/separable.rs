//! Depthwise separable convolutions: which pairs of a depthwise and a 1x1 convolution one dispatch computes, so that the map
//! between them is never stored.

use super::{Model, Node, Op, Residual, Sharing, nearest};
use crate::error::Result;
use std::collections::{BTreeMap, HashSet};

/// By the index of a 1x1 convolution, the index of the depthwise convolution that it alone reads.
pub type SeparablePairs = BTreeMap<usize, usize>;

/// Bytes of workgroup memory that a patch of the map between the two may take: what every WebGPU device has.
pub(crate) const PATCH_BYTES: u32 = 16_384;
/// Pixels of a patch, the most first. Fewer would load the weights too often.
const PATCH_PIXELS: [u32; 3] = [64, 32, 16];
/// Vec4s of outputs at most: software drivers end a loop after 65,535 iterations.
const MOST_OUTPUTS: u32 = 4096;
const KERNELS: [usize; 2] = [3, 5];

/// Pixels of a patch of `groups` vec4s of channels; `None` if there are too many channels.
pub(crate) fn patch_pixels(groups: u32, f16: bool) -> Option<u32> {
    let unit = if f16 { 8 } else { 16 };
    PATCH_PIXELS
        .into_iter()
        .find(|&pixels| u64::from(pixels * unit) * u64::from(groups) <= PATCH_BYTES.into())
}

impl Model {
    /// All that may be computed without a dispatch of its own; pairs only for maps in f16 or f32 as told.
    pub(crate) fn sharing(&self, wanted: &[&str], pairs_in: Option<bool>) -> Result<Sharing> {
        let pairs = pairs_in.map(|f16| self.separable_pairs(wanted, f16)).transpose()?;
        let nearest = nearest::nearest_sums(&self.info().graph, self.shapes(), wanted)?;
        let gathers = self.gathers(wanted)?;
        Ok(Sharing { pairs: pairs.unwrap_or_default(), nearest, gathers, gathers_all: false, in_place: true })
    }

    /// The pairs among the nodes that `wanted` needs, with maps of 16 or 32 bits.
    ///
    /// A pair is a depthwise convolution (3x3 or 5x5, stride 1 or 2, no dilation, no residual, and few enough channels for 16
    /// KiB of workgroup memory to hold those of 16 pixels) and a 1x1 convolution, the only node that reads it.
    ///
    /// # Errors
    /// `Model` if a map or a weight does not exist.
    pub fn separable_pairs(&self, wanted: &[&str], f16: bool) -> Result<SeparablePairs> {
        let graph = &self.info().graph;
        let needed = super::arena::needed_nodes(graph, wanted)?;
        // By map: the node that makes it, and how many read it.
        let mut made: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for &index in &needed {
            made.insert(&graph.nodes[index].name, (index, 0));
            for input in &graph.nodes[index].inputs {
                if let Some((_, readers)) = made.get_mut(input.as_str()) {
                    *readers += 1;
                }
            }
        }
        let wanted: HashSet<&str> = wanted.iter().copied().collect();
        let mut pairs = SeparablePairs::new();
        for &index in &needed {
            let node = &graph.nodes[index];
            let Some(input) = node.inputs.first().map(String::as_str) else { continue };
            let Some(&(before, 1)) = made.get(input) else { continue };
            if !wanted.contains(input)
                && self.is_pointwise(node)?
                && self.is_depthwise(&graph.nodes[before])?
                && patch_pixels(self.shapes().get(input)?.groups_of_4(), f16).is_some()
                && self.shapes().get(&node.name)?.groups_of_4() <= MOST_OUTPUTS
            {
                pairs.insert(index, before);
            }
        }
        Ok(pairs)
    }

    pub(super) fn is_pointwise(&self, node: &Node) -> Result<bool> {
        let Op::Conv { weight, stride: [1, 1], padding: [0, 0, 0, 0], groups: 1, .. } = &node.op else {
            return Ok(false);
        };
        Ok(self.weights().get(weight)?.shape[2..] == [1, 1])
    }

    fn is_depthwise(&self, node: &Node) -> Result<bool> {
        let Op::Conv {
            weight,
            stride: [1, 1] | [2, 2],
            dilation: [1, 1],
            groups,
            residual: Residual::None,
            ..
        } = &node.op
        else {
            return Ok(false);
        };
        let shape = &self.weights().get(weight)?.shape;
        // With one group it is a dense convolution, whose weights are packed otherwise.
        Ok(*groups > 1 && KERNELS.iter().any(|&kernel| shape[..] == [*groups as usize, 1, kernel, kernel]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, Graph, InputSpec, ModelInfo, Tensor, Weights};
    use super::*;

    fn conv(name: &str, inputs: &[&str], weight: &str, stride: u32, groups: u32) -> Node {
        let padding = if groups == 1 { 0 } else { 1 };
        let op = Op::Conv {
            weight: weight.into(),
            bias: None,
            stride: [stride; 2],
            padding: [padding; 4],
            dilation: [1, 1],
            groups,
            activation: Activation::Relu,
            residual: if inputs.len() == 1 { Residual::None } else { Residual::AfterActivation },
        };
        Node { name: name.into(), inputs: inputs.iter().map(|&input| input.to_owned()).collect(), op }
    }

    fn pairs(nodes: Vec<Node>, wanted: &[&str]) -> Vec<(usize, usize)> {
        let mut weights = Weights::default();
        for (name, shape) in [("deep", [3, 1, 3, 3]), ("point", [3, 3, 1, 1])] {
            let data = vec![0.5; shape.iter().product()];
            weights.insert(name, Tensor { shape: shape.to_vec(), data }).unwrap();
        }
        let graph = Graph { input: "x".into(), nodes, outputs: Vec::new() };
        let model = Model::new(ModelInfo::new("test", InputSpec::plain(8, 6), graph), weights).unwrap();
        model.separable_pairs(wanted, false).unwrap().into_iter().collect()
    }

    #[test]
    fn a_pair_is_read_by_its_second_node_alone() {
        let deep = |stride| conv("d", &["x"], "deep", stride, 3);
        let point = |inputs: &[&str]| conv("p", inputs, "point", 1, 1);
        assert_eq!(pairs(vec![deep(1), point(&["d"])], &["p"]), [(1, 0)]);
        assert_eq!(pairs(vec![deep(2), point(&["d"])], &["p"]), [(1, 0)]);
        assert_eq!(pairs(vec![deep(1), point(&["d", "x"])], &["p"]), [(1, 0)]);
        // Read by the residual as well, wanted itself, read by another node.
        assert_eq!(pairs(vec![deep(1), point(&["d", "d"])], &["p"]), []);
        assert_eq!(pairs(vec![deep(1), point(&["d"])], &["p", "d"]), []);
        let other = conv("o", &["d"], "point", 1, 1);
        assert_eq!(pairs(vec![deep(1), point(&["d"]), other.clone()], &["p", "o"]), []);
        // A reader that does not run is none.
        assert_eq!(pairs(vec![deep(1), other, point(&["d"])], &["p"]), [(2, 0)]);
        // A window with a residual, a 1x1 with a stride.
        assert_eq!(pairs(vec![conv("d", &["x", "x"], "deep", 1, 3), point(&["d"])], &["p"]), []);
        assert_eq!(pairs(vec![deep(1), conv("p", &["d"], "point", 2, 1)], &["p"]), []);
    }

    #[test]
    fn patches_fit_the_memory() {
        assert_eq!([1, 16, 17, 32, 64].map(|c4| patch_pixels(c4, false)), [64, 64, 32, 32, 16].map(Some));
        assert_eq!([32, 33, 128].map(|c4| patch_pixels(c4, true)), [64, 32, 16].map(Some));
        assert_eq!(
            [patch_pixels(65, false), patch_pixels(129, true), patch_pixels(u32::MAX, true)],
            [None; 3]
        );
    }
}
