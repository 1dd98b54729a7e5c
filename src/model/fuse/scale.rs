//! A factor and a summand per channel move into the weights of the convolution before them.

use super::super::{Activation, Graph, Node, Op, Residual, Tensor, Weights};
use super::{add_tensor, uses};
use std::collections::HashMap;

/// Folds depthwise 1x1 convolutions (batch normalisation among them) into the convolution that they alone use.
pub(super) fn fold_scales(graph: &mut Graph, weights: &mut Weights, keep: &[&str]) {
    let uses = uses(graph, keep);
    let mut made: HashMap<String, usize> = HashMap::new();
    let mut nodes: Vec<Node> = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes) {
        let input = node.inputs.first().filter(|input| uses.get(*input) == Some(&1));
        let maker = input.and_then(|input| made.get(input)).copied();
        if let Some(index) = maker
            && let Some(before) = nodes.get_mut(index)
            && let Some(op) = folded(&before.op, &node, weights)
        {
            before.op = op;
            before.name.clone_from(&node.name);
            made.insert(node.name, index);
            continue;
        }
        made.insert(node.name.clone(), nodes.len());
        nodes.push(node);
    }
    graph.nodes = nodes;
}

/// Factors and summands of a depthwise 1x1 convolution.
fn scale(node: &Node, weights: &Weights) -> Option<(Vec<f32>, Vec<f32>, Activation)> {
    let Op::Conv {
        weight, bias, stride: [1, 1], padding: [0, 0, 0, 0], groups, activation, residual, ..
    } = &node.op
    else {
        return None;
    };
    let tensor = weights.get(weight).ok()?;
    if *residual != Residual::None || tensor.shape != [*groups as usize, 1, 1, 1] {
        return None;
    }
    let shift = match bias {
        Some(bias) => weights.get(bias).ok()?.data.clone(),
        None => vec![0.0; tensor.data.len()],
    };
    Some((tensor.data.clone(), shift, *activation))
}

fn folded(before: &Op, node: &Node, weights: &mut Weights) -> Option<Op> {
    let (factors, shifts, after) = scale(node, weights)?;
    let mut op = before.clone();
    let Op::Conv {
        weight, bias, activation: activation @ Activation::None, residual: Residual::None, ..
    } = &mut op
    else {
        return None;
    };
    let old = weights.get(weight).ok()?;
    let per_channel = old.data.len().checked_div(factors.len()).filter(|&count| count > 0)?;
    if old.shape.first() != Some(&factors.len()) {
        return None;
    }
    let data = old.data.iter().enumerate().map(|(i, v)| v * factors[i / per_channel]).collect();
    let scaled = Tensor { shape: old.shape.clone(), data };
    let summands = match bias {
        Some(bias) => weights.get(bias).ok()?.data.clone(),
        None => vec![0.0; factors.len()],
    };
    let data = summands.iter().zip(&factors).zip(&shifts).map(|((b, f), s)| b * f + s).collect();
    let shifted = Tensor { shape: vec![factors.len()], data };
    *weight = add_tensor(weights, &format!("{}.weight", node.name), scaled)?;
    *bias = Some(add_tensor(weights, &format!("{}.bias", node.name), shifted)?);
    *activation = after;
    Some(op)
}
