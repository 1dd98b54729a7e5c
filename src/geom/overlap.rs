//! Overlap of two boxes as SAHI's numpy backend computes it in f32.

use super::RectPx;
use serde::{Deserialize, Serialize};

/// What is measured between two boxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Intersection over union.
    #[default]
    Iou,
    /// Intersection over the smaller area.
    Ios,
}

impl Metric {
    /// The metric of two boxes in f32, each operation rounded once; 0 where the denominator is not positive.
    #[must_use]
    pub fn of(self, a: &RectPx, b: &RectPx) -> f32 {
        let width = (a.x1.min(b.x1) - a.x0.max(b.x0)).max(0.0);
        let height = (a.y1.min(b.y1) - a.y0.max(b.y0)).max(0.0);
        let inter = width * height;
        let denominator = match self {
            Self::Iou => a.area() + b.area() - inter,
            Self::Ios => a.area().min(b.area()),
        };
        if denominator > 0.0 { inter / denominator } else { 0.0 }
    }
}
