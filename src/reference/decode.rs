//! Head maps of one tile to candidates on the CPU.

use crate::geom::{RectPx, TileTransform};
use crate::heads::{GflHead, Head, YoloxHead};
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

/// Decodes the maps of tile number `index`.
///
/// # Panics
/// If a map is missing: the oracle is for checked models.
#[must_use]
pub fn decode(model: &Model, maps: &Maps, transform: &TileTransform, index: u32, confidence: f32) -> Decoded {
    let mut decoded = Decoded::default();
    let classes = model.info().classes.len();
    let anchors = match &model.info().head {
        Some(Head::Yolox(head)) => yolox(model, head, maps, classes, confidence),
        Some(Head::Gfl(head)) => gfl(model, head, maps, classes, confidence),
        None => Vec::new(),
    };
    for (anchor, found) in (0..).zip(anchors) {
        match found {
            None => decoded.not_finite += 1,
            Some((_, score, _)) if score < confidence => {}
            Some((rect, _, _)) if rect.iter().any(|v| !v.is_finite()) => decoded.not_finite += 1,
            Some((rect, score, class_id)) => {
                let rect = transform.to_image(RectPx::new(rect[0], rect[1], rect[2], rect[3]));
                if rect.x1 <= rect.x0 || rect.y1 <= rect.y0 {
                    decoded.empty += 1;
                } else {
                    decoded.candidates.push(Candidate { rect, score, class_id, tile: index, anchor });
                }
            }
        }
    }
    decoded
}

/// The first of the largest scores of a cell; `None` if one is not finite.
fn best(map: &[f32], cells: usize, cell: usize, classes: usize) -> Option<(f32, u32)> {
    let mut best = (-1.0, 0);
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
fn yolox(model: &Model, head: &YoloxHead, maps: &Maps, classes: usize, confidence: f32) -> Vec<Anchor> {
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
                let half = if score < confidence {
                    [0.0; 2]
                } else {
                    [raw[2], raw[3]].map(|v| v.exp() * stride * 0.5)
                };
                let rect =
                    [centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1]];
                (rect, score, class_id)
            }));
        }
    }
    anchors
}

#[expect(clippy::cast_precision_loss, reason = "cells of a map")]
fn gfl(model: &Model, head: &GflHead, maps: &Maps, classes: usize, confidence: f32) -> Vec<Anchor> {
    let (mut anchors, bins) = (Vec::new(), head.bins as usize);
    for level in &head.levels {
        let width = model.shapes().get(&level.classes).map_or(1, |s| s.width as usize);
        let (distances, stride) = (&maps[&level.distances], level.stride as f32);
        let cells = distances.len() / (4 * bins);
        for cell in 0..cells {
            let found = best(&maps[&level.classes], cells, cell, classes);
            anchors.push(found.map(|(score, class_id)| {
                if score < confidence {
                    return ([0.0; 4], score, class_id);
                }
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
