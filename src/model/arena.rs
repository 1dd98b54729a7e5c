//! The memory plan: every map gets a place in one of a few arenas, reused by liveness.
//!
//! WebGPU forbids reading and writing one buffer in a dispatch, so a map never shares the arena of the maps it is
//! made from.

use super::views::{Dispatch, Views, Wiring};
use super::{Gather, Gathers, Graph, NearestSums, SeparablePairs, Shapes};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// Most arenas: one more than a node has inputs.
const MAX_ARENAS: usize = 5;

/// What part of the memory may be added to spare copies: a map that holds others lives longer than they would.
const MEMORY_FOR_COPIES: u64 = 6;

/// What part may be added where convolutions must gather, so that pairs of others can share a dispatch.
const MEMORY_FOR_PAIRS: u64 = 2;

/// Reads and writes of dispatches, and runs of channels, that are looked at in search of copies to spare: a file may hold a graph
/// for which the search would take hours. What is not looked at is copied.
const SEARCH: usize = 1 << 20;

/// Where a map lies for one tile. For `n` tiles `offset` and `len` are `n` times as large, and `inside` and `stride` as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index of the arena.
    pub(crate) arena: usize,
    /// First vec4 of the map that holds this one, maybe itself.
    pub(crate) offset: u64,
    /// First vec4 in that.
    pub(crate) inside: u64,
    /// Vec4s of one tile.
    pub(crate) len: u64,
    /// Vec4s from the beginning of a tile to that of the next: those of the map that holds this one.
    pub(crate) stride: u64,
}

/// Which nodes need no dispatch of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sharing {
    /// Pairs of [`Model::separable_pairs`](super::Model::separable_pairs).
    pub(crate) pairs: SeparablePairs,
    /// Upsampled maps of `nearest_sums`.
    pub(crate) nearest: NearestSums,
    /// Convolutions of [`Model::gathers`](super::Model::gathers).
    pub(crate) gathers: Gathers,
    /// Whether all of these must gather.
    pub(crate) gathers_all: bool,
    /// Whether concatenations and slices are views where that takes hardly more memory.
    pub(crate) in_place: bool,
}

/// Places of all maps that are needed, and the nodes that make them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ArenaPlan {
    /// Place by map name.
    pub(crate) places: HashMap<String, Place>,
    /// Indices of the nodes to run, in order.
    pub(crate) nodes: Vec<usize>,
    /// Of these the 1x1 convolutions that may compute the depthwise one as well that they read.
    pub(crate) pairs: SeparablePairs,
    /// Upsampled maps that are not computed and have no place, by what their reader reads instead.
    pub(crate) nearest: NearestSums,
    /// Of the nodes the convolutions that read rearranged channels where they lie.
    pub(crate) gathers: Gathers,
    /// Of the nodes that rearrange channels, the output channels that they copy, if not all: others are there already. Those
    /// with none left are not among the nodes.
    pub(crate) copies: BTreeMap<usize, Vec<Range<u32>>>,
    /// Size of each arena for one tile, in vec4s.
    pub(crate) arena_len: Vec<u64>,
}

#[derive(Clone, Debug, Default)]
struct Arena {
    len: u64,
    /// Occupied ranges `(offset, len, map)`, by offset.
    live: Vec<(u64, u64, usize)>,
}

impl ArenaPlan {
    /// Plans the maps that `wanted` needs, a dispatch for each; the wanted maps themselves live to the end.
    ///
    /// # Errors
    /// `Model` if a wanted map does not exist, `Unsupported` if a node reads more maps than arenas allow.
    #[cfg(test)]
    pub(crate) fn new(graph: &Graph, shapes: &Shapes, wanted: &[&str]) -> Result<Self> {
        Self::search(graph, shapes, wanted, Sharing::default(), 0)
    }

    /// [`ArenaPlan::new`] with fewer dispatches; what is shared must belong to the same wanted maps.
    ///
    /// # Errors
    /// As [`ArenaPlan::new`].
    pub(crate) fn sharing(graph: &Graph, shapes: &Shapes, wanted: &[&str], sharing: Sharing) -> Result<Self> {
        if sharing.pairs.is_empty() {
            return Self::search(graph, shapes, wanted, sharing, SEARCH);
        }
        // Which convolutions gather decides the order of their sums: with pairs it must be the same ones.
        let apart = Sharing { pairs: SeparablePairs::new(), ..sharing.clone() };
        let apart = Self::search(graph, shapes, wanted, apart, SEARCH)?;
        let sharing = Sharing { gathers: apart.gathers.clone(), gathers_all: true, ..sharing };
        match Self::search(graph, shapes, wanted, sharing, SEARCH) {
            Ok(plan) if plan.gathers == apart.gathers => Ok(plan),
            Ok(_) => {
                log::debug!("no pairs: they leave no memory for what convolutions gather");
                Ok(apart)
            }
            Err(error) => {
                log::debug!("no pairs: {error}");
                Ok(apart)
            }
        }
    }

