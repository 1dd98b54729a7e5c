//! Where objects stand: cars on roads and in stalls, the others on pavements, lawns and squares.

use super::objects::Class;
use super::random::Random;
use super::town::{Kind, Surface, Town, Zone, stall};

/// The place of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pose {
    /// Its middle, in the picture.
    pub(super) middle: [f32; 2],
    /// The direction it points in, of length 1, in the picture.
    pub(super) axis: [f32; 2],
}

/// Scales a direction to length 1; the first axis in place of none.
fn unit([x, y]: [f32; 2]) -> [f32; 2] {
    let length = (x * x + y * y).sqrt();
    if length > 0.0 { [x / length, y / length] } else { [1.0, 0.0] }
}

/// A place for an object of a class near a point of the picture; none if the ground there does not suit it.
pub(super) fn pose(town: &Town, class: Class, point: [f32; 2], random: &mut Random) -> Option<Pose> {
    let spot = town.of_picture(point);
    let (spot, axis) = match class {
        Class::Car => car(town, spot, random)?,
        Class::Bicycle => bicycle(town, spot, random)?,
        Class::Person => (spot, [0.0; 2]),
    };
    let pose = if class == Class::Person {
        // Seen at a slant, people are upright in the picture wherever they walk.
        Pose { middle: point, axis: unit([random.between(-0.25, 0.25), 1.0]) }
    } else {
        Pose { middle: town.to_picture(spot), axis: town.to_picture(axis) }
    };
    suits(town, class, pose).then_some(pose)
}

/// Whether the ground under the middle and the corners of an object suits its class.
fn suits(town: &Town, class: Class, pose: Pose) -> bool {
    let [long, wide] = class.footprint();
    [[0.0, 0.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]].iter().all(|[a, b]| {
        let (a, b) = (a * long, b * wide);
        let point = [
            pose.middle[0] + a * pose.axis[0] - b * pose.axis[1],
            pose.middle[1] + a * pose.axis[1] + b * pose.axis[0],
        ];
        match town.surface(town.of_picture(point)) {
            Surface::Road | Surface::Line => true,
            Surface::Kerb | Surface::Pavement => class != Class::Car,
            Surface::Lawn => class == Class::Person,
            Surface::Tree(_) | Surface::Roof(_) | Surface::Parapet => false,
            Surface::Fixture(_) => class == Class::Car,
        }
    })
}

/// In a lane, in a row along the kerb, or in a stall.
fn car(town: &Town, spot: [f32; 2], random: &mut Random) -> Option<([f32; 2], [f32; 2])> {
    /// Room that a car parked along the kerb takes.
    const BAY: f32 = 76.0;
    match town.zone(spot) {
        Zone::Street { upright, lateral, along } => {
            let parked = random.chance(0.65);
            let wanted = if parked { 52.0 } else { 19.0 } * if lateral < 0.0 { -1.0 } else { 1.0 };
            let wanted = wanted + random.between(-1.5, 1.5);
            let place = if parked { ((along / BAY).floor() + 0.5) * BAY } else { along };
            let (across, ahead) = if upright { (0, 1) } else { (1, 0) };
            let mut spot = spot;
            spot[across] += wanted - lateral;
            spot[ahead] += place - along + random.between(-3.0, 3.0);
            let mut axis = [0.0; 2];
            axis[ahead] = random.sign();
            axis[across] = random.between(-0.04, 0.04);
            // In the lanes everybody keeps to the right.
            if !parked {
                axis[ahead] = if (lateral < 0.0) == upright { -1.0 } else { 1.0 };
            }
            Some((spot, unit(axis)))
        }
        Zone::Block { kind: Kind::CarPark, at, size, .. } => {
            let middle = stall(at, size)?;
            let spot = [
                spot[0] + middle[0] - at[0] + random.between(-1.5, 1.5),
                spot[1] + middle[1] - at[1] + random.between(-2.5, 2.5),
            ];
            Some((spot, unit([random.between(-0.04, 0.04), random.sign()])))
        }
        Zone::Crossing | Zone::Block { .. } => None,
    }
}

/// Leaning on the wall of a pavement, or anyhow on a square.
fn bicycle(town: &Town, spot: [f32; 2], random: &mut Random) -> Option<([f32; 2], [f32; 2])> {
    match town.zone(spot) {
        Zone::Street { upright, lateral, .. } => {
            let (across, ahead) = if upright { (0, 1) } else { (1, 0) };
            let mut spot = spot;
            spot[across] += 83.0 * if lateral < 0.0 { -1.0 } else { 1.0 } - lateral;
            let mut axis = [0.0; 2];
            axis[ahead] = random.sign();
            axis[across] = random.between(-1.0, 1.0);
            Some((spot, unit(axis)))
        }
        Zone::Block { kind: Kind::Square, .. } => {
            Some((spot, unit([random.between(-1.0, 1.0), random.between(-1.0, 1.0)])))
        }
        Zone::Crossing | Zone::Block { .. } => None,
    }
}
