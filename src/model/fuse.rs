//! Graph rewrites that keep the function: fewer nodes, fewer bytes.
//!
//! A fused node takes the name of the last node it replaces, so outputs and heads need no renaming.

mod depth;
mod merge;
mod scale;
#[cfg(test)]
mod tests;

use super::{Activation, Axis, Graph, Op, Tensor, Weights};
use std::collections::{HashMap, HashSet};

/// Applies all rewrites to a graph and its weights. Maps of the graph's outputs and those named in `keep` (a
/// head's) stay under their names.
#[must_use]
pub fn fuse(mut graph: Graph, mut weights: Weights, keep: &[&str]) -> (Graph, Weights) {
    remove_dead(&mut graph, keep);
    remove_identities(&mut graph, &weights, keep);
    scale::fold_scales(&mut graph, &mut weights, keep);
    merge::fuse_activations(&mut graph, keep);
    merge::fuse_additions(&mut graph, keep);
    depth::fuse_space_to_depth(&mut graph, &mut weights, keep);
    remove_unused_weights(&graph, &mut weights);
    (graph, weights)
}

/// How often each map is used; outputs and `keep` count twice, so that they are never one node's alone.
fn uses(graph: &Graph, keep: &[&str]) -> HashMap<String, usize> {
    let mut uses = HashMap::new();
    for name in graph.nodes.iter().flat_map(|node| &node.inputs) {
        *uses.entry(name.clone()).or_insert(0) += 1;
    }
    let outputs = graph.outputs.iter().flat_map(|output| output.maps.iter().map(String::as_str));
    for name in outputs.chain(keep.iter().copied()) {
        *uses.entry(name.to_owned()).or_insert(0) += 2;
    }
    uses
}

/// Removes nodes that neither an output nor `keep` needs.
fn remove_dead(graph: &mut Graph, keep: &[&str]) {
    let outputs = graph.outputs.iter().flat_map(|output| output.maps.iter().cloned());
    let mut live: HashSet<String> = outputs.chain(keep.iter().map(|&name| name.to_owned())).collect();
    for node in graph.nodes.iter().rev() {
        if live.contains(&node.name) {
            live.extend(node.inputs.iter().cloned());
        }
    }
    graph.nodes.retain(|node| live.contains(&node.name));
}

/// Removes nodes that return their input, except those named in `keep`.
fn remove_identities(graph: &mut Graph, weights: &Weights, keep: &[&str]) {
    let mut channels: HashMap<String, usize> = HashMap::from([(graph.input.clone(), 3)]);
    let mut same: HashMap<String, String> = HashMap::new();
    graph.nodes.retain_mut(|node| {
        for input in &mut node.inputs {
            if let Some(original) = same.get(input) {
                input.clone_from(original);
            }
        }
        let source = node.inputs.first().and_then(|input| channels.get(input).copied());
        let largest = node.inputs.iter().filter_map(|input| channels.get(input).copied()).max();
        let (count, identity) = match &node.op {
            Op::Conv { weight, .. } => {
                (weights.get(weight).ok().and_then(|tensor| tensor.shape.first().copied()), false)
            }
            Op::Channels { step, map } => {
                let whole = map.iter().zip(0u32..).all(|(&entry, channel)| entry == [0, channel, 0, 0]);
                (Some(map.len()), *step == 1 && whole && source == Some(map.len()))
            }
            Op::Activate { activation: Activation::None } => (source, true),
            Op::ConvTranspose { weight, groups, .. } => {
                let part = weights.get(weight).ok().and_then(|tensor| tensor.shape.get(1).copied());
                (part.map(|part| part * *groups as usize), false)
            }
            Op::Constant { tensor } => {
                (weights.get(tensor).ok().and_then(|tensor| tensor.shape.first().copied()), false)
            }
            Op::Rearrange { shape, .. } => (Some(shape[0] as usize), false),
            Op::Reduce { axes, .. } if axes.contains(&Axis::Channel) => (Some(1), false),
            Op::Binary { .. } | Op::Matmul => (largest, false),
            _ => (source, false),
        };
        if let Some(input) = node.inputs.first()
            && identity
            && !keep.contains(&node.name.as_str())
        {
            same.insert(node.name.clone(), input.clone());
            return false;
        }
        if let Some(count) = count {
            channels.insert(node.name.clone(), count);
        }
        true
    });
    for name in graph.outputs.iter_mut().flat_map(|output| &mut output.maps) {
        if let Some(original) = same.get(name) {
            name.clone_from(original);
        }
    }
}

/// Removes tensors that no node names.
fn remove_unused_weights(graph: &Graph, weights: &mut Weights) {
    let mut used = HashSet::new();
    for node in &graph.nodes {
        match &node.op {
            Op::Conv { weight, bias, .. } | Op::ConvTranspose { weight, bias, .. } => {
                used.insert(weight.as_str());
                used.extend(bias.as_deref());
            }
            Op::Constant { tensor } => {
                used.insert(tensor.as_str());
            }
            _ => {}
        }
    }
    let unused: Vec<String> = weights
        .iter()
        .map(|(name, _)| name.to_owned())
        .filter(|name| !used.contains(name.as_str()))
        .collect();
    for name in unused {
        weights.remove(&name);
    }
}

/// Adds a tensor under `name`, or `name` and a number; none if a rewrite made a value that is not finite.
fn add_tensor(weights: &mut Weights, name: &str, tensor: Tensor) -> Option<String> {
    let mut unique = name.to_owned();
    let mut number = 1;
    while weights.get(&unique).is_ok() {
        unique = format!("{name}.{number}");
        number += 1;
    }
    weights.insert(unique.clone(), tensor).ok().map(|()| unique)
}
