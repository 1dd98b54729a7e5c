//! The entries of a data set.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A picture of a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its number, once in a data set.
    pub id: u64,
    /// Where the picture is, relative to a folder that the file does not name.
    #[serde(default)]
    pub file_name: String,
    /// Columns; 0 if the file does not say.
    #[serde(default, deserialize_with = "side")]
    pub width: u32,
    /// Rows; 0 if the file does not say.
    #[serde(default, deserialize_with = "side")]
    pub height: u32,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A class of objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Category {
    /// Its number, once in a data set.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// All other fields, `supercategory` among them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Category {
    /// The group that the class belongs to, if the file says.
    pub fn supercategory(&self) -> Option<&str> {
        self.extra.get("supercategory").and_then(Value::as_str)
    }
}

/// An object in a picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Annotation {
    /// Its number, once in a data set.
    pub id: u64,
    /// The picture.
    pub image_id: u64,
    /// The class.
    pub category_id: u64,
    /// `[x, y, width, height]`, finite, sizes at least 0.
    pub bbox: [f64; 4],
    /// Square pixels that the object covers; with a mask less than the box.
    pub area: f64,
    /// Whether the box holds a crowd of objects; written as 0 or 1.
    #[serde(serialize_with = "as_number")]
    pub iscrowd: bool,
    /// Whether the box is to be ignored; written as 1, or not at all.
    #[serde(serialize_with = "as_number", skip_serializing_if = "is_false")]
    pub ignore: bool,
    /// The mask in whatever form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segmentation: Option<Value>,
    /// All other fields.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A side of a picture; null is 0, and some tools write whole numbers as floats.
fn side<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let side = Option::<f64>::deserialize(deserializer)?.unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared below")]
    let whole = side as u32;
    if f64::from(whole) == side {
        Ok(whole)
    } else {
        Err(serde::de::Error::custom(format!("a side of {side} pixels; give a whole number, from 0")))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn as_number<S: Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(u8::from(*flag))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
