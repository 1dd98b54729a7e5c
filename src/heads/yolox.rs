//! YOLOX (Ge et al., 2021): `centre = (raw + cell) * stride`, `size = exp(raw) * stride`,
//! `score = objectness * max class`.

use super::{expect_map, expect_stride};
use crate::error::{Error, Result};
use crate::geom::Shape;
use serde::{Deserialize, Serialize};

/// The levels of a YOLOX head, in anchor order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct YoloxHead {
    /// Finest first, as the network joins them.
    pub levels: Vec<YoloxLevel>,
}

/// One level of a YOLOX head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct YoloxLevel {
    /// Input pixels per cell.
    pub stride: u32,
    /// Map `[4, h, w]`: centre x, y and log width, height, in cells.
    pub boxes: String,
    /// Map `[1, h, w]`: objectness in `[0, 1]`.
    pub objectness: String,
    /// Map `[classes, h, w]`: class scores in `[0, 1]`.
    pub classes: String,
}

impl YoloxHead {
    pub(super) fn maps(&self) -> Vec<&str> {
        self.levels.iter().flat_map(|l| [l.boxes.as_str(), &l.objectness, &l.classes]).collect()
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
        for level in &self.levels {
            for (name, channels) in [(&level.boxes, 4), (&level.objectness, 1), (&level.classes, classes)] {
                let shape = expect_map(name, channels, shape_of)?;
                expect_stride(name, shape, level.stride, input)?;
            }
        }
        Ok(())
    }
}
