//! Heads whose outputs are maps of each level.

use super::super::lower::Lowering;
use super::joined::{dense, f32_of};
use super::trace::Last;
use super::{Found, HeadKind, Level, SIDES, Search, Tensor, gfl};
use crate::error::Result;
use crate::heads::{BoxForm, DenseHead, DenseLevel, GflLevel, Head, ScoreForm};

/// The maps of one level.
struct Group<'l> {
    stride: u32,
    boxes: &'l Level,
    classes: &'l Level,
    third: Option<&'l Level>,
}

/// Anchors of YOLOv5 and YOLOv7 on COCO, width and height in pixels, for strides 8, 16, 32.
const YOLOV5_ANCHORS: [[[f32; 2]; 3]; 3] = [
    [[10.0, 13.0], [16.0, 30.0], [33.0, 23.0]],
    [[30.0, 61.0], [62.0, 45.0], [59.0, 119.0]],
    [[116.0, 90.0], [156.0, 198.0], [373.0, 326.0]],
];

/// Bins of the distance distributions of the usual heads: NanoDet, YOLOv8, GFL.
const BINS: [usize; 3] = [8, 16, 17];

impl Search<'_> {
    /// A head of maps per level.
    pub(super) fn levels(&self, lowering: &mut Lowering<'_>, tensors: &[Tensor]) -> Result<Option<Found>> {
        let wants = |kinds: &[HeadKind]| self.options.head.is_none_or(|kind| kinds.contains(&kind));
        let all: Vec<&Level> = tensors.iter().flat_map(|tensor| &tensor.levels).collect();
        if wants(&[HeadKind::Yolov5])
            && let Some(found) = self.yolov5(lowering, &all)?
        {
            return Ok(Some(found));
        }
        let Some(groups) = groups(&all) else { return Ok(None) };
        let Some(first) = groups.first() else { return Ok(None) };
        let (boxes, classes) = (first.boxes.channels(), first.classes.channels());
        let logits = !first.classes.traces.iter().all(|t| t.bounded() || t.last == Last::Arithmetic);
        let bins = boxes / SIDES;
        let distributed = boxes.is_multiple_of(SIDES) && bins > 1;
        if distributed
            && wants(&[HeadKind::Gfl, HeadKind::Yolov8])
            && (BINS.contains(&bins) || self.options.head.is_some() || (!logits && bins != 9))
        {
            return self.distributions(lowering, &groups, bins, logits).map(Some);
        }
        if distributed && wants(&[HeadKind::RetinaNet]) && classes.is_multiple_of(bins) {
            return self.retinanet(lowering, &groups, logits).map(Some);
        }
        if boxes != SIDES {
            return Ok(None);
        }
        let third_bounded = first.third.is_some_and(|level| level.traces.iter().all(super::Trace::bounded));
        let raw = first.boxes.traces.iter().all(|trace| trace.last == Last::Raw);
        let kind = match (self.options.head, first.third) {
            (Some(kind), _) => kind,
            (None, Some(_)) if classes == 1 && raw && third_bounded && !logits => HeadKind::YuNet,
            (None, Some(_)) if !raw => HeadKind::Fcos,
            (None, Some(_)) if groups.len() >= 5 => HeadKind::Atss,
            (None, Some(_)) => HeadKind::Yolox,
            // Exponentials of a common factor are in cells; with one of their own per level they are in pixels.
            (None, None) if raw || self.unscaled(lowering, &groups) => HeadKind::Tood,
            (None, None) => HeadKind::VfNet,
        };
        let (form, offset) = match kind {
            HeadKind::Yolox | HeadKind::YuNet | HeadKind::Atss => (BoxForm::CentreExp, 0.0),
            HeadKind::Fcos | HeadKind::VfNet | HeadKind::Tood => (BoxForm::Distances, 0.5),
            _ => return Ok(None),
        };
        let mut score = ScoreForm {
            class_sigmoid: logits,
            objectness_sigmoid: first.third.is_some() && !third_bounded,
            ..ScoreForm::default()
        };
        if kind == HeadKind::YuNet {
            (score.class_power, score.objectness_power) = (0.5, 0.5);
        }
        let mut found = Vec::with_capacity(groups.len());
        for group in &groups {
            let stride = f32_of(group.stride);
            let (gain, size) = match kind {
                HeadKind::Atss => (0.1 * 8.0 * stride, 8.0 * stride),
                HeadKind::Fcos | HeadKind::VfNet => (1.0, 1.0),
                _ => (stride, stride),
            };
            found.push(DenseLevel {
                boxes: group.boxes.name.clone(),
                classes: group.classes.name.clone(),
                objectness: group.third.map(|level| level.name.clone()),
                stride: [stride; 2],
                offset: [self.options.head_centre.unwrap_or(offset); 2],
                gain: [gain; 2],
                size: [size; 2],
            });
        }
        let size_factor = if kind == HeadKind::Atss { 0.2 } else { 1.0 };
        let head = DenseHead { boxes: form, box_sigmoid: false, size_factor, score, levels: found };
        Ok(Some(Found { head: Head::Dense(head), classes }))
    }

    fn distributions(
        &self,
        lowering: &mut Lowering<'_>,
        groups: &[Group<'_>],
        bins: usize,
        logits: bool,
    ) -> Result<Found> {
        let classes = groups[0].classes.channels();
        let mut found = Vec::with_capacity(groups.len());
        for group in groups {
            found.push(GflLevel {
                stride: group.stride,
                classes: group.classes.piece(lowering, 0..classes, "classes")?,
                distances: group.boxes.piece(lowering, 0..SIDES * bins, "distances")?,
            });
        }
        // YOLOv8 and PicoDet point at the middle of a cell, NanoDet at its corner.
        let default = if logits { 0.5 } else { 0.0 };
        Ok(gfl(found, bins, classes, (self.options.head_centre.unwrap_or(default), logits)))
    }

    /// Whether no level multiplies its boxes by its stride.
    fn unscaled(&self, lowering: &Lowering<'_>, groups: &[Group<'_>]) -> bool {
        groups.len() > 1
            && groups.iter().all(|group| {
                let Some(map) = lowering.map_named(&group.boxes.name) else { return false };
                let stride = f32_of(group.stride);
                !lowering.factors(map).iter().any(|factor| (factor - stride).abs() < 1e-3 * stride)
            })
    }

    /// Three anchors per level, each of four sides, objectness and classes, as logits or after a sigmoid.
    fn yolov5(&self, lowering: &mut Lowering<'_>, all: &[&Level]) -> Result<Option<Found>> {
        let Some(first) = all.first() else { return Ok(None) };
        let channels = first.channels();
        let per_anchor = channels / 3;
        let one_conv =
            |level: &Level| level.traces.iter().all(|t| t.conv.is_some() && t.conv == level.traces[0].conv);
        let fits = channels.is_multiple_of(3)
            && per_anchor > SIDES + 1
            && (2..=4).contains(&all.len())
            && all
                .iter()
                .all(|level| level.channels() == channels && level.stride.is_some() && one_conv(level));
        let mut strides: Vec<u32> = all.iter().filter_map(|level| level.stride).collect();
        strides.sort_unstable();
        if strides.first().is_none_or(|&stride| stride < 4)
            || strides.windows(2).any(|pair| pair[0] == pair[1])
        {
            return Ok(None);
        }
        let sigmoid = all.iter().all(|level| level.all(0..channels, super::Trace::bounded));
        let raw = all.iter().all(|level| level.all(0..channels, |t| t.last == Last::Raw));
        if !fits || !(sigmoid || raw) {
            return Ok(None);
        }
        let mut sorted = all.to_vec();
        sorted.sort_by_key(|level| level.stride);
        let mut found = Vec::new();
        for (index, level) in sorted.iter().enumerate() {
            let stride = f32_of(level.stride.unwrap_or(1));
            let anchors = match &self.options.anchors {
                Some(anchors) => anchors.get(index).cloned().unwrap_or_default(),
                None => YOLOV5_ANCHORS.get(index).map(|anchors| anchors.to_vec()).unwrap_or_default(),
            };
            if anchors.len() != 3 {
                return Err(crate::error::Error::input(format!(
                    "level {index} of {} has no three anchors: give the anchors of all levels",
                    sorted.len()
                )));
            }
            for (anchor, size) in anchors.into_iter().enumerate() {
                let start = anchor * per_anchor;
                let kind = |part: &str| format!("anchor{anchor}.{part}");
                let scores = start + SIDES;
                found.push(DenseLevel {
                    boxes: level.piece(lowering, start..scores, &kind("boxes"))?,
                    objectness: Some(level.piece(lowering, scores..scores + 1, &kind("objectness"))?),
                    classes: level.piece(lowering, scores + 1..start + per_anchor, &kind("classes"))?,
                    stride: [stride; 2],
                    offset: [-0.5; 2],
                    gain: [2.0 * stride; 2],
                    size,
                });
            }
        }
        let score = ScoreForm { class_sigmoid: raw, objectness_sigmoid: raw, ..ScoreForm::default() };
        let mut head = dense(BoxForm::CentreSquare, score, found);
        if let Head::Dense(head) = &mut head {
            head.box_sigmoid = raw;
        }
        Ok(Some(Found { head, classes: per_anchor - SIDES - 1 }))
    }

    /// Nine anchors per cell: three sizes by three shapes, boxes as offsets from them.
    fn retinanet(&self, lowering: &mut Lowering<'_>, groups: &[Group<'_>], logits: bool) -> Result<Found> {
        let count = groups[0].boxes.channels() / SIDES;
        let classes = groups[0].classes.channels() / count;
        let mut found = Vec::with_capacity(groups.len() * count);
        for (index, group) in groups.iter().enumerate() {
            let stride = f32_of(group.stride);
            let given = self.options.anchors.as_ref().and_then(|anchors| anchors.get(index));
            for anchor in 0..count {
                let size = match given.and_then(|anchors| anchors.get(anchor)) {
                    Some(&size) => size,
                    None => retina_anchor(anchor, stride),
                };
                let kind = |part: &str| format!("anchor{anchor}.{part}");
                found.push(DenseLevel {
                    boxes: group.boxes.piece(
                        lowering,
                        anchor * SIDES..(anchor + 1) * SIDES,
                        &kind("boxes"),
                    )?,
                    classes: group.classes.piece(
                        lowering,
                        anchor * classes..(anchor + 1) * classes,
                        &kind("classes"),
                    )?,
                    objectness: None,
                    stride: [stride; 2],
                    offset: [self.options.head_centre.unwrap_or(0.0); 2],
                    gain: size,
                    size,
                });
            }
        }
        let score = ScoreForm { class_sigmoid: logits, ..ScoreForm::default() };
        Ok(Found { head: dense(BoxForm::CentreExp, score, found), classes })
    }
}

