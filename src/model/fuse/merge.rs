//! Activations and additions move into the node before them.

use super::super::{Activation, Graph, Node, Op, Residual};
use super::uses;
use std::collections::HashMap;

/// Puts an activation into the convolution or addition that it alone uses.
pub(super) fn fuse_activations(graph: &mut Graph, keep: &[&str]) {
    let uses = uses(graph, keep);
    let mut made: HashMap<String, usize> = HashMap::new();
    let mut nodes: Vec<Node> = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes) {
        let input = node.inputs.first().filter(|input| uses.get(*input) == Some(&1));
        let maker = input.and_then(|input| made.get(input)).copied();
        if let Op::Activate { activation } = node.op
            && let Some((index, before)) = maker.and_then(|index| Some((index, nodes.get_mut(index)?)))
            && activate(&mut before.op, activation)
        {
            before.name.clone_from(&node.name);
            made.insert(node.name, index);
            continue;
        }
        made.insert(node.name.clone(), nodes.len());
        nodes.push(node);
    }
    graph.nodes = nodes;
}

fn activate(op: &mut Op, after: Activation) -> bool {
    match op {
        Op::Conv { activation, residual, .. } if activation.is_none() => {
            if *residual == Residual::AfterActivation {
                *residual = Residual::BeforeActivation;
            }
            *activation = after;
            true
        }
        Op::Add { activation } if activation.is_none() => {
            *activation = after;
            true
        }
        _ => false,
    }
}

/// Puts an addition into a convolution that it alone uses. The convolution moves to the addition's place, where
/// the other summand is made already.
pub(super) fn fuse_additions(graph: &mut Graph, keep: &[&str]) {
    let uses = uses(graph, keep);
    let mut made: HashMap<String, usize> = HashMap::new();
    let mut nodes: Vec<Option<Node>> = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes) {
        let fused = match (&node.op, node.inputs.as_slice()) {
            (Op::Add { activation }, [a, b]) => {
                let index = |name: &String| {
                    let index = *made.get(name).filter(|_| uses.get(name) == Some(&1))?;
                    let maker = nodes.get(index)?.as_ref()?;
                    accepts(&maker.op, *activation).then_some(index)
                };
                let choice = [(index(a), b), (index(b), a)].into_iter().max_by_key(|(index, _)| *index);
                choice.and_then(|(index, other)| {
                    let conv = nodes.get_mut(index?)?.take()?;
                    Some(with_residual(conv, &node.name, other, *activation))
                })
            }
            _ => None,
        };
        made.insert(node.name.clone(), nodes.len());
        nodes.push(Some(fused.unwrap_or(node)));
    }
    graph.nodes = nodes.into_iter().flatten().collect();
}

fn accepts(op: &Op, after: Activation) -> bool {
    matches!(op, Op::Conv { activation, residual: Residual::None, .. } if activation.is_none() || after.is_none())
}

fn with_residual(mut conv: Node, name: &str, other: &str, after: Activation) -> Node {
    if let Op::Conv { activation, residual, .. } = &mut conv.op {
        if activation.is_none() {
            (*activation, *residual) = (after, Residual::BeforeActivation);
        } else {
            *residual = Residual::AfterActivation;
        }
    }
    conv.inputs.push(other.to_owned());
    conv.name = name.to_owned();
    conv
}
