//! The JSON entry of a box, brought up to date where the merge changed the box.

use super::EDGES;
use crate::engine::MergeBox;
use serde_json::Value;
use std::collections::BTreeMap;

/// Keys of an entry that name its class: that of `detect`, and that of SAHI's COCO results.
pub(super) const NAME_KEYS: [&str; 2] = ["label", "category_name"];

/// The name that each of `NAME_KEYS` gives to a class.
pub(super) type Names = BTreeMap<(u32, &'static str), String>;

/// How an entry holds its box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `cls_id`, `score`, `coordinate`.
    Document,
    /// `category_id`, `score`, `bbox`, and `area` in some.
    Coco,
}

/// Writes what differs between `before` and `after`; all else stays as it was written.
pub(super) fn update(entry: &mut Value, layout: Layout, before: &MergeBox, after: &MergeBox, names: &Names) {
    let (from, to) = (before.rect.to_array(), after.rect.to_array());
    match layout {
        Layout::Document => {
            for axis in (0..4).filter(|&axis| from[axis] != to[axis]) {
                entry["coordinate"][axis] = number(to[axis]);
            }
        }
        Layout::Coco => {
            for axis in 0..2 {
                if from[axis] != to[axis] {
                    entry["bbox"][axis] = number(to[axis]);
                }
                if from[axis] != to[axis] || from[axis + 2] != to[axis + 2] {
                    entry["bbox"][axis + 2] = number(to[axis + 2] - to[axis]);
                }
            }
            if from != to && entry.get("area").is_some() {
                entry["area"] = number(after.rect.area());
            }
        }
    }
    if before.score != after.score {
        entry["score"] = number(after.score);
    }
    if before.edges != after.edges {
        entry[EDGES] = after.edges.bits().into();
    }
    if before.class_id != after.class_id {
        update_class(entry, layout, after.class_id, names);
    }
}

fn update_class(entry: &mut Value, layout: Layout, class: u32, names: &Names) {
    let key = match layout {
        Layout::Document => "cls_id",
        Layout::Coco => "category_id",
    };
    entry[key] = class.into();
    for key in NAME_KEYS.into_iter().filter(|key| entry.get(key).is_some()).collect::<Vec<_>>() {
        match names.get(&(class, key)) {
            Some(name) => entry[key] = name.as_str().into(),
            // A wrong name would be worse than none.
            None => drop(entry.as_object_mut().and_then(|fields| fields.shift_remove(key))),
        }
    }
}

/// The shortest decimal of a number.
pub(super) fn number(value: f32) -> Value {
    // By way of text, so that 0.1 in f32 stays 0.1.
    Value::from(value.to_string().parse().unwrap_or(f64::from(value)))
}