    /// [`ArenaPlan::sharing`] that looks at no more than `budget`.
    fn search(
        graph: &Graph,
        shapes: &Shapes,
        wanted: &[&str],
        sharing: Sharing,
        budget: usize,
    ) -> Result<Self> {
        let Sharing { pairs, nearest, mut gathers, gathers_all, in_place } = sharing;
        let mut nodes = needed_nodes(graph, wanted)?;
        nodes.retain(|index| !nearest.contains_key(&graph.nodes[*index].name));
        let numbers: HashMap<&str, usize> = std::iter::once(&graph.input)
            .chain(graph.nodes.iter().map(|node| &node.name))
            .map(String::as_str)
            .zip(0..)
            .collect();
        let number = |name: &str| {
            numbers.get(name).copied().ok_or_else(|| Error::model(format!("there is no map \"{name}\"")))
        };
        let dispatch = |index, gather| {
            let reads = inputs(graph, &pairs, index, gather);
            let reads = reads.map(|name| number(nearest.get(name).unwrap_or(name)));
            Ok(Dispatch { index, reads: reads.collect::<Result<_>>()? })
        };
        let dispatches = nodes.iter().map(|&index| dispatch(index, None)).collect::<Result<Vec<_>>>()?;
        let planner = Planner {
            graph,
            lens: (0..numbers.len())
                .map(|map| Ok(shapes.get(name_of(graph, map))?.padded_len() / 4))
                .collect::<Result<_>>()?,
            wanted: wanted.iter().map(|name| number(name)).collect::<Result<_>>()?,
            dispatches: &dispatches,
        };
        let mut views = Views::default();
        let mut best = planner.placed(&views)?;
        if in_place {
            // By the node that need not run.
            let mut gathering = HashMap::new();
            for (&index, gather) in &gathers {
                gathering.insert(number(&gather.replaces)?, dispatch(index, Some(gather))?);
            }
            let wiring = Wiring::new(graph, shapes, &dispatches)?;
            (views, best) = planner.without_copies(&wiring, (&gathering, gathers_all), best, budget);
        }
        for map in views.maps() {
            let (root, group) = views.root(map);
            if let Some(&place) = best.places.get(name_of(graph, root)) {
                let name = name_of(graph, map);
                let inside = u64::from(group) * u64::from(shapes.get(name)?.pixels());
                best.places.insert(name.to_owned(), Place { inside, len: planner.lens[map], ..place });
            }
        }
        gathers.retain(|index, _| views.gathers(*index));
        Ok(Self { pairs, nearest, gathers, ..best })
    }

    /// Vec4s of the largest arena for one tile.
    fn largest_len(&self) -> u64 {
        self.arena_len.iter().copied().max().unwrap_or(0)
    }

    /// Vec4s of all arenas for one tile.
    pub(crate) fn total_len(&self) -> u64 {
        self.arena_len.iter().sum()
    }
}

/// The name of a map by its number.
fn name_of(graph: &Graph, map: usize) -> &str {
    match map.checked_sub(1) {
        None => &graph.input,
        Some(node) => &graph.nodes[node].name,
    }
}

/// What places are given for.
struct Planner<'a> {
    graph: &'a Graph,
    /// Vec4s by map.
    lens: Vec<u64>,
    wanted: Vec<usize>,
    dispatches: &'a [Dispatch],
}

