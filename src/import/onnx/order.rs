//! The live nodes in an order in which each value is made before it is used.

use super::proto::{GraphProto, NodeProto};
use crate::error::{Error, Result};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// The nodes that the outputs need, in the file's order where that is an order of computation.
pub(super) fn live<'a>(
    graph: &'a GraphProto<'a>,
    is_given: &dyn Fn(&str) -> bool,
) -> Result<Vec<&'a NodeProto<'a>>> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|name| !name.is_empty()) {
            if is_given(name) || makers.insert(name, index).is_some() {
                return Err(Error::model(format!("value \"{name}\" is made twice")));
            }
        }
    }
    let mut wanted: Vec<&str> = graph.outputs.iter().map(|output| output.name).collect();
    if wanted.is_empty() {
        return Err(Error::model("the graph has no output"));
    }
    let mut is_live = vec![false; graph.nodes.len()];
    while let Some(name) = wanted.pop() {
        match makers.get(name) {
            Some(&index) if !is_live[index] => {
                is_live[index] = true;
                wanted.extend(graph.nodes[index].inputs.iter().filter(|name| !name.is_empty()));
            }
            Some(_) => {}
            None if is_given(name) => {}
            None => {
                return Err(Error::model(format!(
                    "value \"{name}\" is used, but no node makes it and it is no input of the graph"
                )));
            }
        }
    }
    sorted(graph, &makers, &is_live)
}

fn sorted<'a>(
    graph: &'a GraphProto<'a>,
    makers: &HashMap<&str, usize>,
    is_live: &[bool],
) -> Result<Vec<&'a NodeProto<'a>>> {
    let mut users: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut waiting = vec![0usize; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().filter(|(index, _)| is_live[*index]) {
        for maker in node.inputs.iter().filter_map(|name| makers.get(name)) {
            users.entry(*maker).or_default().push(index);
            waiting[index] += 1;
        }
    }
    let mut ready: BinaryHeap<_> =
        (0..graph.nodes.len()).filter(|&index| is_live[index] && waiting[index] == 0).map(Reverse).collect();
    let mut order = Vec::new();
    while let Some(Reverse(index)) = ready.pop() {
        order.push(&graph.nodes[index]);
        for &user in users.get(&index).into_iter().flatten() {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.push(Reverse(user));
            }
        }
    }
    if let Some(index) = (0..graph.nodes.len()).find(|&index| is_live[index] && waiting[index] > 0) {
        let name = graph.nodes[index].outputs.first().copied().unwrap_or("");
        return Err(Error::model(format!("the graph has a cycle through \"{name}\"")));
    }
    Ok(order)
}
