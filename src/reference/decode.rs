//! Head maps of one tile to candidates on the CPU.

use crate::geom::{Edges, RectPx, TileTransform};
use crate::heads::{BoxForm, DenseHead, GflHead, Head, YoloxHead};
use crate::model::Model;
use crate::stages::Candidate;
use std::collections::HashMap;

/// Maps of one tile by name, `[channels, height, width]`.
pub type Maps = HashMap<String, Vec<f32>>;

/// What a tile's decoding finds and drops.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Candidates in anchor order.
    pub candidates: Vec<Candidate>,
    /// Dropped for a NaN or infinite value.
    pub not_finite: u32,
    /// Dropped for having no area in the tile.
    pub empty: u32,
}

/// One anchor's box in input pixels, score and class; `None` where a value is not finite.
type Anchor = Option<([f32; 4], f32, u32)>;

/// A box touches an edge of its tile if it comes this near to it, in pixels of the network's input.
pub const EDGE_TOLERANCE: f32 = 2.0;

/// One tile of a picture.
#[derive(Clone, Copy, Debug)]
pub struct PlacedTile {
    /// Where it lies and how it is fitted into the input.
    pub transform: TileTransform,
    /// Its index in the picture.
    pub index: u32,
    /// Width and height of the picture.
    pub picture: [u32; 2],
}

/// Decodes the maps of a tile with the least score of each class; `None` leaves the class out.
///
/// # Panics
/// If a map is missing or the table too short: the oracle is for checked models.
#[must_use]
pub fn decode(model: &Model, maps: &Maps, tile: &PlacedTile, least: &[Option<f32>]) -> Decoded {
    let mut decoded = Decoded::default();
    let classes = model.info().classes.len();
    let anchors = match &model.info().head {
        Some(Head::Yolox(head)) => yolox(model, head, maps, classes),
        Some(Head::Gfl(head)) => gfl(model, head, maps, classes),
        Some(Head::Dense(head)) => dense(model, head, maps, classes),
        None => Vec::new(),
    };
    for (anchor, found) in (0..).zip(anchors) {
        match found {
            None => decoded.not_finite += 1,
            Some((_, score, class_id)) if least[class_id as usize].is_none_or(|least| score < least) => {}
            Some((rect, _, _)) if rect.iter().any(|v| !v.is_finite()) => decoded.not_finite += 1,
            Some((rect, score, class_id)) => {
                let rect = tile.transform.to_image(RectPx::new(rect[0], rect[1], rect[2], rect[3]));
                if rect.x1 <= rect.x0 || rect.y1 <= rect.y0 {
                    decoded.empty += 1;
                } else {
                    let tile = Candidate::tile_word(tile.index, tile.touched(&rect));
                    decoded.candidates.push(Candidate { rect, score, class_id, tile, anchor });
                }
            }
        }
    }
    decoded
}

impl PlacedTile {
    /// The edges of the tile with picture beyond them that a box in the picture, clamped to the tile, touches.
    #[expect(clippy::cast_precision_loss, reason = "sizes below 2^24")]
    fn touched(&self, rect: &RectPx) -> Edges {
        let tile = self.transform.tile;
        let [scale_x, scale_y] = self.transform.scale();
        let sides = [
            (Edges::LEFT, tile.x0 > 0, rect.x0 - tile.x0 as f32, scale_x),
            (Edges::TOP, tile.y0 > 0, rect.y0 - tile.y0 as f32, scale_y),
            (Edges::RIGHT, tile.x1 < self.picture[0], tile.x1 as f32 - rect.x1, scale_x),
            (Edges::BOTTOM, tile.y1 < self.picture[1], tile.y1 as f32 - rect.y1, scale_y),
        ];
        sides.into_iter().fold(Edges::NONE, |edges, (edge, is_inner, distance, scale)| {
            if is_inner && distance <= EDGE_TOLERANCE * scale { edges.union(edge) } else { edges }
        })
    }
}

/// The first of the largest scores or logits of a cell; `None` if one is not finite.
fn best(map: &[f32], cells: usize, cell: usize, classes: usize) -> Option<(f32, u32)> {
    let mut best = (f32::MIN, 0);
    for (class_id, score) in (0..).zip((0..classes).map(|class| map[class * cells + cell])) {
        if !score.is_finite() {
            return None;
        }
        if score > best.0 {
            best = (score, class_id);
        }
    }
    Some(best)
}

