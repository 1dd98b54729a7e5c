//! Heads whose outputs hold all levels: one tensor of boxes and scores, or one of each.

use super::super::lower::Lowering;
use super::super::view::{Gather, Tap};
use super::trace::Last;
use super::{Found, HeadKind, Level, SIDES, Search, Tensor, gfl};
use crate::error::Result;
use crate::geom::Shape;
use crate::heads::{BoxForm, DenseHead, DenseLevel, GflLevel, Head, ScoreForm, YoloxHead, YoloxLevel};
use crate::model::{Activation, BinaryKind, Op};

/// Bins of the distributions of YOLOv8 and what followed it.
const DFL_BINS: usize = 16;

impl Search<'_> {
    /// A head in one tensor, or in one of boxes and one of scores.
    pub(super) fn joined(&self, lowering: &mut Lowering<'_>, tensors: &[Tensor]) -> Result<Option<Found>> {
        let wants = |kinds: &[HeadKind]| self.options.head.is_none_or(|kind| kinds.contains(&kind));
        for tensor in tensors {
            let levels = tensor.levels.as_slice();
            let Some(first) = levels.first() else { continue };
            let channels = first.channels();
            if levels.iter().any(|level| level.channels() != channels) || channels <= SIDES {
                continue;
            }
            let on_grid = levels.iter().all(|level| level.stride.is_some());
            if wants(&[HeadKind::FastestDet]) && on_grid && levels.len() == 1 && is_fastest(first) {
                return fastest(lowering, first).map(Some);
            }
            let raw = levels.iter().all(|l| l.all(0..SIDES, |t| t.last == Last::Raw));
            let rest_bounded =
                channels > SIDES + 1 && levels.iter().all(|l| l.bounded_from(SIDES) == channels - SIDES);
            if wants(&[HeadKind::Yolox]) && on_grid && raw && rest_bounded {
                return yolox(lowering, levels).map(Some);
            }
            let classes = first.bounded_from(0);
            let bins = (channels - classes) / SIDES;
            let distributions = (channels - classes).is_multiple_of(SIDES)
                && (2..=64).contains(&bins)
                && levels.iter().all(|l| l.bounded_from(0) == classes && l.all(classes..channels, is_raw));
            if wants(&[HeadKind::Gfl]) && on_grid && classes > 0 && distributions {
                return self.gfl_after_classes(lowering, levels, classes, bins).map(Some);
            }
            if wants(&[HeadKind::Yolov8]) && on_grid && is_dfl(first, levels.len()) {
                return dfl(lowering, levels).map(Some);
            }
            let decoded = !raw && levels.iter().all(|l| l.all(0..SIDES, |t| !t.bounded()));
            if wants(&[HeadKind::DecodedCentre, HeadKind::DecodedCorners])
                && decoded
                && levels.iter().all(|l| l.bounded_from(SIDES) > 0)
            {
                return self.decoded(lowering, levels).map(Some);
            }
        }
        if wants(&[HeadKind::DecodedCentre, HeadKind::DecodedCorners]) {
            return self.boxes_and_scores(lowering, tensors);
        }
        Ok(None)
    }

    fn gfl_after_classes(
        &self,
        lowering: &mut Lowering<'_>,
        levels: &[Level],
        classes: usize,
        bins: usize,
    ) -> Result<Found> {
        let mut found = Vec::with_capacity(levels.len());
        for level in levels {
            found.push(GflLevel {
                stride: level.stride.unwrap_or(1),
                classes: level.piece(lowering, 0..classes, "classes")?,
                distances: level.piece(lowering, classes..level.channels(), "distances")?,
            });
        }
        Ok(gfl(found, bins, classes, (self.options.head_centre.unwrap_or(0.0), false)))
    }

    /// Whether boxes are given by corners: the first channels are a difference and the last ones a sum.
    fn corners(&self, level: &Level, unless: bool) -> bool {
        match self.options.head {
            Some(HeadKind::DecodedCorners) => true,
            Some(HeadKind::DecodedCentre) => false,
            _ => match (level.traces[0].sum, level.traces[2].sum) {
                (Some(BinaryKind::Subtract), Some(BinaryKind::Add)) => true,
                (Some(BinaryKind::Add), Some(BinaryKind::Subtract)) => false,
                (Some(_), None) => false,
                _ => unless,
            },
        }
    }

    /// Boxes in pixels, then perhaps objectness, then classes.
    fn decoded(&self, lowering: &mut Lowering<'_>, levels: &[Level]) -> Result<Found> {
        let first = &levels[0];
        let run = first.bounded_from(SIDES);
        let named = self.options.classes.as_ref().map(Vec::len);
        let conv = |channel: usize| first.traces.get(channel).and_then(|trace| trace.conv);
        let objectness = match named {
            Some(names) if names + 1 == run => true,
            Some(names) if names <= run => false,
            _ => run > 1 && (conv(0) == conv(SIDES + 1) || conv(SIDES) != conv(SIDES + 1)),
        };
        let start = SIDES + usize::from(objectness);
        let classes = named.filter(|&names| names <= run).unwrap_or(run - usize::from(objectness));
        let form = if self.corners(first, false) { BoxForm::Corners } else { BoxForm::Centre };
        let mut found = Vec::with_capacity(levels.len());
        for level in levels {
            found.push(DenseLevel {
                boxes: level.piece(lowering, 0..SIDES, "boxes")?,
                classes: level.piece(lowering, start..start + classes, "classes")?,
                objectness: if objectness {
                    Some(level.piece(lowering, SIDES..start, "objectness")?)
                } else {
                    None
                },
                stride: [0.0; 2],
                offset: [0.0; 2],
                gain: self.box_unit(),
                size: self.box_unit(),
            });
        }
        Ok(Found { head: dense(form, ScoreForm::default(), found), classes })
    }

    /// Input pixels of a unit of decoded boxes.
    fn box_unit(&self) -> [f32; 2] {
        let [height, width] = self.size;
        if self.options.boxes_relative { [f32_of(width), f32_of(height)] } else { [1.0; 2] }
    }

    /// A tensor of boxes and one of scores, or several of each in turn, of as many positions.
    fn boxes_and_scores(&self, lowering: &mut Lowering<'_>, tensors: &[Tensor]) -> Result<Option<Found>> {
        let mut whole = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            if tensor.levels.len() == 1 {
                whole.push(None);
            } else {
                whole.push(self.flat(lowering, tensor)?);
            }
        }
        let tensors: Vec<&Tensor> =
            tensors.iter().zip(&whole).map(|(tensor, whole)| whole.as_ref().unwrap_or(tensor)).collect();
        let decoded = |tensor: &&&Tensor| {
            tensor.levels.len() == 1
                && tensor.levels[0].channels() == SIDES
                && tensor.levels[0].stride.is_none()
                && tensor.levels[0].all(0..SIDES, |t| t.last != Last::Raw && !t.bounded())
        };
        let Some(boxes) = tensors.iter().find(decoded) else { return Ok(None) };
        let level = &boxes.levels[0];
        let scored = |tensor: &&&Tensor| {
            tensor.name != boxes.name
                && tensor.levels.len() == 1
                && tensor.levels[0].shape.pixels() == level.shape.pixels()
                && tensor.levels[0].traces.iter().all(|t| t.bounded() || t.last == Last::Arithmetic)
        };
        let Some(scores) = tensors.iter().find(scored) else { return Ok(None) };
        let scores = &scores.levels[0];
        // Of a softmax over classes the first is the background.
        let background = usize::from(scores.channels() > 1 && scores.all(0..1, |t| t.last == Last::Softmax));
        let classes = scores.channels() - background;
        let form = if self.corners(level, true) { BoxForm::Corners } else { BoxForm::Centre };
        let found = DenseLevel {
            boxes: level.piece(lowering, 0..SIDES, "boxes")?,
            classes: scores.piece(lowering, background..scores.channels(), "classes")?,
            objectness: None,
            stride: [0.0; 2],
            offset: [0.0; 2],
            gain: self.box_unit(),
            size: self.box_unit(),
        };
        Ok(Some(Found { head: dense(form, ScoreForm::default(), vec![found]), classes }))
    }
}

