//! The boxes of one image.

use super::COLUMNS;
use super::entry::{Layout, Names, update};
use crate::classes::CLASS_LIMIT;
use crate::engine::{MergeBox, Merged};
use serde_json::Value;
use tilehawk::Error;
use tilehawk::geom::{Edges, RectPx};

/// Boxes that are merged with one another, and what else the file says of each.
#[derive(Debug, Default)]
pub(super) struct Group {
    boxes: Vec<MergeBox>,
    /// The place in the file of each box.
    rows: Vec<usize>,
    /// The JSON entry of each box; empty for a tensor.
    entries: Vec<Value>,
}

impl Group {
    /// The boxes.
    pub(super) fn boxes(&self) -> &[MergeBox] {
        &self.boxes
    }

    /// The JSON entries of the boxes; none for a tensor.
    pub(super) fn entries(&self) -> &[Value] {
        &self.entries
    }

    /// The boxes, each with its place in the file.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, &MergeBox)> {
        self.rows.iter().copied().zip(&self.boxes)
    }

    /// Adds the box at place `row` of the file.
    pub(super) fn push(
        &mut self,
        row: usize,
        values: [f64; COLUMNS],
        edges: Edges,
        entry: Option<Value>,
    ) -> Result<(), String> {
        let item = check_row(values).map_err(|reason| format!("box {row}: {reason}"))?;
        self.boxes.push(MergeBox { edges, ..item });
        self.rows.push(row);
        self.entries.extend(entry);
        Ok(())
    }

    /// Leaves the boxes that `keeps` accepts.
    pub(super) fn retain(&mut self, keeps: impl Fn(&MergeBox) -> bool) {
        let kept: Vec<usize> = (0..self.boxes.len()).filter(|&index| keeps(&self.boxes[index])).collect();
        if kept.len() < self.boxes.len() {
            let boxes = kept.iter().map(|&index| self.boxes[index]).collect();
            self.take(&kept, boxes);
        }
    }

    /// Leaves the merged boxes, in their order.
    pub(super) fn apply(&mut self, merged: &Merged, layout: Layout, names: &Names) {
        let kept: Vec<usize> = merged.kept.iter().map(|&index| index as usize).collect();
        for (&index, after) in kept.iter().zip(&merged.boxes) {
            if let Some(entry) = self.entries.get_mut(index) {
                update(entry, layout, &self.boxes[index], after, names);
            }
        }
        self.take(&kept, merged.boxes.clone());
    }

    fn take(&mut self, kept: &[usize], boxes: Vec<MergeBox>) {
        self.boxes = boxes;
        self.rows = kept.iter().map(|&index| self.rows[index]).collect();
        if !self.entries.is_empty() {
            self.entries = kept.iter().map(|&index| self.entries[index].take()).collect();
        }
    }

    /// An error of the library, which counts the boxes it was given, with the place in the file.
    pub(super) fn in_file(&self, error: &Error) -> Error {
        let message = error.to_string();
        let named = message.strip_prefix("box ").and_then(|rest| rest.split_once(':'));
        let row = named.and_then(|(index, rest)| Some((self.rows.get(index.parse::<usize>().ok()?)?, rest)));
        let message = row.map(|(row, rest)| format!("box {row}:{rest}")).unwrap_or(message);
        Error::new(error.kind(), message)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
fn check_row(row: [f64; COLUMNS]) -> Result<MergeBox, String> {
    let [x0, y0, x1, y1, score, class] = row;
    let limit = f64::from(f32::MAX);
    if row.iter().any(|value| !value.is_finite() || value.abs() > limit) {
        return Err(format!("{row:?} has a value that is not finite; leave such boxes out"));
    }
    if x1 < x0 || y1 < y0 {
        return Err(format!("[{x0}, {y0}, {x1}, {y1}] ends before it starts; give x1 >= x0 and y1 >= y0"));
    }
    if !(0.0..f64::from(CLASS_LIMIT)).contains(&class) || class.fract() != 0.0 {
        return Err(format!("class {class} is not a whole number in 0..{CLASS_LIMIT}"));
    }
    let rect = RectPx::new(x0 as f32, y0 as f32, x1 as f32, y1 as f32);
    Ok(MergeBox { rect, score: score as f32, class_id: class as u32, ..MergeBox::default() })
}
