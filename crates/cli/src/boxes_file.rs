//! Files of boxes for `merge`: the safetensors tensor `boxes`, documents of `detect`, COCO results.

use crate::engine::MergeBox;
use crate::failure::{Failure, Outcome};
use crate::files;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use tilehawk::geom::RectPx;

/// Name of the tensor.
const TENSOR: &str = "boxes";
/// Columns of the tensor: x0 y0 x1 y1 score class.
const COLUMNS: usize = 6;
/// Class numbers from here on are not exact in f32.
const CLASS_LIMIT: f64 = 16_777_216.0;

/// What the extension of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `.safetensors`
    Safetensors,
    /// `.json`
    Json,
}

impl Form {
    /// The form of `path` by its extension.
    pub(crate) fn of(path: &Path) -> Outcome<Self> {
        let extension = path.extension().unwrap_or_default();
        if extension.eq_ignore_ascii_case("safetensors") {
            Ok(Self::Safetensors)
        } else if extension.eq_ignore_ascii_case("json") {
            Ok(Self::Json)
        } else {
            Err(Failure::file(path, "unknown extension; use .safetensors or .json"))
        }
    }
}

/// Boxes that are merged with one another, and what else the file says of each.
#[derive(Debug, Default)]
pub(crate) struct Group {
    boxes: Vec<MergeBox>,
    /// The JSON entry of each box; empty for a tensor.
    entries: Vec<Value>,
}

impl Group {
    /// The boxes.
    pub(crate) fn boxes(&self) -> &[MergeBox] {
        &self.boxes
    }

    /// Leaves the boxes of these indices, in this order.
    pub(crate) fn keep(&mut self, kept: &[u32]) {
        self.boxes = kept.iter().map(|&index| self.boxes[index as usize]).collect();
        if !self.entries.is_empty() {
            self.entries = kept.iter().map(|&index| self.entries[index as usize].take()).collect();
        }
    }

    fn push(&mut self, index: usize, row: [f64; COLUMNS], entry: Option<Value>) -> Result<(), String> {
        self.boxes.push(check_row(row).map_err(|reason| format!("box {index}: {reason}"))?);
        self.entries.extend(entry);
        Ok(())
    }
}

/// What a file was, to write it again.
#[derive(Debug)]
enum Kind {
    Tensor,
    /// A document of `detect` without its boxes.
    Document(Value),
    CocoResults,
}

/// The content of a file of boxes.
#[derive(Debug)]
pub(crate) struct BoxesFile {
    kind: Kind,
    groups: Vec<Group>,
}

impl BoxesFile {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> Outcome<Self> {
        let form = Form::of(path)?;
        let bytes = files::read(path)?;
        let parsed = match form {
            Form::Safetensors => Self::from_safetensors(&bytes),
            Form::Json => Self::from_json(&bytes),
        };
        parsed.map_err(|reason| Failure::file(path, reason))
    }

