//! Upsampled maps that are only added, as in feature pyramids: the sum reads the smaller map and repeats its pixels.

use super::{Graph, Op, Residual, ResizeKind, Shapes};
use crate::error::Result;
use std::collections::{BTreeMap, HashMap, HashSet};

/// By the map of a nearest upsampling that is not computed, the map that its only reader reads instead.
pub(crate) type NearestSums = BTreeMap<String, String>;

/// The upsampled maps that `wanted` needs and that are read once, as a summand of a convolution or a sum.
pub(super) fn nearest_sums(graph: &Graph, shapes: &Shapes, wanted: &[&str]) -> Result<NearestSums> {
    let needed = super::arena::needed_nodes(graph, wanted)?;
    let mut readers: HashMap<&str, usize> = HashMap::new();
    for input in needed.iter().flat_map(|&index| &graph.nodes[index].inputs) {
        *readers.entry(input).or_insert(0) += 1;
    }
    let wanted: HashSet<&str> = wanted.iter().copied().collect();
    let mut resized: HashMap<&str, &str> = HashMap::new();
    let mut sums = NearestSums::new();
    for &index in &needed {
        let node = &graph.nodes[index];
        if let Op::Resize { kind: ResizeKind::NearestAsymmetricFloor, .. } = node.op
            && readers.get(node.name.as_str()) == Some(&1)
            && !wanted.contains(node.name.as_str())
            && let [source] = &node.inputs[..]
            && *source != graph.input
            && let (small, large) = (shapes.get(source)?, shapes.get(&node.name)?)
            && small.height <= large.height
            && small.width <= large.width
        {
            resized.insert(&node.name, source);
        }
        let summands = match (&node.op, &node.inputs[..]) {
            (
                Op::Conv { residual: Residual::BeforeActivation | Residual::AfterActivation, .. },
                [_, other],
            ) => [Some(other), None],
            (Op::Add { .. }, [one, other]) => [Some(other), Some(one)],
            _ => [None, None],
        };
        let small = summands.into_iter().flatten().find_map(|name| Some((name, resized.get(name.as_str())?)));
        if let Some((name, source)) = small {
            sums.insert(name.clone(), (*source).to_owned());
        }
    }
    Ok(sums)
}
