//! The memory plan: every map gets a place in one of a few arenas, reused by liveness.
//!
//! WebGPU forbids reading and writing one buffer in a dispatch, so a map never shares the arena of the maps it is
//! made from.

use super::views::{Dispatch, Views};
use super::{Graph, NearestSums, SeparablePairs, Shapes};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// Most arenas: one more than a node has inputs.
pub const MAX_ARENAS: usize = 5;

/// Beyond as many nodes all concatenations copy: finding out which need not takes several plans.
const MAX_NODES_IN_PLACE: usize = 2048;

/// What part of the memory may be added to spare copies: a map that holds others lives longer than they would.
const MEMORY_FOR_COPIES: u64 = 16;

/// Where a map lies for one tile. For `n` tiles `offset` and `len` are `n` times as large, and `inside` and `stride` as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the arena.
    pub arena: usize,
    /// First vec4 of the map that holds this one, maybe itself.
    pub offset: u64,
    /// First vec4 in that.
    pub inside: u64,
    /// Vec4s of one tile.
    pub len: u64,
    /// Vec4s from the beginning of a tile to that of the next: those of the map that holds this one.
    pub stride: u64,
}

/// Which nodes need no dispatch of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sharing {
    /// Pairs of [`Model::separable_pairs`](super::Model::separable_pairs).
    pub(crate) pairs: SeparablePairs,
    /// Upsampled maps of `nearest_sums`.
    pub(crate) nearest: NearestSums,
    /// Whether concatenations and slices are views where that takes hardly more memory.
    pub(crate) in_place: bool,
}