    fn from_safetensors(bytes: &[u8]) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| format!("not a safetensors file, or a damaged one: {e}"))?;
        let view = file.tensor(TENSOR).map_err(|_| {
            format!("no tensor \"{TENSOR}\" (found: {}); name it so", file.names().join(", "))
        })?;
        if view.dtype() != Dtype::F32 || view.shape().len() != 2 || view.shape()[1] != COLUMNS {
            return Err(format!(
                "tensor \"{TENSOR}\" is {:?} {:?}; give F32 [N, {COLUMNS}]: x0 y0 x1 y1 score class",
                view.dtype(),
                view.shape()
            ));
        }
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
        let mut group = Group::default();
        for (index, row) in values.chunks_exact(COLUMNS).enumerate() {
            group.push(index, std::array::from_fn(|column| f64::from(row[column])), None)?;
        }
        Ok(Self { kind: Kind::Tensor, groups: vec![group] })
    }

    fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|e| format!("not JSON, or cut short: {e}"))?;
        match value {
            Value::Array(entries) => Self::from_coco(entries),
            Value::Object(mut fields) => match fields.get_mut("boxes").map(Value::take) {
                Some(Value::Array(entries)) => Self::from_document(Value::Object(fields), entries),
                _ => Err("no list `boxes`; give a document of `detect` or a list of COCO results".to_owned()),
            },
            _ => Err("neither a document of `detect` nor a list of COCO results".to_owned()),
        }
    }

    fn from_document(rest: Value, entries: Vec<Value>) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Entry {
            cls_id: f64,
            score: f64,
            coordinate: [f64; 4],
        }
        let mut group = Group::default();
        for (index, value) in entries.into_iter().enumerate() {
            let entry = Entry::deserialize(&value).map_err(|e| format!("box {index}: {e}"))?;
            let [x0, y0, x1, y1] = entry.coordinate;
            group.push(index, [x0, y0, x1, y1, entry.score, entry.cls_id], Some(value))?;
        }
        Ok(Self { kind: Kind::Document(rest), groups: vec![group] })
    }

    fn from_coco(entries: Vec<Value>) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Entry {
            image_id: Value,
            category_id: f64,
            bbox: [f64; 4],
            score: f64,
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut of_image: HashMap<String, usize> = HashMap::new();
        for (index, value) in entries.into_iter().enumerate() {
            let entry = Entry::deserialize(&value).map_err(|e| format!("box {index}: {e}"))?;
            let [x, y, width, height] = entry.bbox;
            let place = *of_image.entry(entry.image_id.to_string()).or_insert_with(|| {
                groups.push(Group::default());
                groups.len() - 1
            });
            let row = [x, y, x + width, y + height, entry.score, entry.category_id];
            groups[place].push(index, row, Some(value))?;
        }
        Ok(Self { kind: Kind::CocoResults, groups })
    }

    /// Number of boxes.
    pub(crate) fn count(&self) -> usize {
        self.groups.iter().map(|group| group.boxes.len()).sum()
    }

    /// The groups, one per image.
    pub(crate) fn groups_mut(&mut self) -> &mut [Group] {
        &mut self.groups
    }

    /// Whether the boxes can be written in `form`.
    pub(crate) fn check_form(&self, form: Form) -> Result<(), String> {
        if form == Form::Safetensors && self.groups.len() > 1 {
            return Err(format!(
                "a tensor holds the boxes of one image, and these are of {}; use .json",
                self.groups.len()
            ));
        }
        Ok(())
    }

    /// The bytes of a file of the boxes.
    pub(crate) fn to_bytes(&self, form: Form) -> Outcome<Vec<u8>> {
        match form {
            Form::Safetensors => self.to_safetensors(),
            Form::Json => self.to_json(),
        }
        .map_err(Failure::Device)
    }

    fn to_safetensors(&self) -> Result<Vec<u8>, String> {
        let rows: Vec<[f32; COLUMNS]> =
            self.groups.iter().flat_map(|group| &group.boxes).map(to_row).collect();
        let view = TensorView::new(Dtype::F32, vec![rows.len(), COLUMNS], bytemuck::cast_slice(&rows))
            .map_err(|e| e.to_string())?;
        serialize([(TENSOR, view)], None).map_err(|e| e.to_string())
    }

    fn to_json(&self) -> Result<Vec<u8>, String> {
        let entries: Vec<Value> = match self.kind {
            Kind::Tensor => self.groups.iter().flat_map(|group| &group.boxes).map(to_entry).collect(),
            _ => self.groups.iter().flat_map(|group| &group.entries).cloned().collect(),
        };
        let document = match &self.kind {
            Kind::CocoResults => Value::Array(entries),
            Kind::Tensor => json!({ TENSOR: entries }),
            Kind::Document(rest) => {
                let mut document = rest.clone();
                document[TENSOR] = Value::Array(entries);
                document
            }
        };
        serde_json::to_vec(&document).map_err(|e| e.to_string())
    }
}

#[expect(clippy::cast_precision_loss, reason = "class numbers are below 2^24")]
fn to_row(item: &MergeBox) -> [f32; COLUMNS] {
    let [x0, y0, x1, y1] = item.rect.to_array();
    [x0, y0, x1, y1, item.score, item.class_id as f32]
}

fn to_entry(item: &MergeBox) -> Value {
    // By way of text, so that 0.1 in f32 stays 0.1.
    let number = |value: f32| Value::from(value.to_string().parse().unwrap_or(f64::from(value)));
    json!({
        "cls_id": item.class_id,
        "score": number(item.score),
        "coordinate": item.rect.to_array().map(number),
    })
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
    if !(0.0..CLASS_LIMIT).contains(&class) || class.fract() != 0.0 {
        return Err(format!("class {class} is not a whole number in 0..{CLASS_LIMIT}"));
    }
    let rect = RectPx::new(x0 as f32, y0 as f32, x1 as f32, y1 as f32);
    Ok(MergeBox { rect, score: score as f32, class_id: class as u32, ..MergeBox::default() })
}

#[cfg(test)]
mod tests;