fn is_raw(trace: &super::Trace) -> bool {
    trace.last == Last::Raw
}

#[expect(clippy::cast_precision_loss, reason = "sides of pictures")]
pub(super) fn f32_of(value: u32) -> f32 {
    value as f32
}

pub(super) fn dense(boxes: BoxForm, score: ScoreForm, levels: Vec<DenseLevel>) -> Head {
    Head::Dense(DenseHead { boxes, box_sigmoid: false, size_factor: 1.0, score, levels })
}

fn yolox(lowering: &mut Lowering<'_>, levels: &[Level]) -> Result<Found> {
    let channels = levels[0].channels();
    let mut found = Vec::with_capacity(levels.len());
    for level in levels {
        found.push(YoloxLevel {
            stride: level.stride.unwrap_or(1),
            boxes: level.piece(lowering, 0..SIDES, "boxes")?,
            objectness: level.piece(lowering, SIDES..SIDES + 1, "objectness")?,
            classes: level.piece(lowering, SIDES + 1..channels, "classes")?,
        });
    }
    Ok(Found { head: Head::Yolox(YoloxHead { levels: found }), classes: channels - SIDES - 1 })
}

/// Objectness, two offsets and two sizes, which want tanh and sigmoid if they are raw, classes by softmax.
fn is_fastest(level: &Level) -> bool {
    let channels = level.channels();
    channels > 5
        && level.all(0..1, |t| t.last == Last::Sigmoid)
        && (level.all(1..5, is_raw)
            || (level.all(1..3, |t| t.last == Last::Tanh) && level.all(3..5, |t| t.last == Last::Sigmoid)))
        && level.all(5..channels, |t| t.last == Last::Softmax)
}

