//! The memory plan: every map gets a place in one of a few arenas, reused by liveness.
//!
//! WebGPU forbids reading and writing one buffer in a dispatch, so a map never shares the arena of the maps it is
//! made from.

use super::{Graph, SeparablePairs, Shapes};
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};

/// Most arenas: one more than a node has inputs.
pub const MAX_ARENAS: usize = 5;

/// Where a map lies for one tile; for `n` tiles both offset and length are `n` times as large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the arena.
    pub arena: usize,
    /// First vec4.
    pub offset: u64,
    /// Number of vec4s.
    pub len: u64,
}

/// Places of all maps that are needed, and the nodes that make them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArenaPlan {
    /// Place by map name.
    pub places: HashMap<String, Place>,
    /// Indices of the nodes to run, in order.
    pub nodes: Vec<usize>,
    /// Of these the 1x1 convolutions that compute a depthwise one as well, which is not among them and whose map has no place.
    pub pairs: SeparablePairs,
    /// Size of each arena for one tile, in vec4s.
    pub arena_len: Vec<u64>,
}

#[derive(Clone, Debug, Default)]
struct Arena {
    len: u64,
    /// Occupied ranges `(offset, len, map)`, by offset.
    live: Vec<(u64, u64, String)>,
}

impl ArenaPlan {
    /// Plans the maps that `wanted` needs; the wanted maps themselves live to the end.
    ///
    /// # Errors
    /// `Model` if a wanted map does not exist, `Unsupported` if a node reads more maps than arenas allow.
    pub fn new(graph: &Graph, shapes: &Shapes, wanted: &[&str]) -> Result<Self> {
        Self::with_pairs(graph, shapes, wanted, SeparablePairs::new())
    }

    /// [`ArenaPlan::new`] with pairs of [`Model::separable_pairs`](super::Model::separable_pairs), for the same maps, in one
    /// dispatch each.
    ///
    /// # Errors
    /// As [`ArenaPlan::new`].
    pub(crate) fn with_pairs(
        graph: &Graph,
        shapes: &Shapes,
        wanted: &[&str],
        pairs: SeparablePairs,
    ) -> Result<Self> {
        let mut nodes = needed_nodes(graph, wanted)?;
        nodes.retain(|index| !pairs.values().any(|first| first == index));
        let mut last_use: HashMap<&str, usize> = wanted.iter().map(|&name| (name, usize::MAX)).collect();
        for &index in &nodes {
            for input in inputs(graph, &pairs, index) {
                let last = last_use.entry(input).or_insert(index);
                *last = (*last).max(index);
            }
        }
        let mut plan = Self { nodes, pairs, ..Self::default() };
        let mut arenas = vec![Arena::default(); MAX_ARENAS];
        plan.place(&graph.input, &[], shapes, &mut arenas)?;
        for &index in &plan.nodes.clone() {
            let node = &graph.nodes[index];
            let read = inputs(graph, &plan.pairs, index);
            let taken: Vec<usize> = read.filter_map(|name| plan.places.get(name)).map(|p| p.arena).collect();
            plan.place(&node.name, &taken, shapes, &mut arenas)
                .map_err(|e| e.at(format!("node \"{}\"", node.name)))?;
            for arena in &mut arenas {
                arena
                    .live
                    .retain(|(_, _, name)| last_use.get(name.as_str()).is_some_and(|&last| last > index));
            }
        }
        plan.arena_len = arenas.iter().map(|arena| arena.len).collect();
        Ok(plan)
    }

    /// Vec4s of all arenas for one tile.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.arena_len.iter().sum()
    }

    /// Puts a map where the arenas grow least, in the lowest gap that holds it.
    fn place(&mut self, name: &str, taken: &[usize], shapes: &Shapes, arenas: &mut [Arena]) -> Result<()> {
        let len = shapes.get(name)?.padded_len() / 4;
        let best = (0..arenas.len())
            .filter(|index| !taken.contains(index))
            .map(|index| {
                let offset = arenas[index].gap(len);
                ((offset + len).saturating_sub(arenas[index].len), index, offset)
            })
            .min();
        let (_, arena, offset) =
            best.ok_or_else(|| Error::unsupported(format!("reads maps of all {MAX_ARENAS} arenas")))?;
        arenas[arena].insert(offset, len, name);
        self.places.insert(name.to_owned(), Place { arena, offset, len });
        Ok(())
    }
}

impl Arena {
    fn gap(&self, len: u64) -> u64 {
        let mut offset = 0;
        for &(start, live_len, _) in &self.live {
            if offset + len <= start {
                return offset;
            }
            offset = offset.max(start + live_len);
        }
        offset
    }

    fn insert(&mut self, offset: u64, len: u64, name: &str) {
        let at = self.live.partition_point(|&(start, _, _)| start < offset);
        self.live.insert(at, (offset, len, name.to_owned()));
        self.len = self.len.max(offset + len);
    }
}

/// The maps that a node's dispatch reads.
fn inputs<'a>(
    graph: &'a Graph,
    pairs: &SeparablePairs,
    index: usize,
) -> impl Iterator<Item = &'a String> + use<'a> {
    let (first, others) = match pairs.get(&index) {
        Some(&before) => (graph.nodes[before].inputs.as_slice(), 1),
        None => (&[][..], 0),
    };
    first.iter().chain(graph.nodes[index].inputs.iter().skip(others))
}

/// The nodes that `wanted` depends on, in order.
pub(super) fn needed_nodes(graph: &Graph, wanted: &[&str]) -> Result<Vec<usize>> {
    let mut needed: HashSet<&str> = wanted.iter().copied().collect();
    let mut nodes = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        if needed.contains(node.name.as_str()) {
            needed.extend(node.inputs.iter().map(String::as_str));
            nodes.push(index);
        }
    }
    nodes.reverse();
    let made: HashSet<&str> =
        graph.nodes.iter().map(|n| n.name.as_str()).chain([graph.input.as_str()]).collect();
    match wanted.iter().find(|name| !made.contains(*name)) {
        Some(name) => Err(Error::model(format!("there is no map \"{name}\""))),
        None => Ok(nodes),
    }
}
