//! Reading of files of boxes.

use super::{BOXES, BoxesFile, COLUMNS, EDGES, Group, Kind, NAME_KEYS, Names};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use tilehawk::geom::Edges;

const GIVE_EDGES: &str = "give the sum of 1 left, 2 top, 4 right, 8 bottom, or 0";

/// The tensor `boxes`, and `edges` if it is there.
pub(super) fn safetensors(bytes: &[u8]) -> Result<BoxesFile, String> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| format!("not a safetensors file, or a damaged one: {e}"))?;
    let view = file
        .tensor(BOXES)
        .map_err(|_| format!("no tensor \"{BOXES}\" (found: {}); name it so", file.names().join(", ")))?;
    if view.dtype() != Dtype::F32 || view.shape().len() != 2 || view.shape()[1] != COLUMNS {
        return Err(format!(
            "tensor \"{BOXES}\" is {:?} {:?}; give F32 [N, {COLUMNS}]: x0 y0 x1 y1 score class",
            view.dtype(),
            view.shape()
        ));
    }
    let values: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
    let rows = values.chunks_exact(COLUMNS);
    let edges = match file.tensor(EDGES) {
        Ok(view) if view.dtype() != Dtype::U8 || view.shape() != [rows.len()] => {
            return Err(format!(
                "tensor \"{EDGES}\" is {:?} {:?}; give U8 [{}], one for each box",
                view.dtype(),
                view.shape(),
                rows.len()
            ));
        }
        Ok(view) => Some(view.data().to_vec()),
        Err(_) => None,
    };
    let mut group = Group::default();
    for (row, values) in rows.enumerate() {
        let bits = edges.as_ref().map_or(0, |edges| edges[row]);
        let edges = Edges::from_bits(bits)
            .ok_or_else(|| format!("box {row}: edges {bits} are not in 0..=15; {GIVE_EDGES}"))?;
        group.push(row, std::array::from_fn(|column| f64::from(values[column])), edges, None)?;
    }
    Ok(BoxesFile { kind: Kind::Tensor, groups: vec![group], names: Names::new(), has_edges: edges.is_some() })
}

/// A document of `detect` or a list of COCO results.
pub(super) fn json(bytes: &[u8]) -> Result<BoxesFile, String> {
    match serde_json::from_slice(bytes) {
        Ok(value) => from_value(value),
        Err(error) => {
            // Python writes NaN and Infinity bare; as texts they are refused where their box is known.
            if let Ok(value) = serde_json::from_slice(&quote_words(bytes)) {
                from_value(value)?;
            }
            Err(format!("not JSON, which has no NaN and no Infinity, or cut short: {error}"))
        }
    }
}

/// The bytes with NaN, Infinity and -Infinity outside of texts made texts.
pub(super) fn quote_words(bytes: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let mut out = Vec::with_capacity(bytes.len());
    let (mut rest, mut in_text) = (bytes, false);
    while let Some(&byte) = rest.first() {
        let word = WORDS.into_iter().find(|word| !in_text && rest.starts_with(word));
        let length = match word {
            Some(word) => word.len(),
            // The escaped character does not end the text.
            None if in_text && byte == b'\\' => rest.len().min(2),
            None => 1,
        };
        in_text ^= byte == b'"';
        let quote: &[u8] = if word.is_some() { b"\"" } else { b"" };
        let (taken, left) = rest.split_at(length);
        for part in [quote, taken, quote] {
            out.extend_from_slice(part);
        }
        rest = left;
    }
    out
}

fn from_value(value: Value) -> Result<BoxesFile, String> {
    match value {
        Value::Array(entries) => from_coco(entries),
        Value::Object(mut fields) => match fields.get_mut(BOXES).map(Value::take) {
            Some(Value::Array(entries)) => from_document(Value::Object(fields), entries),
            _ => Err("no list `boxes`; give a document of `detect` or a list of COCO results".to_owned()),
        },
        _ => Err("neither a document of `detect` nor a list of COCO results".to_owned()),
    }
}

fn from_document(rest: Value, entries: Vec<Value>) -> Result<BoxesFile, String> {
    #[derive(Deserialize)]
    struct Entry {
        cls_id: f64,
        score: f64,
        coordinate: [f64; 4],
    }
    let mut file = BoxesFile {
        kind: Kind::Document(rest),
        groups: vec![Group::default()],
        names: Names::new(),
        has_edges: false,
    };
    for (row, value) in entries.into_iter().enumerate() {
        let entry = Entry::deserialize(&value).map_err(|e| format!("box {row}: {e}"))?;
        let [x0, y0, x1, y1] = entry.coordinate;
        file.add(0, row, [x0, y0, x1, y1, entry.score, entry.cls_id], value)?;
    }
    Ok(file)
}

fn from_coco(entries: Vec<Value>) -> Result<BoxesFile, String> {
    #[derive(Deserialize)]
    struct Entry {
        image_id: Value,
        category_id: f64,
        bbox: [f64; 4],
        score: f64,
    }
    let mut file =
        BoxesFile { kind: Kind::CocoResults, groups: Vec::new(), names: Names::new(), has_edges: false };
    let mut of_image: HashMap<String, usize> = HashMap::new();
    for (row, value) in entries.into_iter().enumerate() {
        let entry = Entry::deserialize(&value).map_err(|e| format!("box {row}: {e}"))?;
        let [x, y, width, height] = entry.bbox;
        if width < 0.0 || height < 0.0 {
            return Err(format!(
                "box {row}: bbox [{x}, {y}, {width}, {height}] has a negative size; give x, y, width, height"
            ));
        }
        let place = *of_image.entry(entry.image_id.to_string()).or_insert_with(|| {
            file.groups.push(Group::default());
            file.groups.len() - 1
        });
        file.add(place, row, [x, y, x + width, y + height, entry.score, entry.category_id], value)?;
    }
    Ok(file)
}

impl BoxesFile {
    /// Adds the entry at place `row` of the file to the group at `place`.
    fn add(&mut self, place: usize, row: usize, values: [f64; COLUMNS], entry: Value) -> Result<(), String> {
        let edges = match entry.get(EDGES) {
            None => Edges::NONE,
            Some(value) => {
                self.has_edges = true;
                value.as_u64().and_then(|bits| Edges::from_bits(u8::try_from(bits).ok()?)).ok_or_else(
                    || format!("box {row}: edges {value} are not a whole number in 0..=15; {GIVE_EDGES}"),
                )?
            }
        };
        let names = NAME_KEYS.map(|key| (key, entry.get(key).and_then(Value::as_str).map(str::to_owned)));
        let group = &mut self.groups[place];
        group.push(row, values, edges, Some(entry))?;
        let class = group.boxes().last().map_or(0, |item| item.class_id);
        for (key, name) in names {
            if let Some(name) = name {
                self.names.entry((class, key)).or_insert(name);
            }
        }
        Ok(())
    }
}
