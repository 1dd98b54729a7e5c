//! Random numbers that are the same on every machine: SplitMix64 (Steele, Lea and Flood, 2014).

/// The step of SplitMix64, 2^64 over the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes all bits of a number.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The top 24 bits as a number in [0, 1), exactly.
fn share(bits: u64) -> f32 {
    (bits >> 40) as f32 / 16_777_216.0
}

/// A sequence of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// A number in [0, 1).
    pub(super) fn share(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(STEP);
        share(mix(self.0))
    }

    /// A number from `low` to `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.share()
    }

    /// True with a probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.share() < probability
    }

    /// 1 or -1.
    pub(super) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }
}

/// Random numbers by place: each place has its own, whatever the order they are asked in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field(u64);

impl Field {
    /// The field of a seed. Fields of a seed with different `purpose` do not resemble each other.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        Self(mix(seed ^ mix(purpose.wrapping_mul(STEP))))
    }

    /// The number at a place, in [0, 1).
    pub(super) fn at(self, x: i32, y: i32) -> f32 {
        let place = (u64::from(x.cast_unsigned()) << 32) | u64::from(y.cast_unsigned());
        share(mix(self.0 ^ place.wrapping_mul(STEP)))
    }

    /// Smooth noise in [-1, 1) whose features are `cell` pixels wide.
    pub(super) fn smooth(self, x: f32, y: f32, cell: f32) -> f32 {
        let (x, y) = (x / cell, y / cell);
        let (left, top) = (x.floor(), y.floor());
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (s, t) = (ease(x - left), ease(y - top));
        let (column, row) = (left as i32, top as i32);
        let along = |row: i32| {
            let (a, b) = (self.at(column, row), self.at(column + 1, row));
            a + (b - a) * s
        };
        let (upper, lower) = (along(row), along(row + 1));
        (upper + (lower - upper) * t) * 2.0 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_spread_and_do_not_change() {
        let mut random = Random::new(1);
        let numbers: Vec<f32> = (0..1000).map(|_| random.share()).collect();
        let mean = numbers.iter().sum::<f32>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.03 && numbers.iter().all(|n| (0.0..1.0).contains(n)), "{mean}");
        assert_ne!(Field::new(1, 0).at(3, 4).to_bits(), Field::new(1, 1).at(3, 4).to_bits());
        assert_ne!(Field::new(1, 0).at(3, 4).to_bits(), Field::new(1, 0).at(4, 3).to_bits());
    }

    #[test]
    fn smooth_noise_has_no_steps() {
        let field = Field::new(5, 2);
        for step in -200..200 {
            let x = step as f32;
            let (a, b) = (field.smooth(x, 7.0, 16.0), field.smooth(x + 1.0, 7.0, 16.0));
            assert!((a - b).abs() < 0.25 && (-1.0..=1.0).contains(&a), "{x}: {a} {b}");
        }
    }
}
