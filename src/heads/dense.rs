//! Dense heads: one box and one score per cell of any number of maps. Covers anchors (YOLOv5, RetinaNet, SSD),
//! distances (FCOS, ATSS, TOOD, VFNet, PP-YOLOE), YuNet, FastestDet, and outputs that are decoded already.

use super::expect_map;
use crate::error::{Error, Result};
use crate::geom::Shape;
use serde::{Deserialize, Serialize};

/// How boxes and scores are made, and the levels in anchor order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DenseHead {
    /// How four values make a box.
    pub boxes: BoxForm,
    /// The box maps hold logits: their sigmoid is taken first.
    #[serde(default)]
    pub box_sigmoid: bool,
    /// Factor of the size values in the exponential of [`BoxForm::CentreExp`]; above 0.
    #[serde(default = "one")]
    pub size_factor: f32,
    /// How class and objectness make a score.
    #[serde(default)]
    pub score: ScoreForm,
    /// Each anchor of a cell is a level of its own.
    pub levels: Vec<DenseLevel>,
}

/// How the four values `v` of a cell make a box in input pixels.
///
/// `point = ((i, j) + offset) * stride` for the cell at column `i` and row `j`; the products go by x and y.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxForm {
    /// `centre = point + v.xy * gain`, `size = v.zw * size`.
    Centre,
    /// `centre = point + v.xy * gain`, `size = exp(v.zw * size_factor) * size`.
    CentreExp,
    /// `centre = point + v.xy * gain`, `size = (2 * v.zw)^2 * size`.
    CentreSquare,
    /// From `point + v.xy * gain` to `point + v.zw * gain`.
    Corners,
    /// From `point - v.xy * gain` to `point + v.zw * gain`.
    Distances,
}

impl BoxForm {
    /// Whether it reads the size of a level.
    fn has_size(self) -> bool {
        matches!(self, Self::Centre | Self::CentreExp | Self::CentreSquare)
    }
}

/// `score = max class ^ class_power * objectness ^ objectness_power`. Under a power other than 1, values below 0 count
/// as 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScoreForm {
    /// The class maps hold logits.
    pub class_sigmoid: bool,
    /// The objectness maps hold logits.
    pub objectness_sigmoid: bool,
    /// Above 0.
    pub class_power: f32,
    /// Above 0.
    pub objectness_power: f32,
}

impl Default for ScoreForm {
    fn default() -> Self {
        Self { class_sigmoid: false, objectness_sigmoid: false, class_power: 1.0, objectness_power: 1.0 }
    }
}

/// One level of a dense head: maps of one size. Pairs are x and y. The defaults of the numbers are those of boxes that
/// are decoded already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DenseLevel {
    /// Map `[4, h, w]`.
    pub boxes: String,
    /// Map `[classes, h, w]`.
    pub classes: String,
    /// Map `[1, h, w]`; none: the objectness is 1.
    #[serde(default)]
    pub objectness: Option<String>,
    /// Input pixels per cell; 0 where the place of a cell says nothing.
    #[serde(default)]
    pub stride: [f32; 2],
    /// The point of a cell, in cells from its corner.
    #[serde(default)]
    pub offset: [f32; 2],
    /// Input pixels of a unit of the position values (of all four for corners and distances).
    #[serde(default = "ones")]
    pub gain: [f32; 2],
    /// Input pixels of a unit of the size values: width and height of an anchor. Above 0.
    #[serde(default = "ones")]
    pub size: [f32; 2],
}

fn one() -> f32 {
    1.0
}

fn ones() -> [f32; 2] {
    [1.0; 2]
}

/// More levels than this are refused.
const MAX_LEVELS: usize = 4096;

impl DenseHead {
    pub(super) fn maps(&self) -> Vec<&str> {
        self.levels
            .iter()
            .flat_map(|l| [Some(l.boxes.as_str()), Some(l.classes.as_str()), l.objectness.as_deref()])
            .flatten()
            .collect()
    }

    pub(super) fn check(&self, classes: u32, shape_of: &dyn Fn(&str) -> Option<Shape>) -> Result<()> {
        if self.levels.is_empty() {
            return Err(Error::model("has no level"));
        }
        if self.levels.len() > MAX_LEVELS {
            return Err(Error::model(format!("has {} levels, the most are {MAX_LEVELS}", self.levels.len())));
        }
        let ScoreForm { class_power, objectness_power, .. } = self.score;
        for (name, value) in [
            ("class_power", class_power),
            ("objectness_power", objectness_power),
            ("size_factor", self.size_factor),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::model(format!("{name} {value} is out of range")));
            }
        }
        for (index, level) in self.levels.iter().enumerate() {
            level.check(self.boxes, classes, shape_of).map_err(|e| e.at(format!("level {index}")))?;
        }
        Ok(())
    }
}

impl DenseLevel {
    fn check(&self, form: BoxForm, classes: u32, shape_of: &dyn Fn(&str) -> Option<Shape>) -> Result<()> {
        let pairs = [
            ("stride", self.stride, self.stride.iter().all(|&v| v >= 0.0)),
            ("offset", self.offset, true),
            ("gain", self.gain, true),
            ("size", self.size, !form.has_size() || self.size.iter().all(|&v| v > 0.0)),
        ];
        for (name, [x, y], in_range) in pairs {
            if !in_range || !x.is_finite() || !y.is_finite() {
                return Err(Error::model(format!("{name} {x}, {y} is out of range")));
            }
        }
        let boxes = expect_map(&self.boxes, 4, shape_of)?;
        let others = [(Some(&self.classes), classes), (self.objectness.as_ref(), 1)];
        for (name, channels) in others.into_iter().filter_map(|(name, channels)| Some((name?, channels))) {
            let shape = expect_map(name, channels, shape_of)?;
            if [shape.height, shape.width] != [boxes.height, boxes.width] {
                return Err(Error::model(format!(
                    "map \"{name}\" is {}x{}, and map \"{}\" is {}x{}",
                    shape.width, shape.height, self.boxes, boxes.width, boxes.height
                )));
            }
        }
        Ok(())
    }
}
