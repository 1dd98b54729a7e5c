//! Files of boxes for `merge`: the safetensors tensor `boxes`, documents of `detect`, COCO results.

mod entry;
mod group;
mod read;

use crate::classes::{ClassRules, Known};
use crate::engine::{MergeBox, Merged};
use crate::failure::{Failure, Outcome};
use crate::files;
use entry::{Layout, NAME_KEYS, Names, number};
use group::Group;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::{Value, json};
use std::path::Path;

/// Name of the tensor of boxes, and of the list of boxes of a document.
const BOXES: &str = "boxes";
/// Name of the tensor of tile edges, and of the key of an entry.
const EDGES: &str = "edges";
/// Columns of the tensor: x0 y0 x1 y1 score class.
const COLUMNS: usize = 6;

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
    /// The boxes of each image.
    groups: Vec<Group>,
    names: Names,
    has_edges: bool,
}

impl BoxesFile {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> Outcome<Self> {
        let form = Form::of(path)?;
        let bytes = files::read(path)?;
        let parsed = match form {
            Form::Safetensors => read::safetensors(&bytes),
            Form::Json => read::json(&bytes),
        };
        parsed.map_err(|reason| Failure::file(path, reason))
    }

    /// Number of boxes.
    pub(crate) fn count(&self) -> usize {
        self.groups.iter().map(|group| group.boxes().len()).sum()
    }

    /// Whether the file says which tile edges boxes touch.
    pub(crate) fn has_edges(&self) -> bool {
        self.has_edges
    }

    /// The classes that the file names.
    pub(crate) fn known(&self) -> Known<'_> {
        Known::of_file(self.names.iter().map(|((class, _), name)| (*class, name.as_str())).collect())
    }

    /// Leaves out what the rules say.
    pub(crate) fn filter(&mut self, rules: &ClassRules) {
        for group in &mut self.groups {
            group.retain(|item| rules.keeps(item.class_id, item.score));
        }
    }

    /// Checks that all scores are in [0, 1], which `algorithm` needs.
    pub(crate) fn check_shares(&self, algorithm: &str) -> Result<(), String> {
        let bad = self.groups.iter().flat_map(Group::rows);
        let bad = bad.filter(|(_, item)| !(0.0..=1.0).contains(&item.score)).min_by_key(|(row, _)| *row);
        match bad {
            Some((row, item)) => Err(format!(
                "box {row}: score {} is outside [0, 1], which {algorithm} needs; scale the scores, or use nms",
                item.score
            )),
            None => Ok(()),
        }
    }

    /// Puts the boxes of each image through `merge`. An error of it that names a box of the image names that of the
    /// file.
    pub(crate) fn merge(
        &mut self,
        mut merge: impl FnMut(&[MergeBox]) -> tilehawk::Result<Merged>,
    ) -> tilehawk::Result<()> {
        let layout = match self.kind {
            Kind::CocoResults => Layout::Coco,
            Kind::Tensor | Kind::Document(_) => Layout::Document,
        };
        for group in self.groups.iter_mut().filter(|group| !group.boxes().is_empty()) {
            let merged = merge(group.boxes()).map_err(|error| group.in_file(&error))?;
            group.apply(&merged, layout, &self.names);
        }
        Ok(())
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

    fn boxes(&self) -> impl Iterator<Item = &MergeBox> {
        self.groups.iter().flat_map(Group::boxes)
    }

    fn to_safetensors(&self) -> Result<Vec<u8>, String> {
        let rows: Vec<[f32; COLUMNS]> = self.boxes().map(to_row).collect();
        let edges: Vec<u8> = self.boxes().map(|item| item.edges.bits()).collect();
        let view = |dtype, shape, bytes| TensorView::new(dtype, shape, bytes).map_err(|e| e.to_string());
        let mut tensors =
            vec![(BOXES, view(Dtype::F32, vec![rows.len(), COLUMNS], bytemuck::cast_slice(&rows))?)];
        if self.has_edges {
            tensors.push((EDGES, view(Dtype::U8, vec![edges.len()], &edges)?));
        }
        serialize(tensors, None).map_err(|e| e.to_string())
    }

    fn to_json(&self) -> Result<Vec<u8>, String> {
        let entries: Vec<Value> = match self.kind {
            Kind::Tensor => self.boxes().map(|item| to_entry(item, self.has_edges)).collect(),
            _ => self.groups.iter().flat_map(Group::entries).cloned().collect(),
        };
        let document = match &self.kind {
            Kind::CocoResults => Value::Array(entries),
            Kind::Tensor => json!({ BOXES: entries }),
            Kind::Document(rest) => {
                let mut document = rest.clone();
                document[BOXES] = Value::Array(entries);
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

fn to_entry(item: &MergeBox, edges: bool) -> Value {
    let mut entry = json!({
        "cls_id": item.class_id,
        "score": number(item.score),
        "coordinate": item.rect.to_array().map(number),
    });
    if edges {
        entry[EDGES] = item.edges.bits().into();
    }
    entry
}

#[cfg(test)]
mod tests;
