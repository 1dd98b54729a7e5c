//! The model as a whole, its file and its metadata.

use super::{FocusMap, Fusion, Graph, Recommended, Shapes, Weights};
use crate::error::{Error, ErrorKind, Result};
use crate::geom::ResizeMode;
use crate::heads::Head;
use safetensors::tensor::TensorView;
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// The version of the format that is written, and the only one read.
pub const FORMAT_VERSION: u32 = 1;
/// The key of the JSON document in the safetensors metadata.
const METADATA_KEY: &str = "tilehawk";
/// Sides of the network's input beyond this are refused.
const MAX_INPUT_SIDE: u32 = 8192;

/// Which channel of a pixel comes first in the network's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelOrder {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// What the network wants to see: `(pixel - mean) / std` per channel, pixels 0..=255 as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Order of the three channels.
    pub order: ChannelOrder,
    /// Per channel, in the order of the input, 0..255 scale.
    pub mean: [f32; 3],
    /// Per channel, in the order of the input, 0..255 scale; never 0.
    pub std: [f32; 3],
    /// How a tile is fitted.
    pub resize: ResizeMode,
    /// Value of padding pixels before normalisation, 0..=255.
    pub pad: f32,
}

impl InputSpec {
    /// An input of that size that takes pixels as they are stored: RGB, 0..=255, stretched.
    #[must_use]
    pub const fn plain(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            order: ChannelOrder::Rgb,
            mean: [0.0; 3],
            std: [1.0; 3],
            resize: ResizeMode::Stretch,
            pad: 0.0,
        }
    }
}

/// Everything about a model but its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Version of the format.
    pub version: u32,
    /// A short name.
    pub name: String,
    /// Licence of the weights (SPDX), or empty if unknown.
    #[serde(default)]
    pub licence: String,
    /// Where the weights came from, or empty if unknown.
    #[serde(default)]
    pub source: String,
    /// The input.
    pub input: InputSpec,
    /// Names of the classes by index.
    pub classes: Vec<String>,
    /// How boxes are read from the maps; none for a network without a recognised head.
    pub head: Option<Head>,
    /// Settings to detect with, if its makers recommend some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<Recommended>,
    /// The map that tells where small objects are, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<FocusMap>,
    /// Fusion factors of the feature pyramid, if they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fusion: Vec<Fusion>,
    /// The network.
    pub graph: Graph,
}

impl ModelInfo {
    /// A description of a network with nothing but what it must have.
    #[must_use]
    pub fn new(name: impl Into<String>, input: InputSpec, graph: Graph) -> Self {
        Self {
            version: FORMAT_VERSION,
            name: name.into(),
            licence: String::new(),
            source: String::new(),
            input,
            classes: Vec::new(),
            head: None,
            recommended: None,
            focus: None,
            fusion: Vec::new(),
            graph,
        }
    }

    /// The maps of the graph's outputs; those that the head reads if it has none.
    pub(crate) fn result_maps(&self) -> Vec<&str> {
        let outputs = self.graph.outputs.iter().flat_map(|output| &output.maps).map(String::as_str);
        let maps: Vec<&str> = outputs.collect();
        match &self.head {
            Some(head) if maps.is_empty() => head.maps(),
            _ => maps,
        }
    }
}

/// A checked model: its description, its weights and the shapes of its maps.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    info: ModelInfo,
    weights: Weights,
    shapes: Shapes,
}