/// Places of all maps that are needed, and the nodes that make them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArenaPlan {
    /// Place by map name.
    pub places: HashMap<String, Place>,
    /// Indices of the nodes to run, in order.
    pub nodes: Vec<usize>,
    /// Of these the 1x1 convolutions that may compute the depthwise one as well that they read.
    pub pairs: SeparablePairs,
    /// Upsampled maps that are not computed and have no place, by what their reader reads instead.
    pub nearest: NearestSums,
    /// Of the nodes that rearrange channels, the output channels that they copy, if not all: others are there already. Those
    /// with none left are not among the nodes.
    pub copies: BTreeMap<usize, Vec<Range<u32>>>,
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
    /// Plans the maps that `wanted` needs, a dispatch for each; the wanted maps themselves live to the end.
    ///
    /// # Errors
    /// `Model` if a wanted map does not exist, `Unsupported` if a node reads more maps than arenas allow.
    pub fn new(graph: &Graph, shapes: &Shapes, wanted: &[&str]) -> Result<Self> {
        Self::sharing(graph, shapes, wanted, Sharing::default())
    }

    /// [`ArenaPlan::new`] with fewer dispatches; what is shared must belong to the same wanted maps.
    ///
    /// # Errors
    /// As [`ArenaPlan::new`].
    pub(crate) fn sharing(graph: &Graph, shapes: &Shapes, wanted: &[&str], sharing: Sharing) -> Result<Self> {
        let Sharing { pairs, nearest, in_place } = sharing;
        let mut nodes = needed_nodes(graph, wanted)?;
        nodes.retain(|index| !nearest.contains_key(&graph.nodes[*index].name));
        let dispatch = |&index: &usize| {
            let reads = inputs(graph, &pairs, index).map(|name| nearest.get(name).unwrap_or(name).as_str());
            Dispatch { index, reads: reads.collect(), writes: &graph.nodes[index].name }
        };
        let dispatches: Vec<Dispatch<'_>> = nodes.iter().map(dispatch).collect();
        let mut views = Views::default();
        let mut best = Self::placed(graph, shapes, wanted, &dispatches, &views)?;
        if in_place && nodes.len() <= MAX_NODES_IN_PLACE {
            let most = best.total_len() + best.total_len() / MEMORY_FOR_COPIES;
            for &index in &nodes {
                let Some(trial) = views.without_copies(graph, shapes, &dispatches, index)? else { continue };
                let plan = Self::placed(graph, shapes, wanted, &dispatches, &trial);
                if let Ok(plan) = plan
                    && plan.total_len() <= most
                {
                    (views, best) = (trial, plan);
                }
            }
        }
        Ok(Self { pairs, nearest, ..best })
    }

    /// Gives each map its place.
    fn placed(
        graph: &Graph,
        shapes: &Shapes,
        wanted: &[&str],
        dispatches: &[Dispatch<'_>],
        views: &Views,
    ) -> Result<Self> {
        let left = views.left(graph, dispatches);
        let mut last_use: HashMap<&str, usize> =
            wanted.iter().map(|&name| (views.root(name).0, usize::MAX)).collect();
        // Maps that no arena may hold both: some dispatch reads one and writes the other.
        let mut apart: HashMap<&str, HashSet<&str>> = HashMap::new();
        for Dispatch { index, reads, writes } in &left {
            let (written, _) = views.root(writes);
            for &read in reads {
                let (read, _) = views.root(read);
                let last = last_use.entry(read).or_insert(*index);
                *last = (*last).max(*index);
                apart.entry(read).or_default().insert(written);
                apart.entry(written).or_default().insert(read);
            }
        }
        let mut plan = Self { copies: views.copies.clone(), ..Self::default() };
        let mut arenas = vec![Arena::default(); MAX_ARENAS];
        let none = HashSet::new();
        plan.place(&graph.input, apart.get(graph.input.as_str()).unwrap_or(&none), shapes, &mut arenas)?;
        for dispatch in &left {
            plan.nodes.push(dispatch.index);
            let (root, _) = views.root(dispatch.writes);
            if !plan.places.contains_key(root) {
                plan.place(root, apart.get(root).unwrap_or(&none), shapes, &mut arenas)
                    .map_err(|e| e.at(format!("node \"{}\"", dispatch.writes)))?;
            }
            for arena in &mut arenas {
                arena.live.retain(|(_, _, name)| {
                    last_use.get(name.as_str()).is_some_and(|&last| last > dispatch.index)
                });
            }
        }
        for name in views.names() {
            let (root, group) = views.root(name);
            if let Some(&place) = plan.places.get(root) {
                let shape = shapes.get(name)?;
                let (inside, len) = (u64::from(group) * u64::from(shape.pixels()), shape.padded_len() / 4);
                plan.places.insert(name.to_owned(), Place { inside, len, ..place });
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

    /// Puts a map where the arenas grow least, in the lowest gap that holds it, in no arena that holds one of `apart`.
    fn place(
        &mut self,
        name: &str,
        apart: &HashSet<&str>,
        shapes: &Shapes,
        arenas: &mut [Arena],
    ) -> Result<()> {
        let len = shapes.get(name)?.padded_len() / 4;
        let is_free = |arena: &Arena| !arena.live.iter().any(|(_, _, other)| apart.contains(other.as_str()));
        let best = (0..arenas.len())
            .filter(|&index| is_free(&arenas[index]))
            .map(|index| {
                let offset = arenas[index].gap(len);
                ((offset + len).saturating_sub(arenas[index].len), index, offset)
            })
            .min();
        let (_, arena, offset) =
            best.ok_or_else(|| Error::unsupported(format!("reads maps of all {MAX_ARENAS} arenas")))?;
        arenas[arena].insert(offset, len, name);
        self.places.insert(name.to_owned(), Place { arena, offset, inside: 0, len, stride: len });
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

/// The maps that a node's dispatch reads, on its own or with the node before.
fn inputs<'a>(
    graph: &'a Graph,
    pairs: &SeparablePairs,
    index: usize,
) -> impl Iterator<Item = &'a String> + use<'a> {
    let first = pairs.get(&index).map_or(&[][..], |&before| graph.nodes[before].inputs.as_slice());
    first.iter().chain(&graph.nodes[index].inputs)
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
