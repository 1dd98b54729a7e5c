//! 1x1 convolutions of rearranged channels, as in networks that shuffle them: the convolution reads the channels where they lie,
//! in whole vec4s, and its weights take their order.

use super::{Model, Op, Tensor, arena};
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// By the index of a 1x1 convolution, what it reads instead of its input.
pub(crate) type Gathers = BTreeMap<usize, Gather>;

/// Maps that a convolution can read, beside what it adds.
pub(crate) const MAX_SOURCES: usize = 4;
/// Runs of vec4s in those.
pub(crate) const MAX_SEGMENTS: usize = 8;
/// Channels of those: a third more than a convolution can read otherwise is still within `MAX_ITERATIONS`.
const MAX_CHANNELS: usize = 1 << 16;

/// What a convolution reads instead of a map of rearranged channels, which is not computed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gather {
    /// That map.
    pub(crate) replaces: String,
    /// At most [`MAX_SEGMENTS`] of at most [`MAX_SOURCES`] maps; those of a map follow one another.
    pub(crate) segments: Vec<Segment>,
    /// By channel of the segments, which of the replaced map it is. The others come along in the vec4s and have weights of 0.
    channels: Vec<Option<usize>>,
}

/// Vec4s of channels of a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Segment {
    pub(crate) map: String,
    pub(crate) groups: Range<u32>,
}

impl Gather {
    /// Channels that are read, those with weights of 0 included.
    pub(crate) fn len(&self) -> u32 {
        self.segments.iter().map(|segment| segment.groups.len() as u32 * 4).sum()
    }

    /// The weights `[out, in, 1, 1]` of the convolution for what it reads: `[out, len, 1, 1]`.
    pub(crate) fn weights(&self, weights: &Tensor) -> Tensor {
        let (out, len) = (weights.shape[0], self.channels.len());
        let input = weights.shape[1];
        let row = |o: usize| {
            self.channels.iter().map(move |channel| channel.map_or(0.0, |c| weights.data[o * input + c]))
        };
        Tensor { shape: vec![out, len, 1, 1], data: (0..out).flat_map(row).collect() }
    }

    /// What reads `map` of `inputs`, as in [`Op::Channels`]; `None` if that is too much or too scattered.
    fn new(replaces: &str, map: &[[u32; 4]], inputs: &[String]) -> Option<Self> {
        // By source in the order of their first channels here, and by channel there: the channel here.
        let mut found: Vec<(&str, BTreeMap<u32, usize>)> = Vec::new();
        for (channel, &[input, from, ..]) in map.iter().enumerate() {
            let source = inputs.get(input as usize)?.as_str();
            let place = found.iter().position(|(name, _)| *name == source).unwrap_or(found.len());
            if place == found.len() {
                found.push((source, BTreeMap::new()));
            }
            let (_, used) = found.get_mut(place).filter(|_| place < MAX_SOURCES)?;
            if used.insert(from, channel).is_some() {
                return None;
            }
        }
        let mut segments: Vec<Segment> = Vec::new();
        let mut channels = Vec::new();
        for (source, used) in &found {
            let groups: BTreeSet<u32> = used.keys().map(|from| from / 4).collect();
            for group in groups {
                match segments.last_mut() {
                    Some(last) if last.map == **source && last.groups.end == group => last.groups.end += 1,
                    _ => segments.push(Segment { map: (*source).to_owned(), groups: group..group + 1 }),
                }
                channels.extend((group * 4..group * 4 + 4).map(|from| used.get(&from).copied()));
            }
        }
        let fits = segments.len() <= MAX_SEGMENTS && channels.len() <= MAX_CHANNELS;
        // A third more to multiply is the price at most.
        let worth = channels.len() * 3 <= map.len().next_multiple_of(4) * 4;
        (fits && worth).then(|| Self { replaces: replaces.to_owned(), segments, channels })
    }
}

impl Model {
    /// The 1x1 convolutions among the nodes that `wanted` needs that alone read a map of rearranged channels. Their weights are
    /// theirs alone: shared ones would be packed again for each.
    pub(super) fn gathers(&self, wanted: &[&str]) -> Result<Gathers> {
        let graph = &self.info().graph;
        let needed = arena::needed_nodes(graph, wanted)?;
        let mut readers: HashMap<&str, usize> = HashMap::new();
        for input in needed.iter().flat_map(|&index| &graph.nodes[index].inputs) {
            *readers.entry(input).or_insert(0) += 1;
        }
        let mut users: HashMap<&str, usize> = HashMap::new();
        for node in &graph.nodes {
            if let Op::Conv { weight, .. } | Op::ConvTranspose { weight, .. } = &node.op {
                *users.entry(weight).or_insert(0) += 1;
            }
        }
        let wanted: HashSet<&str> = wanted.iter().copied().collect();
        let mut rearranged = HashMap::new();
        let mut gathers = Gathers::new();
        for &index in &needed {
            let node = &graph.nodes[index];
            if let Op::Channels { step: 1, map } = &node.op
                && readers.get(node.name.as_str()) == Some(&1)
                && !wanted.contains(node.name.as_str())
                && !node.inputs.contains(&graph.input)
                && let Some(gather) = Gather::new(&node.name, map, &node.inputs)
            {
                rearranged.insert(node.name.as_str(), gather);
            }
            if let (Op::Conv { weight, .. }, Some(input)) = (&node.op, node.inputs.first())
                && self.is_pointwise(node)?
                && users.get(weight.as_str()) == Some(&1)
                && let Some(gather) = rearranged.remove(input.as_str())
            {
                gathers.insert(index, gather);
            }
        }
        Ok(gathers)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, Graph, InputSpec, ModelInfo, Node, Residual, Weights};
    use super::*;

