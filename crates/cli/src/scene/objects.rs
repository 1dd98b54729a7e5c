//! How persons, cars and bicycles look to a thermal camera from above, after the pictures of HIT-UAV.

use super::canvas::Shape;
use super::random::Random;

/// A class of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Somebody on foot.
    Person,
    /// A passenger car.
    Car,
    /// A parked bicycle or scooter; riders count as persons.
    Bicycle,
}

impl Class {
    /// All classes.
    pub(crate) const ALL: [Self; 3] = [Self::Person, Self::Car, Self::Bicycle];

    /// Its name in HIT-UAV and in the models trained on it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Person => "Person",
            Self::Car => "Car",
            Self::Bicycle => "Bicycle",
        }
    }

    /// Half of the ground that an object of the class takes up, along and across it, in pixels.
    pub(super) fn footprint(self) -> [f32; 2] {
        match self {
            Self::Person => [11.0, 7.0],
            Self::Car => [30.0, 14.0],
            Self::Bicycle => [18.0, 10.0],
        }
    }

    /// The shapes of one of its objects, from the lowest to the highest, along and across it.
    pub(super) fn shapes(self, random: &mut Random) -> Vec<Shape> {
        match self {
            Self::Person => person(random),
            Self::Car => car(random),
            Self::Bicycle => bicycle(random),
        }
    }
}

/// A shape with an edge that fades over 1.6 pixels.
fn shape(middle: [f32; 2], half: [f32; 2], radius: f32, tone: f32) -> Shape {
    Shape { middle, half, radius, soft: 1.6, tone, cover: 1.0 }
}

/// Head, trunk and legs, seen at a slant: bare skin and thin clothes are warmest.
fn person(random: &mut Random) -> Vec<Shape> {
    let height = random.between(14.0, 17.5);
    let wide = random.between(2.7, 3.8);
    let tone = random.between(226.0, 248.0);
    let stride = random.between(0.8, 2.6);
    let trunk = if random.chance(0.25) { tone - random.between(30.0, 70.0) } else { tone };
    let at = |share: f32| height * share;
    let leg = |side: f32, length: f32| shape([at(0.30), side * stride], [at(length), 1.4], 1.3, tone - 8.0);
    vec![
        leg(1.0, 0.20),
        leg(-1.0, random.between(0.15, 0.20)),
        shape([at(-0.06), 0.0], [at(0.24), wide], 2.6, trunk),
        shape([at(-0.34), random.between(-0.8, 0.8)], [2.5, 2.5], 2.5, tone),
    ]
}

/// Roof and glass reflect the cold sky; bonnet and edges are warm after a drive.
fn car(random: &mut Random) -> Vec<Shape> {
    let [long, wide] = [random.between(22.0, 26.5), random.between(10.0, 11.6)];
    let pick = random.share();
    // Grey levels of body, rim, roof, glass and bonnet.
    let [body, rim, roof, glass, bonnet] = if pick < 0.45 {
        let cold = random.between(36.0, 68.0);
        let warm = random.between(10.0, 80.0);
        [cold + 22.0, cold + random.between(50.0, 110.0), cold, cold - 20.0, cold + warm]
    } else if pick < 0.75 {
        let cold = random.between(66.0, 100.0);
        [cold + 36.0, 196.0, cold, cold - 30.0, random.between(190.0, 240.0)]
    } else {
        let warm = random.between(186.0, 222.0);
        [warm, warm + 22.0, warm - random.between(0.0, 90.0), 70.0, warm + 8.0]
    };
    let part = |from: f32, to: f32, half: f32, radius: f32, tone: f32| {
        shape([long * (from + to) / 2.0, 0.0], [long * (to - from) / 2.0, half], radius, tone)
    };
    // The ground below and beside the car lies in its shadow from the sky.
    let shadow = Shape { soft: 4.0, cover: 0.35, ..shape([0.0, 1.0], [long + 0.5, wide + 0.5], 7.0, 60.0) };
    vec![
        shadow,
        part(-1.0, 1.0, wide, 6.0, rim),
        part(-0.95, 0.95, wide - 1.8, 5.0, body),
        part(0.50, 0.92, wide - 3.0, 3.0, bonnet),
        part(-0.72, 0.48, wide - 2.8, 4.0, glass),
        part(-0.52, 0.20, wide - 3.2, 3.0, roof),
    ]
}

/// A parked bicycle or scooter: a cold frame, a broad seat, a handlebar across, now and then a warm saddle. Cameras of
/// this kind brighten the ground around cold things.
fn bicycle(random: &mut Random) -> Vec<Shape> {
    let long = random.between(12.5, 15.0);
    let frame = random.between(22.0, 52.0);
    let fat = random.between(3.2, 4.4);
    let bar = long * random.between(0.22, 0.40);
    let mut shapes = vec![
        Shape { soft: 5.0, cover: 0.35, ..shape([0.0, 0.0], [long + 1.0, fat + 2.5], 4.0, 190.0) },
        shape([0.0, 0.0], [long, 1.8], 1.8, frame + 6.0),
        shape([-long * 0.5, random.between(-0.5, 0.5)], [long * 0.5, fat], 2.6, frame),
        shape([long * 0.62, 0.0], [long * 0.34, fat * 0.7], 2.0, frame + 4.0),
        shape([bar, random.between(-1.0, 1.0)], [1.9, 6.8], 1.6, frame + 4.0),
    ];
    if random.chance(0.2) {
        shapes.push(shape([-long * 0.45, 0.0], [3.0, fat - 1.4], 1.6, random.between(120.0, 190.0)));
    }
    shapes
}
