//! Random boxes, the same everywhere.

use tilehawk::MergeBox;
use tilehawk::geom::RectPx;

/// A small generator (splitmix64), the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    pub(crate) fn below(&mut self, n: u32) -> u32 {
        (self.next() % u64::from(n)) as u32
    }
}

/// A random scene: sides are spread evenly over orders of magnitude up to the largest.
pub(crate) struct Scene {
    pub(crate) count: u32,
    pub(crate) spread_px: f32,
    pub(crate) largest_px: f32,
    pub(crate) scores: u32,
    pub(crate) classes: u32,
}

pub(crate) fn scene(seed: u64, scene: &Scene) -> Vec<MergeBox> {
    let mut random = Random(seed);
    let mut one = || {
        let side = scene.largest_px.powf(random.unit());
        let (w, h) = (side * (0.5 + random.unit()), side * (0.5 + random.unit()));
        let x0 = (random.unit() - 0.5) * scene.spread_px;
        let y0 = (random.unit() - 0.5) * scene.spread_px;
        let rect = RectPx::new(x0, y0, x0 + w, y0 + h);
        let score = random.below(scene.scores) as f32 / scene.scores as f32;
        MergeBox { rect, score, class_id: random.below(scene.classes), ..MergeBox::default() }
    };
    (0..scene.count).map(|_| one()).collect()
}
