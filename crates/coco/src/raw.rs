//! The JSON of a data set as it stands in the file, before it is checked.

use crate::entries::{Category, Image};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A whole file.
#[derive(Debug, Deserialize)]
pub(crate) struct RawDataset {
    pub(crate) images: Vec<Image>,
    pub(crate) annotations: Option<Vec<RawAnnotation>>,
    pub(crate) categories: Vec<Category>,
    #[serde(flatten)]
    pub(crate) extra: Map<String, Value>,
}

/// An annotation, any part of which may be absent.
#[derive(Debug, Deserialize)]
pub(crate) struct RawAnnotation {
    pub(crate) id: Option<u64>,
    pub(crate) image_id: u64,
    pub(crate) category_id: u64,
    pub(crate) bbox: Option<Vec<f64>>,
    pub(crate) area: Option<f64>,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) iscrowd: bool,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) ignore: bool,
    pub(crate) segmentation: Option<Value>,
    #[serde(flatten)]
    pub(crate) extra: Map<String, Value>,
}

/// A flag that is written as 0 or 1, as true or false, or as null.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a flag: 0, 1, true or false")]
    enum Flag {
        Bool(bool),
        Number(f64),
        Null(()),
    }
    Ok(match Flag::deserialize(deserializer)? {
        Flag::Bool(flag) => flag,
        Flag::Number(number) => number != 0.0,
        Flag::Null(()) => false,
    })
}
