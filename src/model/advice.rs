//! What a model says about its use and making beside the network: recommended settings, focus map, fusion factors.

use super::Shapes;
use crate::error::{Error, Result};
use crate::geom::{Algorithm, Metric};
use serde::{Deserialize, Serialize};

/// Settings that a model's makers found best; taken where the user gives none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommended {
    /// Width and height of a tile in pixels, at least 1.
    pub tile: [u32; 2],
    /// Overlap of neighbouring tiles as a share of a tile's width and height, each in [0, 1).
    pub overlap: [f64; 2],
    /// Whether the whole picture is one more tile.
    #[serde(default)]
    pub full_image: bool,
    /// Lowest score of a box, 0 to 1.
    pub confidence: f32,
    /// How boxes are merged.
    pub merge: Algorithm,
    /// What is compared with the threshold.
    pub metric: Metric,
    /// Overlap from which boxes are merged, 0 to 1.
    pub threshold: f32,
    /// Whether boxes of different classes are merged.
    #[serde(default)]
    pub class_agnostic: bool,
}

impl Recommended {
    pub(super) fn check(&self) -> Result<()> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let bad = |field: &str, range: &str| Err(Error::model(format!("`{field}` is outside {range}")));
        if self.tile.contains(&0) {
            return bad("tile", "1 and more");
        }
        if !self.overlap.iter().all(|&overlap| share(overlap) && overlap < 1.0) {
            return bad("overlap", "0..1");
        }
        if !share(f64::from(self.confidence)) {
            return bad("confidence", "0..=1");
        }
        if !share(f64::from(self.threshold)) {
            return bad("threshold", "0..=1");
        }
        Ok(())
    }
}

/// A map `[1, h, w]` of the probability that a cell touches a small object (AutoFocus, Najibi et al. 2019, section 3.1).
/// Sizes are the square root of an object's area in pixels of the network's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FocusMap {
    /// Name of the map.
    pub map: String,
    /// Input pixels per cell.
    pub stride: u32,
    /// Objects above this size were marked.
    pub a: f32,
    /// Objects below this size were marked.
    pub b: f32,
    /// Cells of objects smaller than `a`, or of `b` to this size, were not judged.
    pub c: f32,
}

impl FocusMap {
    pub(super) fn check(&self, shapes: &Shapes, input: [u32; 2]) -> Result<()> {
        let shape = shapes.get(&self.map)?;
        let [height, width] = input.map(|side| side.div_ceil(self.stride.max(1)));
        if self.stride == 0 || shape.sides() != [1, height, width] {
            return Err(Error::model(format!(
                "map \"{}\" is {:?} and not [1, {height}, {width}], a value per cell of {} input pixels",
                self.map,
                shape.sides(),
                self.stride
            )));
        }
        if !(0.0 <= self.a && self.a < self.b && self.b <= self.c && self.c.is_finite()) {
            return Err(Error::model("sizes a, b and c must rise from 0"));
        }
        Ok(())
    }
}

/// The fusion factor of an edge of a feature pyramid (Gong et al., WACV 2021): what the coarser map was multiplied by. For
/// information; the factor itself is in the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fusion {
    /// The map in which the edge ends.
    pub edge: String,
    /// The factor.
    pub alpha: f32,
}

impl Fusion {
    pub(super) fn check(&self, shapes: &Shapes) -> Result<()> {
        shapes.get(&self.edge)?;
        if !self.alpha.is_finite() {
            return Err(Error::model(format!("the factor of \"{}\" is not a finite number", self.edge)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice() -> Recommended {
        Recommended {
            tile: [256, 256],
            overlap: [0.25; 2],
            full_image: true,
            confidence: 0.3,
            merge: Algorithm::Nms,
            metric: Metric::Iou,
            threshold: 0.5,
            class_agnostic: false,
        }
    }

    #[test]
    fn advice_is_read_as_written() {
        let text = serde_json::to_string(&advice()).unwrap();
        assert_eq!(serde_json::from_str::<Recommended>(&text).unwrap(), advice());
        assert!(text.contains("\"merge\":\"nms\""), "{text}");
        assert!(serde_json::from_str::<Recommended>(&text.replace("overlap", "overlaps")).is_err());
    }

    #[test]
    fn advice_out_of_range_is_refused() {
        assert!(advice().check().is_ok());
        let bad = [
            ("tile", Recommended { tile: [0, 1], ..advice() }),
            ("overlap", Recommended { overlap: [0.0, 1.0], ..advice() }),
            ("confidence", Recommended { confidence: f32::NAN, ..advice() }),
            ("threshold", Recommended { threshold: 1.5, ..advice() }),
        ];
        for (field, advice) in bad {
            assert!(advice.check().unwrap_err().to_string().contains(field));
        }
    }
}