/// RetinaNet's anchors: four strides times 1, 2^(1/3), 2^(2/3), for heights half, once and twice the widths.
fn retina_anchor(index: usize, stride: f32) -> [f32; 2] {
    let scale = [1.0, 1.259_921, 1.587_401][index % 3];
    let shape = [0.5_f32, 1.0, 2.0][index / 3 % 3].sqrt();
    [4.0 * stride * scale / shape, 4.0 * stride * scale * shape]
}

/// The maps of each size: which are boxes, which classes, and a third of one channel; finest first.
fn groups<'l>(all: &[&'l Level]) -> Option<Vec<Group<'l>>> {
    let mut strides: Vec<u32> = all.iter().filter_map(|level| level.stride).collect();
    strides.sort_unstable();
    strides.dedup();
    let mut groups = Vec::with_capacity(strides.len());
    for stride in strides {
        let maps: Vec<&Level> = all.iter().copied().filter(|level| level.stride == Some(stride)).collect();
        if !(2..=4).contains(&maps.len()) {
            return None;
        }
        let is_box = |level: &&Level| {
            let channels = level.channels();
            channels.is_multiple_of(SIDES)
                && !level.all(0..channels, super::Trace::bounded)
                && (channels == SIDES || BINS.contains(&(channels / SIDES)) || channels == 9 * SIDES)
        };
        // Classes come before boxes where both could be either.
        let four = maps.iter().rposition(|level| level.channels() == SIDES && is_box(level));
        let at = four.or_else(|| maps.iter().rposition(is_box))?;
        let mut rest = maps.iter().enumerate().filter(|&(index, _)| index != at).map(|(_, level)| *level);
        let classes = rest.clone().max_by_key(|level| {
            if level.channels() == 10 && maps.len() == 4 { 0 } else { level.channels() }
        })?;
        let classes = rest.clone().find(|level| level.channels() == classes.channels())?;
        let third = rest.find(|level| level.channels() == 1 && !std::ptr::eq(*level, classes));
        groups.push(Group { stride, boxes: maps[at], classes, third });
    }
    let alike = |group: &Group<'_>| {
        (group.boxes.channels(), group.classes.channels(), group.third.is_some())
            == (groups[0].boxes.channels(), groups[0].classes.channels(), groups[0].third.is_some())
    };
    (!groups.is_empty() && groups.iter().all(alike)).then_some(groups)
}
