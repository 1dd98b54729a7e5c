//! What a file does not say about itself.

use super::HeadKind;
use crate::error::{Error, Result};
use crate::geom::ResizeMode;
use crate::heads::Head;
use crate::model::{ChannelOrder, InputSpec};

/// What an ONNX file does not say about itself. Every field left out gets the default of the recognised head:
/// YOLOX takes BGR 0..=255 in a top-left letterbox of 114; NanoDet and PicoDet take BGR, stretched, less the
/// `ImageNet` mean over its deviation; a file without a known head takes RGB over 255.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportOptions {
    /// A short name; the graph's name by default.
    pub name: Option<String>,
    /// Licence of the weights (SPDX), or empty if unknown.
    pub licence: String,
    /// Where the weights came from, or empty if unknown.
    pub source: String,
    /// Names of the classes by index; `class 0`, `class 1`, ... by default.
    pub classes: Option<Vec<String>>,
    /// Input height and width in pixels, needed where the file leaves them open.
    pub size: Option<[u32; 2]>,
    /// Order of the three channels.
    pub order: Option<ChannelOrder>,
    /// Mean per channel in the order of the input, 0..=255 scale.
    pub mean: Option<[f32; 3]>,
    /// Deviation per channel in the order of the input, 0..=255 scale; never 0.
    pub std: Option<[f32; 3]>,
    /// How a tile is fitted.
    pub resize: Option<ResizeMode>,
    /// Value of padding pixels before normalisation, 0..=255.
    pub pad: Option<f32>,
    /// Centre of a cell in cells for a GFL head: 0 (`NanoDet`, the default) or 0.5 (`PicoDet`). The graph does
    /// not tell them apart.
    pub head_centre: Option<f32>,
    /// The kind of head; recognised from the graph by default.
    pub head: Option<HeadKind>,
    /// Anchors of a head that has some, width and height in input pixels, per level from the finest; those of the
    /// head's own publication by default.
    pub anchors: Option<Vec<Vec<[f32; 2]>>>,
    /// Decoded boxes are in 0..=1 of the input's sides rather than in pixels.
    pub boxes_relative: bool,
}

/// Value of padding pixels if not given.
const PAD: f32 = 114.0;

impl ImportOptions {
    /// The input of `size` = height, width for a model with that head.
    pub(super) fn input_spec(&self, size: [u32; 2], head: Option<&Head>) -> InputSpec {
        let (order, mean, std, resize) = match head {
            Some(Head::Yolox(_)) => {
                (ChannelOrder::Bgr, [0.0; 3], [1.0; 3], ResizeMode::LetterboxTopLeftFloor)
            }
            Some(Head::Gfl(_)) => {
                (ChannelOrder::Bgr, [103.53, 116.28, 123.675], [57.375, 57.12, 58.395], ResizeMode::Stretch)
            }
            Some(Head::Dense(_)) | None => {
                (ChannelOrder::Rgb, [0.0; 3], [255.0; 3], ResizeMode::LetterboxTopLeft)
            }
        };
        InputSpec {
            width: size[1],
            height: size[0],
            order: self.order.unwrap_or(order),
            mean: self.mean.unwrap_or(mean),
            std: self.std.unwrap_or(std),
            resize: self.resize.unwrap_or(resize),
            pad: self.pad.unwrap_or(PAD),
        }
    }

    /// Names for the `count` classes of the head, or the given ones where there is no head.
    pub(super) fn class_names(&self, count: Option<usize>) -> Result<Vec<String>> {
        match (&self.classes, count) {
            (Some(names), Some(count)) if names.len() != count => Err(Error::model(format!(
                "{} class names are given, but the model's head has {count} classes",
                names.len()
            ))),
            (Some(names), _) => Ok(names.clone()),
            (None, count) => Ok((0..count.unwrap_or(0)).map(|index| format!("class {index}")).collect()),
        }
    }
}
