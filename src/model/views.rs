//! Concatenations and slices without copies: maps that are stored as some channels of another.
//!
//! A part of a concatenation is written where the whole is to lie, and a slice is read where its source lies. Both need whole
//! vec4s of channels, and kernels that take a map whose tiles lie apart.

use super::{Graph, Node, Op, Shapes};
use crate::error::Result;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// Maps that lie in others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Views {
    /// By map, the map it is a part of and its first vec4 of channels there.
    within: HashMap<String, (String, u32)>,
    /// By node that rearranges channels, the output channels that it still copies; nodes that copy all are not here.
    pub(super) copies: BTreeMap<usize, Vec<Range<u32>>>,
}

/// What a dispatch reads and writes.
#[derive(Clone, Debug)]
pub(super) struct Dispatch<'a> {
    /// Its node.
    pub(super) index: usize,
    pub(super) reads: Vec<&'a str>,
    pub(super) writes: &'a str,
}

/// Consecutive output channels that are consecutive channels of one input.
struct Run {
    input: usize,
    /// First channel there, and in the output.
    from: u32,
    to: u32,
    len: u32,
}

impl Views {
    /// The map that holds a map, maybe itself, and the map's first vec4 of channels there.
    pub(super) fn root<'a>(&'a self, name: &'a str) -> (&'a str, u32) {
        let (mut name, mut group) = (name, 0);
        while let Some((of, first)) = self.within.get(name) {
            (name, group) = (of, group + first);
        }
        (name, group)
    }

    /// The maps that lie in others.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.within.keys().map(String::as_str)
    }

    /// The dispatches that are left: those that no longer copy anything are not, and others read less.
    pub(super) fn left<'a>(&self, graph: &'a Graph, dispatches: &[Dispatch<'a>]) -> Vec<Dispatch<'a>> {
        let mut left = dispatches.to_vec();
        for dispatch in &mut left {
            let node = &graph.nodes[dispatch.index];
            if let (Some(copies), Op::Channels { map, .. }) = (self.copies.get(&dispatch.index), &node.op) {
                let copied = copies.iter().cloned().flatten().filter_map(|channel| map.get(channel as usize));
                let inputs: HashSet<u32> = copied.map(|entry| entry[0]).collect();
                let numbers = inputs.into_iter().filter_map(|input| node.inputs.get(input as usize));
                dispatch.reads = numbers.map(String::as_str).collect();
            }
        }
        left.retain(|dispatch| self.copies.get(&dispatch.index).is_none_or(|copies| !copies.is_empty()));
        left
    }

    /// These views and those that spare a node's copies, all or some; `None` if it must copy all.
    pub(super) fn without_copies<'a>(
        &self,
        graph: &'a Graph,
        shapes: &Shapes,
        dispatches: &[Dispatch<'a>],
        index: usize,
    ) -> Result<Option<Self>> {
        let node = &graph.nodes[index];
        let Op::Channels { step: 1, map } = &node.op else { return Ok(None) };
        let runs = runs(map);
        let mut views = self.clone();
        if let [Run { input, from, len, .. }] = runs[..] {
            let source = &node.inputs[input];
            let ends = from.checked_add(len) == Some(shapes.get(source)?.channels);
            let fits = from % 4 == 0 && (len % 4 == 0 || ends) && *source != graph.input;
            if fits && takes_views(graph, dispatches, &node.name, None) {
                views.within.insert(node.name.clone(), (source.clone(), from / 4));
                views.copies.insert(index, Vec::new());
                return Ok(views.is_possible(graph, dispatches).then_some(views));
            }
            return Ok(None);
        }
        let all = runs.last().map_or(0, |run| run.to + run.len);
        let mut parts: Vec<Range<u32>> = Vec::new();
        for Run { input, from, to, len } in runs {
            let part = &node.inputs[input];
            let channels = shapes.get(part)?.channels;
            let is_whole = from == 0 && len == channels && to % 4 == 0 && (len % 4 == 0 || to + len == all);
            if !is_whole
                || views.within.contains_key(part)
                || !takes_views(graph, dispatches, part, Some(index))
            {
                continue;
            }
            let mut trial = views.clone();
            trial.within.insert(part.clone(), (node.name.clone(), to / 4));
            let mut placed = parts.clone();
            placed.push(to..to + len);
            trial.copies.insert(index, gaps(&placed, all));
            if trial.is_possible(graph, dispatches) {
                (views, parts) = (trial, placed);
            }
        }
        Ok((!parts.is_empty()).then_some(views))
    }

    /// Whether no dispatch reads and writes one map's memory, and none lies in itself.
    fn is_possible(&self, graph: &Graph, dispatches: &[Dispatch<'_>]) -> bool {
        self.left(graph, dispatches).iter().all(|dispatch| {
            let (written, _) = self.root(dispatch.writes);
            dispatch.reads.iter().all(|read| self.root(read).0 != written)
        })
    }
}

/// Whether the kernel that makes a map and those that read it take one whose tiles lie apart. A map of a dispatch must be made
/// by one; a slice, of node `None`, is not made. `but` is the concatenation itself.
fn takes_views(graph: &Graph, dispatches: &[Dispatch<'_>], name: &str, but: Option<usize>) -> bool {
    let takes = |dispatch: &Dispatch<'_>| has_tile_stride(&graph.nodes[dispatch.index]);
    let made = dispatches.iter().find(|dispatch| dispatch.writes == name);
    made.is_some_and(takes)
        && dispatches
            .iter()
            .filter(|dispatch| Some(dispatch.index) != but && dispatch.reads.contains(&name))
            .all(takes)
}

/// Whether a node's kernel takes maps whose tiles lie apart: those with `MapParams`.
fn has_tile_stride(node: &Node) -> bool {
    match node.op {
        Op::Conv { .. }
        | Op::ConvTranspose { .. }
        | Op::Pool { .. }
        | Op::Resize { .. }
        | Op::Add { .. }
        | Op::Activate { .. }
        | Op::Channels { .. } => true,
        Op::Binary { .. }
        | Op::Softmax { .. }
        | Op::Reduce { .. }
        | Op::Matmul
        | Op::Rearrange { .. }
        | Op::Join
        | Op::Sample { .. }
        | Op::Constant { .. } => false,
    }
}

/// The runs of a map of channels with step 1.
fn runs(map: &[[u32; 4]]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (to, &[input, channel, ..]) in (0..).zip(map) {
        match runs.last_mut() {
            Some(run) if run.input == input as usize && run.from + run.len == channel => run.len += 1,
            _ => runs.push(Run { input: input as usize, from: channel, to, len: 1 }),
        }
    }
    runs
}

/// What of `0..all` the ranges, in order, leave.
fn gaps(ranges: &[Range<u32>], all: u32) -> Vec<Range<u32>> {
    let ends = std::iter::once(0).chain(ranges.iter().map(|range| range.end));
    let starts = ranges.iter().map(|range| range.start).chain(std::iter::once(all));
    ends.zip(starts).map(|(end, start)| end..start).filter(|gap| !gap.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_gaps() {
        let found = |map: &[[u32; 2]]| {
            let map: Vec<_> = map.iter().map(|&[input, channel]| [input, channel, 0, 0]).collect();
            runs(&map).iter().map(|run| (run.input, run.from, run.to, run.len)).collect::<Vec<_>>()
        };
        assert_eq!(
            found(&[[0, 0], [0, 1], [1, 2], [1, 3], [1, 5]]),
            [(0, 0, 0, 2), (1, 2, 2, 2), (1, 5, 4, 1)]
        );
        assert_eq!(found(&[[0, 3], [1, 4]]), [(0, 3, 0, 1), (1, 4, 1, 1)]);
        assert_eq!(gaps(&[], 9), vec![0..9; 1]);
        assert_eq!(gaps(&[0..4, 8..12], 14), [4..8, 12..14]);
        assert_eq!(gaps(&[0..4, 4..9], 9), []);
    }
}
