//! Detection heads: how boxes are read from feature maps. One file per kind; pure.

mod dense;
mod gfl;
mod yolox;

pub use dense::{BoxForm, DenseHead, DenseLevel, ScoreForm};
pub use gfl::{GflHead, GflLevel};
pub use yolox::{YoloxHead, YoloxLevel};

use crate::error::{Error, Result};
use crate::geom::Shape;
use serde::{Deserialize, Serialize};

/// A head with its parameters and the maps it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Head {
    /// YOLOX: box, objectness and class maps per level.
    Yolox(YoloxHead),
    /// Generalised focal loss (NanoDet, PicoDet): class map and box distribution per level.
    Gfl(GflHead),
    /// One box and one score per cell: anchors, distances or decoded boxes, by the parameters.
    Dense(DenseHead),
}

impl Head {
    /// The kind's name in the file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Yolox(_) => "yolox",
            Self::Gfl(_) => "gfl",
            Self::Dense(_) => "dense",
        }
    }

    /// All maps the head reads.
    #[must_use]
    pub fn maps(&self) -> Vec<&str> {
        match self {
            Self::Yolox(head) => head.maps(),
            Self::Gfl(head) => head.maps(),
            Self::Dense(head) => head.maps(),
        }
    }

    /// Checks the head's maps for `classes` classes and an input of `[height, width]`.
    ///
    /// # Errors
    /// `Model`, naming the level and the map.
    pub fn check(
        &self,
        classes: usize,
        input: [u32; 2],
        shape_of: &dyn Fn(&str) -> Option<Shape>,
    ) -> Result<()> {
        if classes == 0 {
            return Err(Error::model("a model with a head needs at least one class name"));
        }
        let classes = u32::try_from(classes).map_err(|_| Error::model("too many classes"))?;
        match self {
            Self::Yolox(head) => head.check(classes, input, shape_of),
            Self::Gfl(head) => head.check(classes, input, shape_of),
            Self::Dense(head) => head.check(classes, shape_of),
        }
        .map_err(|e| e.at(format!("head \"{}\"", self.kind())))
    }
}

/// Checks that `name` is a map of `channels` channels and returns its shape.
fn expect_map(name: &str, channels: u32, shape_of: &dyn Fn(&str) -> Option<Shape>) -> Result<Shape> {
    let shape = shape_of(name).ok_or_else(|| Error::model(format!("there is no map \"{name}\"")))?;
    if shape.channels != channels {
        return Err(Error::model(format!(
            "map \"{name}\" has {} channels, needs {channels}",
            shape.channels
        )));
    }
    Ok(shape)
}

/// Checks that a level's map covers the input at its stride, rounded up.
fn expect_stride(name: &str, shape: Shape, stride: u32, input: [u32; 2]) -> Result<()> {
    if stride == 0 || shape.height != input[0].div_ceil(stride) || shape.width != input[1].div_ceil(stride) {
        return Err(Error::model(format!(
            "map \"{name}\" is {}x{}, which is not an input of {}x{} at stride {stride}",
            shape.width, shape.height, input[1], input[0]
        )));
    }
    Ok(())
}
