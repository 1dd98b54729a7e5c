//! Which inner edges of its tile a box touches.

use serde::{Deserialize, Serialize};

/// A set of tile edges. An edge of a tile is inner if picture lies beyond it; a box that touches one may be the
/// part of an object that the tile cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Edges(u8);

impl Edges {
    /// No edge: the box is whole.
    pub const NONE: Self = Self(0);
    /// The left edge.
    pub const LEFT: Self = Self(1);
    /// The top edge.
    pub const TOP: Self = Self(2);
    /// The right edge.
    pub const RIGHT: Self = Self(4);
    /// The bottom edge.
    pub const BOTTOM: Self = Self(8);

    /// The edges of these bits, 1 left, 2 top, 4 right, 8 bottom; `None` if another bit is set.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits < 16 { Some(Self(bits)) } else { None }
    }

    /// Bits 1 left, 2 top, 4 right, 8 bottom.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether it holds no edge.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The edges of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