    fn gather(map: &[[u32; 2]]) -> Option<Gather> {
        let map: Vec<_> = map.iter().map(|&[input, channel]| [input, channel, 0, 0]).collect();
        Gather::new("all", &map, &["a", "b", "c", "d", "e"].map(str::to_owned))
    }

    fn segments(gather: &Gather) -> Vec<(&str, Range<u32>)> {
        gather.segments.iter().map(|segment| (segment.map.as_str(), segment.groups.clone())).collect()
    }

    #[test]
    fn halves_of_a_shuffle() {
        // Channels 6..12 of a and of b in turns.
        let map: Vec<_> = (6..12).flat_map(|channel| [[1, channel], [0, channel]]).collect();
        let gather = gather(&map).unwrap();
        assert_eq!(segments(&gather), [("b", 1..3), ("a", 1..3)]);
        assert_eq!(gather.len(), 16);
        let channels = [None, None, Some(0), Some(2), Some(4), Some(6), Some(8), Some(10)];
        assert_eq!(gather.channels[..8], channels);
        assert_eq!(gather.channels[8..12], [None, None, Some(1), Some(3)]);
        let weights = Tensor { shape: vec![2, 12, 1, 1], data: (1..=24).map(|i| i as f32).collect() };
        let permuted = gather.weights(&weights);
        assert_eq!(permuted.shape, [2, 16, 1, 1]);
        assert_eq!(permuted.data[..8], [0.0, 0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
        assert_eq!(permuted.data[24..28], [0.0, 0.0, 14.0, 16.0]);
    }

    #[test]
    fn what_is_left_to_a_copy() {
        let turns = |inputs: u32, len: u32| -> Vec<[u32; 2]> {
            (0..len).flat_map(|c| (0..inputs).map(move |input| [input, c])).collect()
        };
        assert!(gather(&turns(4, 8)).is_some());
        assert!(gather(&turns(5, 8)).is_none(), "five maps");
        assert!(gather(&[[0, 1], [0, 2], [0, 1], [1, 0]]).is_none(), "one channel twice");
        // One channel of each vec4.
        let scattered: Vec<_> = (0..8).map(|c| [0, c * 4]).collect();
        assert!(gather(&scattered).is_none(), "most of what is read would not count");
        // Eight channels each, a vec4 apart.
        let apart =
            |count: u32| (0..count).flat_map(|i| (0..8).map(move |c| [0, i * 12 + c])).collect::<Vec<_>>();
        assert_eq!(gather(&apart(8)).unwrap().segments.len(), MAX_SEGMENTS);
        assert!(gather(&apart(9)).is_none(), "nine segments");
    }

    #[test]
    fn weights_of_their_own() {
        let turned = Op::Channels { step: 1, map: (0..8).rev().map(|channel| [0, channel, 0, 0]).collect() };
        let conv = |weight: &str| Op::Conv {
            weight: weight.to_owned(),
            bias: None,
            stride: [1; 2],
            padding: [0; 4],
            dilation: [1; 2],
            groups: 1,
            activation: Activation::None,
            residual: Residual::None,
        };
        let node = |name: &str, input: &str, op| Node { name: name.into(), inputs: vec![input.into()], op };
        let gathers = |second: &str| {
            let nodes = vec![
                node("a", "in", conv("first")),
                node("b", "a", turned.clone()),
                node("c", "b", conv("w")),
                node("d", "c", turned.clone()),
                node("e", "d", conv(second)),
            ];
            let mut weights = Weights::default();
            for (name, input) in [("first", 3), ("w", 8), ("v", 8)] {
                let shape = vec![8, input, 1, 1];
                weights.insert(name, Tensor { data: vec![1.0; 8 * input], shape }).unwrap();
            }
            let graph = Graph { input: "in".into(), nodes, outputs: Vec::new() };
            let model = Model::new(ModelInfo::new("test", InputSpec::plain(8, 8), graph), weights).unwrap();
            model.gathers(&["e"]).unwrap().into_keys().collect::<Vec<_>>()
        };
        assert_eq!(gathers("v"), [2, 4]);
        assert!(gathers("w").is_empty());
    }
}
