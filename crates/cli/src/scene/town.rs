//! The plan of a town without end: streets in a grid that is turned, and between them blocks of several kinds.
//!
//! Lengths are pixels; one is about 9 cm on the ground, as seen by a thermal camera from 60 to 80 m.

mod surface;

pub(super) use surface::stall;

use super::random::{Field, Random};

/// Mean distance of streets.
const PERIOD: f32 = 600.0;
/// How far a street may be from its mean place.
const JITTER: f32 = 60.0;
/// Half of a street: a lane, and a lane to park in.
const ROAD: f32 = 66.0;
/// From the middle of a street to the outer edge of its pavement.
const STREET: f32 = 98.0;

/// What the ground is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Surface {
    /// Asphalt.
    Road,
    /// Paint on asphalt.
    Line,
    /// The stone between road and pavement.
    Kerb,
    /// Slabs beside the road, and of squares.
    Pavement,
    /// Grass.
    Lawn,
    /// The crown of a tree, from its rim at 0 to its middle at 1.
    Tree(f32),
    /// A flat roof, cold at 0 and warm at 1.
    Roof(f32),
    /// The edge of a roof.
    Parapet,
    /// A machine on a roof, or a cover in the road: warmer or colder than what is around.
    Fixture(f32),
}

/// Where a point of the town lies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Zone {
    /// Where streets meet, pavements included.
    Crossing,
    /// A street with its pavements.
    Street {
        /// Whether it runs along the second axis.
        upright: bool,
        /// Distance from its middle, signed.
        lateral: f32,
        /// Position along it.
        along: f32,
    },
    /// Ground between streets.
    Block {
        /// What is on it.
        kind: Kind,
        /// Position from its first corner.
        at: [f32; 2],
        /// Its sides.
        size: [f32; 2],
        /// Its place in the grid.
        cell: [i32; 2],
    },
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    House,
    CarPark,
    Park,
    Square,
}

/// The plan of a town.
#[derive(Clone, Debug)]
pub(super) struct Town {
    /// Direction of the first axis in the picture, of length 1.
    axis: [f32; 2],
    streets: [Field; 2],
    blocks: Field,
    things: Field,
}

impl Town {
    /// The town of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x70_776E);
        // No sine: its last bits differ between machines.
        let slope = random.between(0.05, 0.45) * random.sign();
        let length = (1.0 + slope * slope).sqrt();
        Self {
            axis: [1.0 / length, slope / length],
            streets: [Field::new(seed, 1), Field::new(seed, 2)],
            blocks: Field::new(seed, 3),
            things: Field::new(seed, 4),
        }
    }

    /// A point of the picture in the town's axes.
    pub(super) fn of_picture(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [x * self.axis[0] + y * self.axis[1], y * self.axis[0] - x * self.axis[1]]
    }

    /// A point or direction of the town in the picture.
    pub(super) fn to_picture(&self, [u, v]: [f32; 2]) -> [f32; 2] {
        [u * self.axis[0] - v * self.axis[1], u * self.axis[1] + v * self.axis[0]]
    }

    /// The middle of a street.
    fn middle(&self, axis: usize, number: i32) -> f32 {
        (number as f32 + 0.5) * PERIOD + (self.streets[axis].at(number, 0) * 2.0 - 1.0) * JITTER
    }

    /// Where a point lies.
    pub(super) fn zone(&self, point: [f32; 2]) -> Zone {
        let mut lateral = [0.0; 2];
        let (mut at, mut size, mut cell) = ([0.0; 2], [0.0; 2], [0; 2]);
        for axis in 0..2 {
            let number = (point[axis] / PERIOD).floor() as i32;
            let middle = self.middle(axis, number);
            lateral[axis] = point[axis] - middle;
            cell[axis] = if lateral[axis] < 0.0 { number - 1 } else { number };
            let (low, high) = (self.middle(axis, cell[axis]), self.middle(axis, cell[axis] + 1));
            at[axis] = point[axis] - low - STREET;
            size[axis] = high - low - 2.0 * STREET;
        }
        match lateral.map(|distance| distance.abs() < STREET) {
            [true, true] => Zone::Crossing,
            [true, false] => Zone::Street { upright: true, lateral: lateral[0], along: point[1] },
            [false, true] => Zone::Street { upright: false, lateral: lateral[1], along: point[0] },
            [false, false] => Zone::Block { kind: self.kind(cell), at, size, cell },
        }
    }

    fn kind(&self, cell: [i32; 2]) -> Kind {
        // Neighbours differ: kinds go round, with an offset by row.
        let offset = (self.blocks.at(0, cell[1]) * 4.0) as i32;
        match (cell[0] + offset).rem_euclid(4) {
            0 => Kind::CarPark,
            1 => Kind::Park,
            2 => Kind::House,
            _ => Kind::Square,
        }
    }
}
