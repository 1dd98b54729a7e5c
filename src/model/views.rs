//! Concatenations and slices without copies: maps that are stored as some channels of another.
//!
//! A part of a concatenation is written where the whole is to lie, and a slice is read where its source lies. Both need whole
//! vec4s of channels, and kernels that take a map whose tiles lie apart. Maps go by number here: 0 is the graph's input, and
//! node `i` makes map `i + 1`.

use super::{Graph, Node, Op, Shapes};
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// What a dispatch reads and writes.
#[derive(Clone, Debug)]
pub(super) struct Dispatch {
    /// Its node.
    pub(super) index: usize,
    pub(super) reads: Vec<usize>,
}

impl Dispatch {
    /// The map it writes.
    pub(super) fn writes(&self) -> usize {
        self.index + 1
    }
}

/// Maps that lie in others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Views {
    /// By map, the map it is a part of and its first vec4 of channels there.
    within: BTreeMap<usize, (usize, u32)>,
    /// By node that rearranges channels and copies less than all, what it still copies.
    copies: BTreeMap<usize, Copies>,
    /// By convolution that gathers, the maps it reads.
    gathers: BTreeMap<usize, Vec<usize>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Copies {
    /// Output channels.
    ranges: Vec<Range<u32>>,
    /// The maps they come from.
    reads: Vec<usize>,
}

/// Consecutive output channels that are consecutive channels of one map.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    map: usize,
    /// First channel there, and in the output.
    from: u32,
    to: u32,
    len: u32,
}

/// What rearranges channels, as far as it may be spared.
#[derive(Debug)]
pub(super) struct Candidate {
    index: usize,
    runs: Vec<Run>,
}

/// A graph as the search for views sees it.
#[derive(Debug)]
pub(super) struct Wiring<'a> {
    pub(super) dispatches: &'a [Dispatch],
    /// Channels by map.
    channels: Vec<u32>,
    /// By map, whether the kernels that make it and read it take one whose tiles lie apart.
    takes_stride: Vec<bool>,
    /// Dispatches and what they read.
    size: usize,
}

impl Views {
    /// The map that holds a map, maybe itself, and the map's first vec4 of channels there.
    pub(super) fn root(&self, map: usize) -> (usize, u32) {
        let (mut map, mut group) = (map, 0);
        while let Some((of, first)) = self.within.get(&map) {
            (map, group) = (*of, group + first);
        }
        (map, group)
    }

    /// The maps that lie in others.
    pub(super) fn maps(&self) -> impl Iterator<Item = usize> {
        self.within.keys().copied()
    }

    /// The output channels that nodes still copy, where these are not all.
    pub(super) fn copies(&self) -> BTreeMap<usize, Vec<Range<u32>>> {
        self.copies.iter().map(|(&index, copies)| (index, copies.ranges.clone())).collect()
    }

    /// Whether nothing is left of a node to copy.
    pub(super) fn spares(&self, candidate: &Candidate) -> bool {
        self.copies.get(&candidate.index).is_some_and(|copies| copies.ranges.is_empty())
    }

    /// Whether a convolution gathers.
    pub(super) fn gathers(&self, index: usize) -> bool {
        self.gathers.contains_key(&index)
    }

    /// What a dispatch reads; `None` if nothing is left for it to do.
    pub(super) fn reads<'a>(&'a self, dispatch: &'a Dispatch) -> Option<&'a [usize]> {
        if let Some(reads) = self.gathers.get(&dispatch.index) {
            return Some(reads);
        }
        match self.copies.get(&dispatch.index) {
            Some(copies) if copies.ranges.is_empty() => None,
            Some(copies) => Some(&copies.reads),
            None => Some(&dispatch.reads),
        }
    }

    /// Whether no dispatch reads and writes one map's memory.
    fn is_possible(&self, dispatches: &[Dispatch]) -> bool {
        dispatches.iter().all(|dispatch| {
            let (written, _) = self.root(dispatch.writes());
            self.reads(dispatch).is_none_or(|reads| reads.iter().all(|&read| self.root(read).0 != written))
        })
    }
}

impl<'a> Wiring<'a> {
    pub(super) fn new(graph: &Graph, shapes: &Shapes, dispatches: &'a [Dispatch]) -> Result<Self> {
        let mut channels = vec![shapes.get(&graph.input)?.channels];
        for node in &graph.nodes {
            channels.push(shapes.get(&node.name)?.channels);
        }
        // The input is neither sliced nor a part: the first convolution may make it on the way.
        let mut takes_stride = vec![true; channels.len()];
        takes_stride[0] = false;
        for dispatch in dispatches.iter().filter(|dispatch| !has_tile_stride(&graph.nodes[dispatch.index])) {
            takes_stride[dispatch.writes()] = false;
            dispatch.reads.iter().for_each(|&read| takes_stride[read] = false);
        }
        let size = dispatches.iter().map(|dispatch| 1 + dispatch.reads.len()).sum();
        Ok(Self { dispatches, channels, takes_stride, size })
    }

    /// The nodes that may copy less.
    pub(super) fn candidates(&self, graph: &Graph) -> Vec<Candidate> {
        let maps: HashMap<&str, usize> =
            graph.nodes.iter().zip(1..).map(|(node, map)| (node.name.as_str(), map)).collect();
        let of = |dispatch: &Dispatch| {
            let node = &graph.nodes[dispatch.index];
            let Op::Channels { step: 1, map } = &node.op else { return None };
            let inputs: Vec<usize> =
                node.inputs.iter().map(|name| maps.get(name.as_str()).copied().unwrap_or(0)).collect();
            Some(Candidate { index: dispatch.index, runs: runs(map, &inputs) })
        };
        self.dispatches.iter().filter_map(of).collect()
    }

