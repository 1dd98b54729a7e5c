//! Rectangles in pixels. A pixel spans `[i, i + 1)`; no "+1" anywhere.

use serde::{Deserialize, Serialize};

/// A rectangle in pixels of the full image, edges as floats.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, bytemuck::Pod, bytemuck::Zeroable,
)]
#[repr(C)]
pub struct RectPx {
    /// Left edge.
    pub x0: f32,
    /// Top edge.
    pub y0: f32,
    /// Right edge.
    pub x1: f32,
    /// Bottom edge.
    pub y1: f32,
}

impl RectPx {
    /// A rectangle from its edges.
    #[must_use]
    pub const fn new(x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        Self { x0, y0, x1, y1 }
    }

    /// Width times height, rounded once per operation in f32 (as the merge computes it).
    #[must_use]
    pub fn area(&self) -> f32 {
        (self.x1 - self.x0) * (self.y1 - self.y0)
    }

    /// `[x0, y0, x1, y1]`.
    #[must_use]
    pub const fn to_array(self) -> [f32; 4] {
        [self.x0, self.y0, self.x1, self.y1]
    }
}

/// A half-open rectangle of whole pixels: columns `x0..x1`, rows `y0..y1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IRectPx {
    /// First column.
    pub x0: u32,
    /// First row.
    pub y0: u32,
    /// Column after the last.
    pub x1: u32,
    /// Row after the last.
    pub y1: u32,
}

impl IRectPx {
    /// A rectangle from its edges.
    #[must_use]
    pub const fn new(x0: u32, y0: u32, x1: u32, y1: u32) -> Self {
        Self { x0, y0, x1, y1 }
    }

    /// Columns.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.x1.saturating_sub(self.x0)
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.y1.saturating_sub(self.y0)
    }

    /// `[x0, y0, x1, y1]`.
    #[must_use]
    pub const fn to_array(self) -> [u32; 4] {
        [self.x0, self.y0, self.x1, self.y1]
    }
}
