//! Recognises detection heads from the structure and the shapes of the outputs, or reads them as told.

mod joined;
mod kinds;
mod levels;
mod trace;

pub use kinds::HeadKind;

use super::lower::{Lowering, Value};
use super::options::ImportOptions;
use super::view::{Gather, Tap, View};
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::heads::{GflHead, GflLevel, Head};
use crate::model::Op;
use std::ops::Range;
use trace::{Trace, trace};

/// A recognised head and its number of classes.
pub(super) struct Found {
    pub(super) head: Head,
    pub(super) classes: usize,
}

/// A map of an output.
pub(super) struct Level {
    name: String,
    /// Where each channel comes from.
    taps: Vec<Tap>,
    /// What made each channel.
    traces: Vec<Trace>,
    shape: Shape,
    /// Input pixels per cell, where the map covers the input.
    stride: Option<u32>,
}

/// An output as maps, channels first.
pub(super) struct Tensor {
    name: String,
    levels: Vec<Level>,
}

/// Box channels: four sides.
const SIDES: usize = 4;

/// What the search knows beside the graph.
pub(super) struct Search<'o> {
    options: &'o ImportOptions,
    /// Height and width of the input.
    size: [u32; 2],
}

/// The head of the graph, if it is one of the known kinds.
///
/// # Errors
/// `Unsupported` if a kind is asked for whose outputs are not there.
pub(super) fn find(
    lowering: &mut Lowering<'_>,
    size: [u32; 2],
    options: &ImportOptions,
) -> Result<Option<Found>> {
    if options.head == Some(HeadKind::Raw) {
        return Ok(None);
    }
    let search = Search { options, size };
    let outputs: Vec<String> = lowering.graph.outputs.iter().map(|output| output.name.clone()).collect();
    let mut tensors = Vec::with_capacity(outputs.len());
    for name in &outputs {
        if let Some(tensor) = search.tensor(lowering, name)? {
            tensors.push(tensor);
        }
    }
    let found = match search.joined(lowering, &tensors)? {
        Some(found) => Some(found),
        None => search.levels(lowering, &tensors)?,
    };
    match (found, options.head) {
        (None, Some(kind)) => Err(Error::unsupported(format!(
            "its outputs are not those of head \"{kind}\": {}. The outputs are {}",
            kind.outputs(),
            described(lowering)
        ))),
        (found, _) => Ok(found),
    }
}

/// The outputs with their shapes, for a message.
pub(super) fn described(lowering: &Lowering<'_>) -> String {
    let outputs =
        lowering.graph.outputs.iter().map(|output| format!("\"{}\" {:?}", output.name, output.shape));
    outputs.collect::<Vec<_>>().join(", ")
}

