//! Space-to-depth before a convolution becomes a larger kernel and stride.

use super::super::{Graph, Node, Op, Tensor, Weights};
use super::{add_tensor, uses};
use std::collections::{HashMap, HashSet};

/// More source channels than this stay as they are: the larger kernel only pays for pictures.
const MAX_CHANNELS: usize = 4;

/// Turns a space-to-depth node of step s and the dense stride-1 convolution that alone uses it into one
/// convolution of stride s whose kernel is s times as large.
pub(super) fn fuse_space_to_depth(graph: &mut Graph, weights: &mut Weights, keep: &[&str]) {
    let uses = uses(graph, keep);
    let mut splits: HashMap<String, Node> = HashMap::new();
    let mut replaced = HashSet::new();
    for node in &mut graph.nodes {
        let split = node.inputs.first().and_then(|input| splits.get(input));
        if let Some(split) = split
            && let Some(op) = larger(&node.op, split, &node.name, weights)
            && let (Some(input), Some(source)) = (node.inputs.first_mut(), split.inputs.first())
        {
            replaced.insert(split.name.clone());
            node.op = op;
            input.clone_from(source);
        } else if is_split(node) && uses.get(&node.name) == Some(&1) {
            splits.insert(node.name.clone(), node.clone());
        }
    }
    graph.nodes.retain(|node| !replaced.contains(&node.name));
}

/// Whether a node takes every pixel of every channel of one map exactly once. Its input has the channels that
/// its own table names.
fn is_split(node: &Node) -> bool {
    let Op::Channels { step, map } = &node.op else { return false };
    let distinct: HashSet<_> = map.iter().collect();
    let cells = (*step as usize).saturating_mul(*step as usize);
    *step > 1
        && node.inputs.len() == 1
        && distinct.len() == map.len()
        && map.len() == cells.saturating_mul(sources(map))
        && sources(map) <= MAX_CHANNELS
}

fn sources(map: &[[u32; 4]]) -> usize {
    map.iter().map(|entry| entry[1] as usize + 1).max().unwrap_or(0)
}

/// The convolution on the source of `split` that equals `op` on `split`.
fn larger(op: &Op, split: &Node, name: &str, weights: &mut Weights) -> Option<Op> {
    let mut op = op.clone();
    let Op::Channels { step, map } = &split.op else { return None };
    let Op::Conv { weight, stride, padding, dilation: [1, 1], groups: 1, .. } = &mut op else { return None };
    if *stride != [1, 1] {
        return None;
    }
    let old = weights.get(weight).ok()?;
    let &[out, inner, height, width] = old.shape.as_slice() else { return None };
    if inner != map.len() {
        return None;
    }
    let (s, channels) = (*step as usize, sources(map));
    let (tall, wide) = (height * s, width * s);
    let mut data = vec![0.0; out * channels * tall * wide];
    for (index, value) in old.data.iter().enumerate() {
        let (x, y) = (index % width, index / width % height);
        let (k, o) = (index / (width * height) % inner, index / (width * height * inner));
        let [_, channel, dy, dx] = map[k].map(|v| v as usize);
        data[((o * channels + channel) * tall + y * s + dy) * wide + x * s + dx] = *value;
    }
    let tensor = Tensor { shape: vec![out, channels, tall, wide], data };
    *weight = add_tensor(weights, &format!("{name}.weight"), tensor)?;
    *stride = [*step; 2];
    // The map's sides are multiples of s, so s times the padding gives the same output size.
    for pad in padding.iter_mut() {
        *pad = pad.checked_mul(*step)?;
    }
    Some(op)
}
