//! Recognises detection heads from the structure and the shapes of the outputs.

use super::lower::Lowering;
use super::options::ImportOptions;
use super::view::{Gather, Tap};
use crate::error::Result;
use crate::geom::Shape;
use crate::heads::{GflHead, GflLevel, Head, YoloxHead, YoloxLevel};
use crate::model::{Activation, Op};
use std::ops::Range;

/// A recognised head and its number of classes.
pub(super) struct Found {
    pub(super) head: Head,
    pub(super) classes: usize,
}

/// A map of an output: where each channel comes from and whether a sigmoid made it.
struct Level {
    name: String,
    taps: Vec<Tap>,
    bounded: Vec<bool>,
    shape: Shape,
    stride: u32,
}

/// Box channels: four sides.
const SIDES: usize = 4;

/// The head of the graph, if it is one of the known kinds.
pub(super) fn find(
    lowering: &mut Lowering<'_>,
    size: [u32; 2],
    options: &ImportOptions,
) -> Result<Option<Found>> {
    let outputs: Vec<Vec<String>> = lowering.graph.outputs.iter().map(|output| output.maps.clone()).collect();
    let mut all = Vec::with_capacity(outputs.len());
    for maps in outputs {
        let Some(levels) = maps.iter().map(|name| level(lowering, name, size)).collect::<Option<Vec<_>>>()
        else {
            return Ok(None);
        };
        all.push(levels);
    }
    for levels in &all {
        if let Some(found) = yolox(lowering, levels)? {
            return Ok(Some(found));
        }
        if let Some(found) = joined_gfl(lowering, levels, options)? {
            return Ok(Some(found));
        }
    }
    Ok(separate_gfl(&all.into_iter().flatten().collect::<Vec<_>>(), options))
}

/// What is known of a map of an output; none if it lies on no stride of the input.
fn level(lowering: &Lowering<'_>, name: &str, size: [u32; 2]) -> Option<Level> {
    let map = lowering.maps.iter().position(|map| map.name == name)?;
    let shape = lowering.maps[map].shape;
    let whole = || (0..shape.channels).map(|channel| Tap { map, channel, dy: 0, dx: 0 }).collect();
    let taps: Vec<Tap> = match lowering.maker(map) {
        Some(node) => match &node.op {
            Op::Channels { step: 1, map: rows } => {
                let sources: Vec<usize> = node
                    .inputs
                    .iter()
                    .map(|input| lowering.maps.iter().position(|map| map.name == *input))
                    .collect::<Option<_>>()?;
                rows.iter()
                    .map(|&[input, channel, ..]| {
                        Some(Tap { map: *sources.get(input as usize)?, channel, dy: 0, dx: 0 })
                    })
                    .collect::<Option<_>>()?
            }
            _ => whole(),
        },
        None => whole(),
    };
    let is_bounded = |map: usize| {
        let op = lowering.maker(map).map(|node| &node.op);
        matches!(op, Some(Op::Activate { activation: Activation::Sigmoid }))
    };
    let bounded = taps.iter().map(|tap| is_bounded(tap.map)).collect();
    Some(Level { name: name.to_owned(), taps, bounded, shape, stride: stride_of(shape, size)? })
}

/// The stride of a map: a power of two if one fits, else the exact quotient.
fn stride_of(shape: Shape, size: [u32; 2]) -> Option<u32> {
    let fits =
        |stride: u32| shape.height == size[0].div_ceil(stride) && shape.width == size[1].div_ceil(stride);
    let powers = (0..13).map(|power| 1 << power);
    powers.chain([size[0] / shape.height]).find(|&stride| stride > 0 && fits(stride))
}

impl Level {
    /// Whether the channels are `raw` ones without sigmoid and `bounded` ones with, in that order.
    fn is_raw_then_bounded(&self, raw: usize) -> bool {
        self.bounded.len() > raw && self.bounded.iter().enumerate().all(|(i, &bounded)| bounded == (i >= raw))
    }