impl Model {
    /// Checks a description and its weights against each other.
    ///
    /// # Errors
    /// `Model`, naming the node, tensor or field.
    pub fn new(info: ModelInfo, weights: Weights) -> Result<Self> {
        check_input(&info.input)?;
        let shapes = Shapes::infer(&info.graph, &info.input, &weights)?;
        if let Some(head) = &info.head {
            head.check(info.classes.len(), [info.input.height, info.input.width], &|name| {
                shapes.get(name).ok()
            })?;
        }
        if let Some(recommended) = &info.recommended {
            recommended.check().map_err(|e| e.at("recommended"))?;
        }
        if let Some(focus) = &info.focus {
            focus.check(&shapes, [info.input.height, info.input.width]).map_err(|e| e.at("focus"))?;
        }
        for fusion in &info.fusion {
            fusion.check(&shapes).map_err(|e| e.at("fusion"))?;
        }
        Ok(Self { info, weights, shapes })
    }

    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// `Model`, with the place and the reason.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes)
            .map_err(|e| Error::model(format!("not a safetensors file, or a damaged one: {e}")))?;
        let document = header.metadata().as_ref().and_then(|map| map.get(METADATA_KEY)).ok_or_else(|| {
            Error::model(format!(
                "the safetensors metadata has no \"{METADATA_KEY}\" document: \
                     make a model with `tilehawk import`"
            ))
        })?;
        let version: Version = parse(document)?;
        if version.version != FORMAT_VERSION {
            return Err(Error::model(format!(
                "format version {} is not {FORMAT_VERSION}: import the model again with this release",
                version.version
            )));
        }
        let info: ModelInfo = parse(document)?;
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| Error::model(format!("damaged safetensors file: {e}")))?;
        Self::new(info, Weights::from_safetensors(&file)?)
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// `Io` or `Model`, naming the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::from(e).at(path.display()))?;
        Self::from_bytes(&bytes).map_err(|e| e.at(path.display()))
    }

    /// The bytes of the model's file, tensors as f32 or, if `half`, as f16.
    ///
    /// # Errors
    /// `Model` if a weight does not fit f16.
    pub fn to_bytes(&self, half: bool) -> Result<Vec<u8>> {
        let max = half::f16::MAX.to_f32();
        if let Some((name, _)) =
            self.weights.iter().find(|(_, t)| half && t.data.iter().any(|v| v.abs() > max))
        {
            return Err(Error::model(format!("tensor \"{name}\" has a weight beyond f16: write f32")));
        }
        let tensors = self.weights.to_bytes(half);
        let mut views = Vec::with_capacity(tensors.len());
        for (name, dtype, shape, data) in &tensors {
            let view = TensorView::new(*dtype, shape.clone(), data)
                .map_err(|e| Error::model(format!("tensor \"{name}\": {e}")))?;
            views.push((name.as_str(), view));
        }
        let document = serde_json::to_string(&self.info)
            .map_err(|e| Error::model(format!("the model's description cannot be written: {e}")))?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), document)]);
        serialize(views, Some(metadata)).map_err(|e| Error::model(e.to_string()))
    }

    /// Writes the model's file.
    ///
    /// # Errors
    /// As [`Model::to_bytes`], and `Io` naming the file.
    pub fn save(&self, path: impl AsRef<Path>, half: bool) -> Result<()> {
        let path = path.as_ref();
        std::fs::write(path, self.to_bytes(half)?)
            .map_err(|e| Error::new(ErrorKind::Io, e.to_string()).at(path.display()))
    }

    /// The description.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The weights.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Shapes of all maps.
    #[must_use]
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// The label of a class: its name, or its number where the model has no name for it.
    #[must_use]
    pub fn label(&self, class_id: u32) -> String {
        self.info.classes.get(class_id as usize).cloned().unwrap_or_else(|| class_id.to_string())
    }
}

/// Read first, so that a newer format is named as such and not as an unknown field.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn parse<'a, T: Deserialize<'a>>(document: &'a str) -> Result<T> {
    serde_json::from_str(document)
        .map_err(|e| Error::model(format!("the \"{METADATA_KEY}\" document in the metadata: {e}")))
}

fn check_input(input: &InputSpec) -> Result<()> {
    for side in [input.width, input.height] {
        if side == 0 || side > MAX_INPUT_SIDE {
            return Err(Error::model(format!("input side {side} is outside 1..={MAX_INPUT_SIDE}")));
        }
    }
    let numbers = input.mean.iter().chain(&input.std).chain([&input.pad]);
    if numbers.clone().any(|v| !v.is_finite()) || input.std.contains(&0.0) {
        return Err(Error::model("input mean, std and pad must be finite, and std not 0"));
    }
    if !(0.0..=255.0).contains(&input.pad) {
        return Err(Error::model(format!("input pad {} is outside 0..=255", input.pad)));
    }
    Ok(())
}
