//! What the ground of a town is made of, point by point.

use super::{Kind, PERIOD, ROAD, Surface, Town, Zone};

/// Depth of a row of stalls, and width of a stall.
const STALL: [f32; 2] = [66.0, 36.0];
/// Width of the aisle between two rows.
const AISLE: f32 = 72.0;
/// Lawn around a car park.
const RIM: f32 = 24.0;

impl Town {
    /// What the ground is made of at a point of the town.
    pub(in crate::scene) fn surface(&self, point: [f32; 2]) -> Surface {
        match self.zone(point) {
            Zone::Crossing => self.crossing(point),
            Zone::Street { lateral, along, .. } => self.street(point, lateral, along),
            Zone::Block { kind, at, size, cell } => self.block(kind, at, size, cell),
        }
    }

    fn crossing(&self, point: [f32; 2]) -> Surface {
        let lateral: [f32; 2] = std::array::from_fn(|axis| {
            let number = (point[axis] / PERIOD).floor() as i32;
            (point[axis] - self.middle(axis, number)).abs()
        });
        if lateral.iter().any(|distance| *distance < ROAD) { Surface::Road } else { Surface::Pavement }
    }

    fn street(&self, point: [f32; 2], lateral: f32, along: f32) -> Surface {
        let distance = lateral.abs();
        let beat = along.rem_euclid(80.0);
        if distance > ROAD {
            return if distance < ROAD + 3.0 { Surface::Kerb } else { Surface::Pavement };
        }
        if distance < 1.5 && beat < 40.0 || (distance - 38.0).abs() < 1.0 && beat < 12.0 {
            return Surface::Line;
        }
        // Covers over drains, here and there in the middle of a lane.
        let cell = [(point[0] / 90.0).floor() as i32, (point[1] / 90.0).floor() as i32];
        let (dx, dy) = (point[0] - (cell[0] as f32 + 0.5) * 90.0, point[1] - (cell[1] as f32 + 0.5) * 90.0);
        let chosen = self.things.at(cell[0], cell[1]);
        if chosen < 0.06 && dx * dx + dy * dy < 16.0 {
            return Surface::Fixture(if chosen < 0.03 { 0.15 } else { 0.4 });
        }
        Surface::Road
    }

    fn block(&self, kind: Kind, at: [f32; 2], size: [f32; 2], cell: [i32; 2]) -> Surface {
        let inside = inside(at, size);
        if inside < 0.0 {
            return Surface::Pavement;
        }
        let mark = cell[0].wrapping_mul(7919) ^ cell[1].wrapping_mul(104_729);
        match kind {
            Kind::House if inside > 52.0 => self.roof(at, inside - 52.0, mark),
            Kind::CarPark if inside > RIM => stalls(at, size),
            Kind::Square => {
                let joint = at.iter().any(|position| position.rem_euclid(110.0) < 2.0);
                self.tree(at, size, mark, 0.12).unwrap_or(if joint {
                    Surface::Kerb
                } else {
                    Surface::Pavement
                })
            }
            Kind::Park => self.tree(at, size, mark, 0.5).unwrap_or(Surface::Lawn),
            Kind::House | Kind::CarPark => Surface::Lawn,
        }
    }

    /// A roof at a point that is `inside` pixels from its edge.
    fn roof(&self, at: [f32; 2], inside: f32, mark: i32) -> Surface {
        if inside < 5.0 {
            return Surface::Parapet;
        }
        let warmth = self.blocks.at(mark, 9);
        let cell = at.map(|position| (position / 70.0).floor() as i32);
        let chosen = self.things.at(cell[0] ^ mark, cell[1]);
        let reach = 4.0 + 25.0 * chosen;
        let far = |axis: usize| (at[axis] - (cell[axis] as f32 + 0.5) * 70.0).abs() > reach;
        if chosen < 0.2 && inside > 40.0 && !far(0) && !far(1) {
            return Surface::Fixture(chosen * 4.0);
        }
        Surface::Roof(warmth)
    }

    /// The tree over a point, where trees stand with a probability in cells of 120 pixels.
    fn tree(&self, at: [f32; 2], size: [f32; 2], mark: i32, probability: f32) -> Option<Surface> {
        const CELL: f32 = 120.0;
        let cell = at.map(|position| (position / CELL).floor() as i32);
        let chosen = self.things.at(cell[0] ^ mark, cell[1].wrapping_add(1 << 20));
        // No crown is cut by the edge of its block.
        let whole = (0..2).all(|axis| (cell[axis] + 1) as f32 * CELL <= size[axis]);
        if chosen >= probability || !whole {
            return None;
        }
        let radius = 26.0 + 26.0 * chosen / probability;
        let spare = CELL / 2.0 - radius - 6.0;
        let place = |axis: usize| {
            let shift = self.things.at(cell[0] ^ mark, cell[1].wrapping_add((2 + axis as i32) << 20));
            at[axis] - (cell[axis] as f32 + 0.5) * CELL - spare * (shift * 2.0 - 1.0)
        };
        let (dx, dy) = (place(0), place(1));
        let ragged = radius + 6.0 * self.things.smooth(at[0], at[1], 11.0);
        let depth = 1.0 - (dx * dx + dy * dy).sqrt() / ragged;
        (depth > 0.0).then_some(Surface::Tree(depth))
    }
}

/// Distance of a point in a rectangle with round corners from its edge; negative beyond a corner.
fn inside(at: [f32; 2], size: [f32; 2]) -> f32 {
    const RADIUS: f32 = 40.0;
    let [x, y] = [0, 1].map(|axis| at[axis].min(size[axis] - at[axis]));
    if x >= RADIUS || y >= RADIUS {
        return x.min(y);
    }
    let (dx, dy) = (RADIUS - x, RADIUS - y);
    RADIUS - (dx * dx + dy * dy).sqrt()
}

/// The middle of the stall at a point of a car park, whose cars point along the second axis; none in an aisle.
pub(in crate::scene) fn stall(at: [f32; 2], size: [f32; 2]) -> Option<[f32; 2]> {
    let period = 2.0 * STALL[0] + AISLE;
    let (across, along) = (at[1] - RIM, at[0] - RIM);
    let (row, within) = ((across / period).floor(), across.rem_euclid(period));
    let start = if within < STALL[0] {
        0.0
    } else if within >= STALL[0] + AISLE {
        STALL[0] + AISLE
    } else {
        return None;
    };
    let middle =
        [((along / STALL[1]).floor() + 0.5) * STALL[1] + RIM, row * period + start + STALL[0] / 2.0 + RIM];
    // A stall that is cut by the edge of the car park is none.
    let whole = middle[0] + STALL[1] / 2.0 <= size[0] - RIM && middle[1] + STALL[0] / 2.0 <= size[1] - RIM;
    whole.then_some(middle)
}

fn stalls(at: [f32; 2], size: [f32; 2]) -> Surface {
    match stall(at, size) {
        Some(middle) if (at[0] - middle[0]).abs() > STALL[1] / 2.0 - 1.0 => Surface::Line,
        _ => Surface::Road,
    }
}
