//! The shape of a feature map.

/// Channels, height, width of one tile's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Channels.
    pub channels: u32,
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}

impl Shape {
    /// A shape from its sizes.
    #[must_use]
    pub const fn new(channels: u32, height: u32, width: u32) -> Self {
        Self { channels, height, width }
    }

    /// Channels, height, width.
    #[must_use]
    pub const fn sides(&self) -> [u32; 3] {
        [self.channels, self.height, self.width]
    }

    /// Groups of four channels: what one pixel of an NC4HW4 map holds.
    #[must_use]
    pub const fn groups_of_4(&self) -> u32 {
        self.channels.div_ceil(4)
    }

    /// Pixels of a map.
    #[must_use]
    pub const fn pixels(&self) -> u32 {
        self.height * self.width
    }

    /// Elements of one tile's NC4HW4 map, padding channels included.
    #[must_use]
    pub const fn padded_len(&self) -> u64 {
        self.groups_of_4() as u64 * self.pixels() as u64 * 4
    }
}