#[expect(clippy::cast_precision_loss, reason = "cells of a map")]
fn yolox(model: &Model, head: &YoloxHead, maps: &Maps, classes: usize) -> Vec<Anchor> {
    let mut anchors = Vec::new();
    for level in &head.levels {
        let width = model.shapes().get(&level.classes).map_or(1, |s| s.width as usize);
        let (boxes, stride) = (&maps[&level.boxes], level.stride as f32);
        let cells = boxes.len() / 4;
        for cell in 0..cells {
            let object = maps[&level.objectness][cell];
            let found = best(&maps[&level.classes], cells, cell, classes).filter(|_| object.is_finite());
            anchors.push(found.map(|(score, class_id)| {
                let score = score * object;
                let raw = [0, 1, 2, 3].map(|side| boxes[side * cells + cell]);
                let centre =
                    [(raw[0] + (cell % width) as f32) * stride, (raw[1] + (cell / width) as f32) * stride];
                let half = [raw[2], raw[3]].map(|v| v.exp() * stride * 0.5);
                let rect =
                    [centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1]];
                (rect, score, class_id)
            }));
        }
    }
    anchors
}

#[expect(clippy::cast_precision_loss, reason = "cells of a map")]
fn gfl(model: &Model, head: &GflHead, maps: &Maps, classes: usize) -> Vec<Anchor> {
    let (mut anchors, bins) = (Vec::new(), head.bins as usize);
    for level in &head.levels {
        let width = model.shapes().get(&level.classes).map_or(1, |s| s.width as usize);
        let (distances, stride) = (&maps[&level.distances], level.stride as f32);
        let cells = distances.len() / (4 * bins);
        for cell in 0..cells {
            let found = best(&maps[&level.classes], cells, cell, classes);
            anchors.push(found.map(|(score, class_id)| {
                let score = if head.sigmoid { sigmoid(score) } else { score };
                let at = [cell % width, cell / width].map(|v| (v as f32 + head.centre) * stride);
                let side = |side: usize| {
                    let logits: Vec<f32> =
                        (0..bins).map(|bin| distances[(side * bins + bin) * cells + cell]).collect();
                    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
                    let weights: Vec<f32> = logits.iter().map(|v| (v - largest).exp()).collect();
                    let total: f32 = weights.iter().sum();
                    let mean: f32 = weights.iter().enumerate().map(|(bin, w)| w * bin as f32).sum();
                    mean / total * stride
                };
                ([at[0] - side(0), at[1] - side(1), at[0] + side(2), at[1] + side(3)], score, class_id)
            }));
        }
    }
    anchors
}

fn sigmoid(v: f32) -> f32 {
    1.0 / (1.0 + (-v).exp())
}

#[expect(clippy::cast_precision_loss, reason = "cells of a map")]
fn dense(model: &Model, head: &DenseHead, maps: &Maps, classes: usize) -> Vec<Anchor> {
    let factor = |value: f32, is_logit: bool, power: f32| {
        let value = if is_logit { sigmoid(value) } else { value };
        if power == 1.0 { value } else { value.max(0.0).powf(power) }
    };
    let form = &head.score;
    let mut anchors = Vec::new();
    for level in &head.levels {
        let width = model.shapes().get(&level.boxes).map_or(1, |s| s.width as usize);
        let boxes = &maps[&level.boxes];
        let cells = boxes.len() / 4;
        for cell in 0..cells {
            let object = level.objectness.as_ref().map(|name| maps[name][cell]);
            let found = best(&maps[&level.classes], cells, cell, classes)
                .filter(|_| object.is_none_or(f32::is_finite))
                .map(|(class, class_id)| {
                    let class = factor(class, form.class_sigmoid, form.class_power);
                    let object = object.map(|v| factor(v, form.objectness_sigmoid, form.objectness_power));
                    (class * object.unwrap_or(1.0), class_id)
                })
                .filter(|(score, _)| score.is_finite());
            anchors.push(found.map(|(score, class_id)| {
                let raw = [0, 1, 2, 3].map(|side| boxes[side * cells + cell]);
                if raw.iter().any(|v| !v.is_finite()) {
                    return ([f32::NAN; 4], score, class_id);
                }
                let [a, b, c, d] = if head.box_sigmoid { raw.map(sigmoid) } else { raw };
                let axis = |axis: usize, cell: usize, near: f32, far: f32| {
                    let point = (cell as f32 + level.offset[axis]) * level.stride[axis];
                    let gain = level.gain[axis];
                    let size = match head.boxes {
                        BoxForm::Corners => return [point + near * gain, point + far * gain],
                        BoxForm::Distances => return [point - near * gain, point + far * gain],
                        BoxForm::Centre => far,
                        BoxForm::CentreExp => (far * head.size_factor).exp(),
                        BoxForm::CentreSquare => (2.0 * far).powi(2),
                    } * level.size[axis];
                    let centre = point + near * gain;
                    [centre - size / 2.0, centre + size / 2.0]
                };
                let ([x0, x1], [y0, y1]) = (axis(0, cell % width, a, c), axis(1, cell / width, b, d));
                ([x0, y0, x1, y1], score, class_id)
            }));
        }
    }
    anchors
}