    /// `views` and those that spare a node's copies, all or some; `None` if it must copy all. Takes from `budget` what it costs,
    /// and ends when that is used up.
    pub(super) fn without_copies(
        &self,
        views: &Views,
        candidate: &Candidate,
        budget: &mut usize,
    ) -> Option<Views> {
        let Candidate { index, runs } = candidate;
        let whole = index + 1;
        if let [Run { map, from, len, .. }] = runs[..] {
            let ends = from + len == self.channels[map];
            let fits = map > 0 && from % 4 == 0 && (len % 4 == 0 || ends) && self.takes_stride[whole];
            if !(fits && self.spend(budget, runs.len())) {
                return None;
            }
            let mut views = views.clone();
            views.within.insert(whole, (map, from / 4));
            views.copies.insert(*index, Copies::default());
            return views.is_possible(self.dispatches).then_some(views);
        }
        let mut best: Option<(Views, BTreeSet<u32>)> = None;
        let mut tried = BTreeSet::new();
        for &Run { map, from, to, len } in runs {
            let is_whole = from == 0 && len == self.channels[map];
            let fits = to % 4 == 0 && (len % 4 == 0 || to + len == self.channels[whole]);
            let before = best.as_ref().map_or(views, |(views, _)| views);
            let free = self.takes_stride[map] && !before.within.contains_key(&map);
            if !(is_whole && fits && free && tried.insert(map)) {
                continue;
            }
            if !self.spend(budget, runs.len()) {
                break;
            }
            let mut placed = best.as_ref().map(|(_, placed)| placed.clone()).unwrap_or_default();
            placed.insert(to);
            let mut trial = before.clone();
            trial.within.insert(map, (whole, to / 4));
            trial.copies.insert(*index, Copies::of(runs, &placed));
            if trial.is_possible(self.dispatches) {
                best = Some((trial, placed));
            }
        }
        best.map(|(views, _)| views)
    }

    /// `views` and a convolution that gathers what a node rearranges, as `dispatch` reads it; `None` where it would read what it
    /// writes.
    pub(super) fn gathering(
        &self,
        views: &Views,
        candidate: &Candidate,
        dispatch: &Dispatch,
    ) -> Option<Views> {
        let mut views = views.clone();
        views.copies.insert(candidate.index, Copies::default());
        views.gathers.insert(dispatch.index, dispatch.reads.clone());
        views.is_possible(self.dispatches).then_some(views)
    }

    /// Takes one look at the whole graph, and at some runs, from the budget, if it is there.
    pub(super) fn spend(&self, budget: &mut usize, runs: usize) -> bool {
        let left = budget.checked_sub(self.size + runs);
        *budget = left.unwrap_or(0);
        left.is_some()
    }
}

impl Candidate {
    /// The map that it makes.
    pub(super) fn map(&self) -> usize {
        self.index + 1
    }
}

impl Copies {
    /// What is left of the runs when those that begin at some channels are in place.
    fn of(runs: &[Run], placed: &BTreeSet<u32>) -> Self {
        let mut copies = Self::default();
        for run in runs.iter().filter(|run| !placed.contains(&run.to)) {
            match copies.ranges.last_mut() {
                Some(range) if range.end == run.to => range.end += run.len,
                _ => copies.ranges.push(run.to..run.to + run.len),
            }
            copies.reads.push(run.map);
        }
        copies.reads.sort_unstable();
        copies.reads.dedup();
        copies
    }
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

/// The runs of a map of channels with step 1; `inputs` are maps.
fn runs(map: &[[u32; 4]], inputs: &[usize]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (to, &[input, channel, ..]) in (0..).zip(map) {
        let map = inputs.get(input as usize).copied().unwrap_or(0);
        match runs.last_mut() {
            Some(run) if run.map == map && run.from + run.len == channel => run.len += 1,
            _ => runs.push(Run { map, from: channel, to, len: 1 }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_what_is_left_of_them() {
        let found = |map: &[[u32; 2]]| {
            let map: Vec<_> = map.iter().map(|&[input, channel]| [input, channel, 0, 0]).collect();
            runs(&map, &[5, 7, 5])
        };
        let run = |map, from, to, len| Run { map, from, to, len };
        let mixed = found(&[[0, 0], [0, 1], [1, 2], [1, 3], [1, 5]]);
        assert_eq!(mixed, [run(5, 0, 0, 2), run(7, 2, 2, 2), run(7, 5, 4, 1)]);
        // Two inputs that are one map.
        assert_eq!(found(&[[0, 3], [2, 4]]), [run(5, 3, 0, 2)]);
        let left = |placed: &[u32]| Copies::of(&mixed, &placed.iter().copied().collect());
        assert_eq!(left(&[]), Copies { ranges: vec![0..5; 1], reads: vec![5, 7] });
        assert_eq!(left(&[2]), Copies { ranges: vec![0..2, 4..5], reads: vec![5, 7] });
        assert_eq!(left(&[0]), Copies { ranges: vec![2..5; 1], reads: vec![7] });
        assert_eq!(left(&[0, 2, 4]), Copies::default());
    }
}
