//! Generalised focal loss heads (Li et al., 2020), as in NanoDet and PicoDet: per side a softmax over
//! `bins` distances in cells, `score = max class`.

use super::{expect_map, expect_stride};
use crate::error::{Error, Result};
use crate::geom::Shape;
use serde::{Deserialize, Serialize};

/// The levels of a GFL head, in anchor order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GflHead {
    /// Bins per side; the largest distance is `bins - 1` cells.
    pub bins: u32,
    /// Centre of a cell in cells: 0 for NanoDet, 0.5 for PicoDet.
    pub centre: f32,
    /// The class maps hold logits.
    #[serde(default)]
    pub sigmoid: bool,
    /// Finest first.
    pub levels: Vec<GflLevel>,
}

/// One level of a GFL head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GflLevel {
    /// Input pixels per cell.
    pub stride: u32,
    /// Map `[classes, h, w]`: class scores in `[0, 1]`, or their logits.
    pub classes: String,
    /// Map `[4 * bins, h, w]`: logits of left, top, right, bottom.
    pub distances: String,
}

/// More bins than this are refused.
const MAX_BINS: u32 = 64;

impl GflHead {
    pub(super) fn maps(&self) -> Vec<&str> {
        self.levels.iter().flat_map(|l| [l.classes.as_str(), &l.distances]).collect()
    }

    pub(super) fn check(
        &self,
        classes: u32,
        input: [u32; 2],
        shape_of: &dyn Fn(&str) -> Option<Shape>,
    ) -> Result<()> {
        if self.levels.is_empty() {
            return Err(Error::model("has no level"));
        }
        if !(2..=MAX_BINS).contains(&self.bins) || !self.centre.is_finite() {
            return Err(Error::model(format!(
                "bins {} or centre {} is out of range",
                self.bins, self.centre
            )));
        }
        for level in &self.levels {
            for (name, channels) in [(&level.classes, classes), (&level.distances, 4 * self.bins)] {
                let shape = expect_map(name, channels, shape_of)?;
                expect_stride(name, shape, level.stride, input)?;
            }
        }
        Ok(())
    }
}
