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

#[cfg(test)]
mod tests {
    use super::super::Head;
    use super::*;

    fn level() -> DenseLevel {
        DenseLevel {
            boxes: "boxes".into(),
            classes: "classes".into(),
            objectness: Some("objectness".into()),
            stride: [8.0; 2],
            offset: [-0.5; 2],
            gain: [16.0; 2],
            size: [10.0, 13.0],
        }
    }

    fn head() -> DenseHead {
        DenseHead {
            boxes: BoxForm::CentreSquare,
            box_sigmoid: true,
            size_factor: 1.0,
            score: ScoreForm { class_sigmoid: true, objectness_sigmoid: true, ..ScoreForm::default() },
            levels: vec![level()],
        }
    }

    fn shape_of(name: &str) -> Option<Shape> {
        match name {
            "boxes" | "four" => Some(Shape::new(4, 5, 7)),
            "classes" => Some(Shape::new(3, 5, 7)),
            "objectness" => Some(Shape::new(1, 5, 7)),
            "turned" => Some(Shape::new(1, 7, 5)),
            _ => None,
        }
    }

    fn check(head: DenseHead) -> Result<()> {
        Head::Dense(head).check(3, [40, 56], &shape_of)
    }

    #[test]
    fn a_bad_head_is_refused_with_its_place() {
        check(head()).unwrap();
        let level_cases: [(fn(&mut DenseLevel), &str); 13] = [
            (|l| l.boxes = "nowhere".into(), "level 1: there is no map \"nowhere\""),
            (|l| l.boxes = "classes".into(), "map \"classes\" has 3 channels, needs 4"),
            (|l| l.classes = "four".into(), "map \"four\" has 4 channels, needs 3"),
            (|l| l.objectness = Some("four".into()), "map \"four\" has 4 channels, needs 1"),
            (|l| l.objectness = Some("turned".into()), "map \"turned\" is 5x7, and map \"boxes\" is 7x5"),
            (|l| l.stride[1] = -8.0, "level 1: stride 8, -8"),
            (|l| l.stride[0] = f32::INFINITY, "stride inf"),
            (|l| l.stride[0] = f32::NAN, "stride NaN"),
            (|l| l.offset[1] = f32::NAN, "offset"),
            (|l| l.gain[0] = f32::NEG_INFINITY, "gain -inf"),
            (|l| l.size[0] = 0.0, "size 0, 13"),
            (|l| l.size[1] = -1.0, "size 10, -1"),
            (|l| l.size[1] = f32::NAN, "size 10, NaN"),
        ];
        for (change, text) in level_cases {
            let mut bad = level();
            change(&mut bad);
            let error = check(DenseHead { levels: vec![level(), bad], ..head() }).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("head \"dense\""), "{error}: {text}");
        }
        let head_cases: [(fn(&mut DenseHead), &str); 7] = [
            (|h| h.levels.clear(), "has no level"),
            (|h| h.levels = vec![level(); 4097], "4097 levels"),
            (|h| h.score.class_power = 0.0, "class_power 0"),
            (|h| h.score.class_power = f32::NAN, "class_power NaN"),
            (|h| h.score.objectness_power = -0.5, "objectness_power -0.5"),
            (|h| h.size_factor = f32::INFINITY, "size_factor inf"),
            (|h| h.size_factor = 0.0, "size_factor 0"),
        ];
        for (change, text) in head_cases {
            let mut bad = head();
            change(&mut bad);
            let error = check(bad).unwrap_err().to_string();
            assert!(error.contains(text), "{error}: {text}");
        }
        check(DenseHead { levels: vec![level(); 4096], ..head() }).unwrap();
    }

    #[test]
    fn only_forms_with_a_size_check_it() {
        for (boxes, passes) in [
            (BoxForm::Centre, false),
            (BoxForm::CentreExp, false),
            (BoxForm::CentreSquare, false),
            (BoxForm::Corners, true),
            (BoxForm::Distances, true),
        ] {
            let levels = vec![DenseLevel { size: [0.0; 2], ..level() }];
            assert_eq!(check(DenseHead { boxes, levels, ..head() }).is_ok(), passes, "{boxes:?}");
        }
    }

    #[test]
    fn fields_left_out_mean_decoded_boxes() {
        let text = r#"{"kind": "dense", "boxes": "corners", "levels": [{"boxes": "b", "classes": "c"}]}"#;
        let level = DenseLevel {
            boxes: "b".into(),
            classes: "c".into(),
            objectness: None,
            stride: [0.0; 2],
            offset: [0.0; 2],
            gain: [1.0; 2],
            size: [1.0; 2],
        };
        let score = ScoreForm {
            class_sigmoid: false,
            objectness_sigmoid: false,
            class_power: 1.0,
            objectness_power: 1.0,
        };
        let boxes = BoxForm::Corners;
        let wanted = Head::Dense(DenseHead {
            boxes,
            box_sigmoid: false,
            size_factor: 1.0,
            score,
            levels: vec![level],
        });
        assert_eq!(serde_json::from_str::<Head>(text).unwrap(), wanted);
        let full = Head::Dense(head());
        assert_eq!(serde_json::from_str::<Head>(&serde_json::to_string(&full).unwrap()).unwrap(), full);
        assert_eq!(full.maps(), ["boxes", "classes", "objectness"]);
        assert_eq!(wanted.maps(), ["b", "c"]);
        let gfl = r#"{"kind": "gfl", "bins": 8, "centre": 0, "levels": []}"#;
        let Head::Gfl(gfl) = serde_json::from_str(gfl).unwrap() else { panic!("not gfl") };
        assert!(!gfl.sigmoid);
    }
}