    /// Number of leading channels with sigmoid, if all others are without.
    fn bounded_then_raw(&self) -> Option<usize> {
        let count = self.bounded.iter().take_while(|&&bounded| bounded).count();
        self.bounded.iter().skip(count).all(|&bounded| !bounded).then_some(count)
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

fn yolox(lowering: &mut Lowering<'_>, levels: &[Level]) -> Result<Option<Found>> {
    let Some(first) = levels.first() else { return Ok(None) };
    let channels = first.taps.len();
    let fits = |l: &Level| l.taps.len() == channels && channels > SIDES + 1 && l.is_raw_then_bounded(SIDES);
    if !levels.iter().all(fits) {
        return Ok(None);
    }
    let mut found = Vec::with_capacity(levels.len());
    for level in levels {
        found.push(YoloxLevel {
            stride: level.stride,
            boxes: level.piece(lowering, 0..SIDES, "boxes")?,
            objectness: level.piece(lowering, SIDES..SIDES + 1, "objectness")?,
            classes: level.piece(lowering, SIDES + 1..channels, "classes")?,
        });
    }
    let head = Head::Yolox(YoloxHead { levels: found });
    Ok(Some(Found { head, classes: channels - SIDES - 1 }))
}

/// Bins per side of that many distribution channels.
fn bins_of(channels: usize) -> Option<u32> {
    let bins = u32::try_from(channels / SIDES).ok()?;
    (channels.is_multiple_of(SIDES) && (2..=64).contains(&bins)).then_some(bins)
}

/// Levels whose maps hold classes and distributions one after the other.
fn joined_gfl(
    lowering: &mut Lowering<'_>,
    levels: &[Level],
    options: &ImportOptions,
) -> Result<Option<Found>> {
    let Some(first) = levels.first() else { return Ok(None) };
    let (channels, classes) = (first.taps.len(), first.bounded_then_raw().unwrap_or(0));
    let Some(bins) = bins_of(channels - classes).filter(|_| classes > 0) else { return Ok(None) };
    if levels.iter().any(|l| l.taps.len() != channels || l.bounded_then_raw() != Some(classes)) {
        return Ok(None);
    }
    let mut found = Vec::with_capacity(levels.len());
    for level in levels {
        found.push(GflLevel {
            stride: level.stride,
            classes: level.piece(lowering, 0..classes, "classes")?,
            distances: level.piece(lowering, classes..channels, "distances")?,
        });
    }
    Ok(Some(gfl(found, bins, classes, options)))
}

/// Levels with a map for the classes and one for the distributions, paired by their size.
fn separate_gfl(maps: &[Level], options: &ImportOptions) -> Option<Found> {
    let (scores, distances): (Vec<_>, Vec<_>) =
        maps.iter().partition(|map| map.bounded_then_raw() == Some(map.taps.len()));
    let classes = scores.first()?.taps.len();
    let channels = distances.first()?.taps.len();
    let bins = bins_of(channels)?;
    if scores.len() != distances.len()
        || scores.iter().any(|map| map.taps.len() != classes)
        || distances.iter().any(|map| map.taps.len() != channels || map.bounded_then_raw() != Some(0))
    {
        return None;
    }
    let size = |map: &Level| (map.shape.height, map.shape.width);
    let mut found = Vec::with_capacity(scores.len());
    for score in &scores {
        let mut partners = distances.iter().filter(|map| size(map) == size(score));
        let partner = partners.next()?;
        if partners.next().is_some() || scores.iter().filter(|map| size(map) == size(score)).count() > 1 {
            return None;
        }
        found.push(GflLevel {
            stride: score.stride,
            classes: score.name.clone(),
            distances: partner.name.clone(),
        });
    }
    Some(gfl(found, bins, classes, options))
}

fn gfl(mut levels: Vec<GflLevel>, bins: u32, classes: usize, options: &ImportOptions) -> Found {
    levels.sort_by_key(|level| level.stride);
    let centre = options.head_centre.unwrap_or(0.0);
    Found { head: Head::Gfl(GflHead { bins, centre, sigmoid: false, levels }), classes }
}