impl Planner<'_> {
    /// Spares the copies of one node after the other where that takes hardly more memory than `plan`: by views, or by convolutions
    /// that gather, given by the map that is then not computed; half as much memory more if all must.
    fn without_copies(
        &self,
        wiring: &Wiring<'_>,
        (gathering, gathers_all): (&HashMap<usize, Dispatch>, bool),
        plan: ArenaPlan,
        mut budget: usize,
    ) -> (Views, ArenaPlan) {
        let (total, largest) = (plan.total_len(), plan.largest_len());
        let fits = |plan: &ArenaPlan, now: &ArenaPlan, part: u64| {
            plan.total_len() <= now.total_len().max(total + total / part)
                && plan.largest_len() <= now.largest_len().max(largest + largest / part)
        };
        let (mut views, mut best) = (Views::default(), plan);
        for candidate in wiring.candidates(self.graph) {
            let gather = gathering.get(&candidate.map());
            if let Some(dispatch) = gather.filter(|_| gathers_all) {
                if let Some(trial) = wiring.gathering(&views, &candidate, dispatch)
                    && let Ok(plan) = self.placed(&trial)
                    && fits(&plan, &best, MEMORY_FOR_PAIRS)
                {
                    (views, best) = (trial, plan);
                }
                continue;
            }
            let view = wiring.without_copies(&views, &candidate, &mut budget);
            let gather = gather.filter(|_| wiring.spend(&mut budget, 0));
            let gather = gather.and_then(|dispatch| wiring.gathering(&views, &candidate, dispatch));
            let mut trials = [view, gather];
            // A view that spares all reads and writes nothing besides; one that spares a part is less than a gathering.
            if !trials[0].as_ref().is_some_and(|views| views.spares(&candidate)) {
                trials.reverse();
            }
            for trial in trials.into_iter().flatten() {
                if wiring.spend(&mut budget, 0)
                    && let Ok(plan) = self.placed(&trial)
                    && fits(&plan, &best, MEMORY_FOR_COPIES)
                {
                    (views, best) = (trial, plan);
                    break;
                }
            }
        }
        (views, best)
    }

    /// Gives each map that lies in no other its place.
    fn placed(&self, views: &Views) -> Result<ArenaPlan> {
        let mut last_use: Vec<Option<usize>> = vec![None; self.lens.len()];
        // Maps that no arena may hold both: some dispatch reads one and writes the other.
        let mut apart: Vec<Vec<usize>> = vec![Vec::new(); self.lens.len()];
        for dispatch in self.dispatches {
            let (written, _) = views.root(dispatch.writes());
            for &read in views.reads(dispatch).unwrap_or_default() {
                let (read, _) = views.root(read);
                last_use[read] = Some(dispatch.index);
                apart[read].push(written);
                apart[written].push(read);
            }
        }
        self.wanted.iter().for_each(|&map| last_use[views.root(map).0] = Some(usize::MAX));
        let mut plan = ArenaPlan { copies: views.copies(), ..ArenaPlan::default() };
        let mut arenas = vec![Arena::default(); MAX_ARENAS];
        // By map, its arena while it lives.
        let mut lives_in: Vec<Option<usize>> = vec![None; self.lens.len()];
        let mut placed = HashSet::new();
        let mut place = |map: usize, lives_in: &mut Vec<Option<usize>>, arenas: &mut Vec<Arena>| {
            if !placed.insert(map) {
                return Ok(());
            }
            let place = place(arenas, map, self.lens[map], |arena| {
                apart[map].iter().all(|&other| lives_in[other] != Some(arena))
            });
            let name = name_of(self.graph, map);
            let place = place.map_err(|e| e.at(format!("node \"{name}\"")))?;
            lives_in[map] = Some(place.arena);
            plan.places.insert(name.to_owned(), place);
            Ok::<(), Error>(())
        };
        place(0, &mut lives_in, &mut arenas)?;
        for dispatch in self.dispatches.iter().filter(|dispatch| views.reads(dispatch).is_some()) {
            plan.nodes.push(dispatch.index);
            place(views.root(dispatch.writes()).0, &mut lives_in, &mut arenas)?;
            for arena in &mut arenas {
                arena.live.retain(|&(_, _, map)| {
                    let lives = last_use[map].is_some_and(|last| last > dispatch.index);
                    if !lives {
                        lives_in[map] = None;
                    }
                    lives
                });
            }
        }
        plan.arena_len = arenas.iter().map(|arena| arena.len).collect();
        Ok(plan)
    }
}

/// Puts a map where the arenas grow least, in the lowest gap that holds it, in one of the arenas that are free for it.
fn place(arenas: &mut [Arena], map: usize, len: u64, is_free: impl Fn(usize) -> bool) -> Result<Place> {
    let best = (0..arenas.len())
        .filter(|&arena| is_free(arena))
        .map(|arena| {
            let offset = arenas[arena].gap(len);
            ((offset + len).saturating_sub(arenas[arena].len), arena, offset)
        })
        .min();
    let (_, arena, offset) =
        best.ok_or_else(|| Error::unsupported(format!("reads maps of all {MAX_ARENAS} arenas")))?;
    arenas[arena].insert(offset, len, map);
    Ok(Place { arena, offset, inside: 0, len, stride: len })
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

    fn insert(&mut self, offset: u64, len: u64, map: usize) {
        let at = self.live.partition_point(|&(start, _, _)| start < offset);
        self.live.insert(at, (offset, len, map));
        self.len = self.len.max(offset + len);
    }
}

/// The maps that a node's dispatch reads, on its own or with the node before, and some that it gathers instead of its first.
fn inputs<'a>(
    graph: &'a Graph,
    pairs: &SeparablePairs,
    index: usize,
    gather: Option<&'a Gather>,
) -> impl Iterator<Item = &'a String> + use<'a> {
    let first = pairs.get(&index).map_or(&[][..], |&before| graph.nodes[before].inputs.as_slice());
    let gathered = gather.into_iter().flat_map(|gather| gather.segments.iter().map(|segment| &segment.map));
    let own = graph.nodes[index].inputs.iter().skip(usize::from(gather.is_some()));
    first.iter().chain(gathered).chain(own)
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

#[cfg(test)]
mod tests;
