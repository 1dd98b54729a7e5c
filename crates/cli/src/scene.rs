//! A thermal-like picture of a town from above with known objects, the same on every machine.
//!
//! All arithmetic is of whole numbers, or of the operations that IEEE 754 rounds exactly; no sine, power or the like.

mod canvas;
mod ground;
mod objects;
mod place;
mod random;
mod town;

pub(crate) use objects::Class;

use canvas::Canvas;
use place::Pose;
use random::{Field, Random};
use std::collections::HashMap;
use town::Town;

/// What to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SceneOptions {
    /// Columns, from [`MIN_SIDE`] to [`MAX_SIDE`], and at most [`MAX_PIXELS`] with the rows.
    pub(crate) width: u32,
    /// Rows, within the same limits.
    pub(crate) height: u32,
    /// How many objects; fewer where there is no room.
    pub(crate) objects: u32,
    /// Which of all scenes.
    pub(crate) seed: u64,
}

/// An object of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// What it is.
    pub(crate) class: Class,
    /// Edges `[x0, y0, x1, y1]` of the pixels that it changes visibly.
    pub(crate) edges: [u32; 4],
}

impl Object {
    /// The box as COCO has it: `[x, y, width, height]`.
    pub(crate) fn bbox(&self) -> [f64; 4] {
        let [x0, y0, x1, y1] = self.edges.map(f64::from);
        [x0, y0, x1 - x0, y1 - y0]
    }
}

/// A picture with its objects.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Grey pixels.
    pub(crate) canvas: Canvas,
    /// What is in it, in the order it was placed.
    pub(crate) objects: Vec<Object>,
}

/// Smallest side of a scene in pixels.
pub(crate) const MIN_SIDE: u32 = 64;
/// Largest side.
pub(crate) const MAX_SIDE: u32 = 65_536;
/// Most pixels.
pub(crate) const MAX_PIXELS: u64 = 1 << 28;
/// Places tried for an object before it is left out.
const TRIES: u32 = 200;
/// Pixels between the ground that two objects take up.
const GAP: f32 = 2.0;

/// Objects of a scene of this size if nothing is said: at least one.
pub(crate) fn usual_objects(size: [u32; 2]) -> u32 {
    const PIXELS_OF_ONE: u64 = 69_120;
    let [width, height] = size.map(u64::from);
    // At most 2^28 pixels: it fits.
    u32::try_from(width * height / PIXELS_OF_ONE).unwrap_or(u32::MAX).max(1)
}

/// Draws a scene.
pub(crate) fn draw(options: SceneOptions) -> Scene {
    let town = Town::new(options.seed);
    let mut canvas = Canvas::new(options.width, options.height);
    ground::draw(&mut canvas, &town, options.seed);
    let mut random = Random::new(options.seed);
    let mut taken = Taken::default();
    let mut objects = Vec::new();
    for number in 0..options.objects {
        let class = match number % 9 {
            0 | 2 | 5 | 7 => Class::Person,
            1 | 4 | 8 => Class::Car,
            _ => Class::Bicycle,
        };
        let Some(pose) = find_place(options, &town, class, &taken, &mut random) else { continue };
        taken.add(class, pose);
        let shapes = class.shapes(&mut random);
        objects.extend(canvas.stamp(pose.middle, pose.axis, &shapes).map(|edges| Object { class, edges }));
    }
    canvas.add_noise(Field::new(options.seed, 32));
    Scene { canvas, objects }
}

/// A free place for an object, wholly in the picture.
fn find_place(
    options: SceneOptions,
    town: &Town,
    class: Class,
    taken: &Taken,
    random: &mut Random,
) -> Option<Pose> {
    let [width, height] = [options.width as f32, options.height as f32];
    (0..TRIES).find_map(|_| {
        let point = [random.between(0.0, width), random.between(0.0, height)];
        let pose = place::pose(town, class, point, random)?;
        let [x0, y0, x1, y1] = bounds(class, pose);
        let inside = x0 >= 0.0 && y0 >= 0.0 && x1 <= width && y1 <= height;
        (inside && !taken.hits(class, pose)).then_some(pose)
    })
}

/// The upright rectangle around the ground that an object takes up, and half of [`GAP`].
fn bounds(class: Class, Pose { middle, axis }: Pose) -> [f32; 4] {
    let [long, wide] = class.footprint();
    let reach = [0, 1].map(|side| axis[side].abs() * long + axis[1 - side].abs() * wide + GAP / 2.0);
    [middle[0] - reach[0], middle[1] - reach[1], middle[0] + reach[0], middle[1] + reach[1]]
}

/// The ground that is taken, by cells of [`Taken::CELL`] pixels.
#[derive(Debug, Default)]
struct Taken(HashMap<[i32; 2], Vec<(Class, Pose)>>);

impl Taken {
    /// More than any object is long.
    const CELL: f32 = 128.0;

    fn cell(pose: Pose) -> [i32; 2] {
        pose.middle.map(|position| (position / Self::CELL).floor() as i32)
    }

    fn add(&mut self, class: Class, pose: Pose) {
        self.0.entry(Self::cell(pose)).or_default().push((class, pose));
    }

    fn hits(&self, class: Class, pose: Pose) -> bool {
        let [column, row] = Self::cell(pose);
        let near = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| [column + dx, row + dy]));
        near.filter_map(|cell| self.0.get(&cell)).flatten().any(|other| overlap((class, pose), *other))
    }
}

/// Whether the turned rectangles of two objects overlap: there is no axis of theirs along which they lie apart.
fn overlap(a: (Class, Pose), b: (Class, Pose)) -> bool {
    let between = [b.1.middle[0] - a.1.middle[0], b.1.middle[1] - a.1.middle[1]];
    let sides = |pose: Pose| [pose.axis, [-pose.axis[1], pose.axis[0]]];
    let dot = |a: [f32; 2], b: [f32; 2]| a[0] * b[0] + a[1] * b[1];
    let reach = |(class, pose): (Class, Pose), axis: [f32; 2]| {
        let [long, wide] = class.footprint();
        let [ahead, aside] = sides(pose);
        long * dot(ahead, axis).abs() + wide * dot(aside, axis).abs()
    };
    [a, b]
        .into_iter()
        .flat_map(|(_, pose)| sides(pose))
        .all(|axis| dot(between, axis).abs() < reach(a, axis) + reach(b, axis) + GAP)
}

#[cfg(test)]
mod tests;