impl Search<'_> {
    /// An output as maps with channels first; none if it is not of 3 to 5 axes.
    fn tensor(&self, lowering: &mut Lowering<'_>, name: &str) -> Result<Option<Tensor>> {
        let Some(value) = lowering.value_named(name) else { return Ok(None) };
        let shape = value.shape();
        // Anchors of a cell apart: [1, anchors, rows, columns, channels].
        if let (&[1, anchors, _, _, channels], Value::View(view)) = (shape.as_slice(), &value) {
            let turned = view.transpose(&[0, 1, 4, 2, 3]);
            let view = turned.and_then(|view| view.reshape(&[1, anchors * channels, shape[2], shape[3]]));
            return match view {
                Some(view) => Ok(Some(self.one(lowering, name, &view)?)),
                None => Ok(None),
            };
        }
        let maps: Vec<usize> = (lowering.graph.outputs.iter())
            .find(|output| output.name == name)
            .map(|output| output.maps.iter().filter_map(|map| lowering.map_named(map)).collect())
            .unwrap_or_default();
        let own: Vec<Shape> = maps.iter().map(|&map| lowering.maps[map].shape).collect();
        let size = |shape: &Shape| shape.sides().map(|side| side as usize);
        // Positions outnumber channels, unless the maps show which is which.
        let channels = match *shape.as_slice() {
            [a, b] | [1, a, b] => {
                let on_grid =
                    own.iter().all(|shape| shape.height > 1 && stride_of(*shape, self.size).is_some());
                let first = own.first().map_or(0, |shape| shape.channels as usize);
                if on_grid && (first == a || first == b) { first } else { a.min(b) }
            }
            [1, c, h, w] => match own.as_slice() {
                [shape] if size(shape) == [w, c, h] => w,
                _ => c,
            },
            _ => return Ok(None),
        };
        if !own.is_empty() && own.iter().all(|shape| shape.channels as usize == channels) {
            let flat_rank_4 = shape.len() == 4 && own.iter().any(|own| own.height == 1 && shape[2] > 1);
            if !flat_rank_4 {
                let levels = maps.into_iter().map(|map| self.level(lowering, map)).collect();
                return Ok(Some(Tensor { name: name.to_owned(), levels }));
            }
        }
        let mut view = lowering.view_of(name, &value)?;
        if let &[a, b] = shape.as_slice() {
            view = view.reshape(&[1, a, b]).unwrap_or(view);
        }
        let rows = view.shape();
        let view = match *rows.as_slice() {
            [_, c, _, _] if c == channels => Some(view),
            [_, _, _, _] => view.transpose(&[0, 3, 1, 2]),
            [_, a, b] => {
                let view = if a == channels { Some(view) } else { view.transpose(&[0, 2, 1]) };
                view.and_then(|view| view.reshape(&[1, channels, 1, a * b / channels.max(1)]))
            }
            _ => None,
        };
        view.map(|view| self.one(lowering, name, &view)).transpose()
    }

    /// The tensor with all its positions in one map.
    fn flat(&self, lowering: &mut Lowering<'_>, tensor: &Tensor) -> Result<Option<Tensor>> {
        let Some(value) = lowering.value_named(&tensor.name) else { return Ok(None) };
        let &[1, a, b] = value.shape().as_slice() else { return Ok(None) };
        let channels = tensor.levels.first().map_or(0, Level::channels);
        let mut view = lowering.view_of(&tensor.name, &value)?;
        if channels != a {
            view = view.transpose(&[0, 2, 1]).unwrap_or(view);
        }
        let view = view.reshape(&[1, channels, 1, a * b / channels.max(1)]);
        view.map(|view| self.one(lowering, &tensor.name, &view)).transpose()
    }

    fn one(&self, lowering: &mut Lowering<'_>, name: &str, view: &View) -> Result<Tensor> {
        let sides = view.shape();
        let map = lowering.as_sides(name, view, [sides[1], sides[2], sides[3]])?;
        Ok(Tensor { name: name.to_owned(), levels: vec![self.level(lowering, map)] })
    }

    /// What is known of a map.
    fn level(&self, lowering: &Lowering<'_>, map: usize) -> Level {
        let shape = lowering.maps[map].shape;
        let taps = through(lowering, map).unwrap_or_else(|| {
            (0..shape.channels).map(|channel| Tap { map, channel, dy: 0, dx: 0 }).collect()
        });
        let traces = taps.iter().map(|tap| trace(lowering, tap.map, tap.channel)).collect();
        let name = lowering.maps[map].name.clone();
        Level { name, taps, traces, shape, stride: stride_of(shape, self.size) }
    }
}

/// The channels that a channel node takes, if one makes the map.
fn through(lowering: &Lowering<'_>, map: usize) -> Option<Vec<Tap>> {
    let node = lowering.maker(map)?;
    let Op::Channels { step: 1, map: rows } = &node.op else { return None };
    let sources: Vec<usize> =
        node.inputs.iter().map(|input| lowering.map_named(input)).collect::<Option<_>>()?;
    rows.iter()
        .map(|&[input, channel, ..]| Some(Tap { map: *sources.get(input as usize)?, channel, dy: 0, dx: 0 }))
        .collect()
}

/// The stride of a map: a power of two if one fits, else the exact quotient.
fn stride_of(shape: Shape, size: [u32; 2]) -> Option<u32> {
    let fits =
        |stride: u32| shape.height == size[0].div_ceil(stride) && shape.width == size[1].div_ceil(stride);
    let powers = (0..13).map(|power| 1 << power);
    powers.chain([size[0] / shape.height]).find(|&stride| stride > 0 && fits(stride))
}

impl Level {
    fn channels(&self) -> usize {
        self.taps.len()
    }

    /// Channels from `first` on that are probabilities.
    fn bounded_from(&self, first: usize) -> usize {
        self.traces.iter().skip(first).take_while(|trace| trace.bounded()).count()
    }

    fn all(&self, channels: Range<usize>, test: impl Fn(&Trace) -> bool) -> bool {
        self.traces.get(channels).is_some_and(|traces| traces.iter().all(test))
    }

    /// The name of the map of those channels, made if it is not there.
    fn piece(&self, lowering: &mut Lowering<'_>, channels: Range<usize>, kind: &str) -> Result<String> {
        let taps = self.taps.get(channels).unwrap_or(&[]).to_vec();
        let count = u32::try_from(taps.len()).unwrap_or(0);
        let shape = Shape::new(count, self.shape.height, self.shape.width);
        let map = lowering.gather(&format!("{}.{kind}", self.name), Gather { taps, step: 1, shape })?;
        Ok(lowering.maps[map].name.clone())
    }
}

fn gfl(mut levels: Vec<GflLevel>, bins: usize, classes: usize, (centre, sigmoid): (f32, bool)) -> Found {
    levels.sort_by_key(|level| level.stride);
    let bins = u32::try_from(bins).unwrap_or(0);
    Found { head: Head::Gfl(GflHead { bins, centre, sigmoid, levels }), classes }
}