fn fastest(lowering: &mut Lowering<'_>, level: &Level) -> Result<Found> {
    let channels = level.channels();
    let stride = f32_of(level.stride.unwrap_or(1));
    let input = [level.shape.width, level.shape.height].map(|side| f32_of(side) * stride);
    let mut boxes = level.piece(lowering, 1..5, "boxes")?;
    if level.all(1..5, is_raw) {
        boxes = bounded_boxes(lowering, level, &boxes)?;
    }
    let found = DenseLevel {
        boxes,
        classes: level.piece(lowering, 5..channels, "classes")?,
        objectness: Some(level.piece(lowering, 0..1, "objectness")?),
        stride: [stride; 2],
        offset: [0.0; 2],
        gain: [stride; 2],
        size: input,
    };
    let score = ScoreForm { class_power: 0.4, objectness_power: 0.6, ..ScoreForm::default() };
    Ok(Found { head: dense(BoxForm::Centre, score, vec![found]), classes: channels - 5 })
}

/// Offsets through tanh, sizes through a sigmoid.
fn bounded_boxes(lowering: &mut Lowering<'_>, level: &Level, name: &str) -> Result<String> {
    let mut taps = Vec::with_capacity(SIDES);
    for (channels, activation) in [(1..3, Activation::Tanh), (3..5, Activation::Sigmoid)] {
        let raw = level.piece(lowering, channels, "raw")?;
        let Some(map) = lowering.map_named(&raw) else { continue };
        let shape = lowering.maps[map].shape;
        let map = lowering.emit(&format!("{raw}.bounded"), Op::Activate { activation }, &[map], shape)?;
        taps.extend((0..shape.channels).map(|channel| Tap { map, channel, dy: 0, dx: 0 }));
    }
    let shape = Shape::new(4, level.shape.height, level.shape.width);
    let map = lowering.gather(&format!("{name}.bounded"), Gather { taps, step: 1, shape })?;
    Ok(lowering.maps[map].name.clone())
}

/// Distributions and class logits in one map per level, made by different convolutions.
fn is_dfl(level: &Level, levels: usize) -> bool {
    let boxes = SIDES * DFL_BINS;
    let conv = |channel: usize| level.traces.get(channel).and_then(|trace| trace.conv);
    levels >= 1
        && level.channels() > boxes
        && level.all(0..level.channels(), is_raw)
        && conv(0) == conv(boxes - 1)
        && conv(0) != conv(boxes)
}

fn dfl(lowering: &mut Lowering<'_>, levels: &[Level]) -> Result<Found> {
    let (boxes, channels) = (SIDES * DFL_BINS, levels[0].channels());
    let mut found = Vec::with_capacity(levels.len());
    for level in levels {
        found.push(GflLevel {
            stride: level.stride.unwrap_or(1),
            classes: level.piece(lowering, boxes..channels, "classes")?,
            distances: level.piece(lowering, 0..boxes, "distances")?,
        });
    }
    Ok(gfl(found, DFL_BINS, channels - boxes, (0.5, true)))
}
