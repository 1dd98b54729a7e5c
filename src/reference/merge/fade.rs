//! Oracle of the decay of soft suppression.

use crate::geom::soft::{EXP2_COEFFICIENTS, fade_scale};
use crate::geom::{Metric, RectPx};

/// `2^-(fade / 2^24)` in f32 from whole numbers alone; 0 beyond 125 halvings.
#[must_use]
pub fn factor(fade: u32) -> f32 {
    let (halvings, part) = (fade >> 24, fade & 0xff_ffff);
    if halvings > 125 {
        return 0.0;
    }
    let x = part << 8;
    let high = |a: u32, b: u32| ((u64::from(a) * u64::from(b)) >> 32) as u32;
    let [rest @ .., last] = EXP2_COEFFICIENTS;
    let series = rest.iter().rev().fold(last, |sum, &coefficient| coefficient - high(x, sum));
    let significand = (series + 64) >> 7;
    let bits = ((126 - halvings) << 23).wrapping_add(significand.wrapping_sub(1 << 23));
    f32::from_bits(bits)
}

/// The score that is left of `score` after `fade`; results too small for a normal f32 are 0.
#[must_use]
pub fn faded(score: f32, fade: u32) -> f32 {
    flushed(flushed(score) * factor(fade))
}

/// `value`, or 0 where its magnitude lies below the smallest normal f32, as some GPUs make it.
pub(super) fn flushed(value: f32) -> f32 {
    if value.abs() < f32::MIN_POSITIVE { 0.0 } else { value }
}

/// Fade that a box takes from another, both given: `metric^2 * log2(e) / sigma` in 2^-24 parts, rounded down.
#[must_use]
pub fn term(metric: Metric, a: &RectPx, b: &RectPx, sigma: f32) -> u32 {
    let (inter, denominator) = parts(metric, a, b);
    let normal = |value: f32| value >= f32::MIN_POSITIVE && value.is_finite();
    if !normal(inter) || !normal(denominator) {
        return 0;
    }
    let quotient = quotient(inter, denominator);
    let squared = (quotient * quotient) >> 24;
    u32::try_from((squared * u64::from(fade_scale(sigma))) >> 24).unwrap_or(u32::MAX)
}

/// Numerator and denominator of `Metric::of`.
fn parts(metric: Metric, a: &RectPx, b: &RectPx) -> (f32, f32) {
    let width = (a.x1.min(b.x1) - a.x0.max(b.x0)).max(0.0);
    let height = (a.y1.min(b.y1) - a.y0.max(b.y0)).max(0.0);
    let inter = width * height;
    match metric {
        Metric::Iou => (inter, a.area() + b.area() - inter),
        Metric::Ios => (inter, a.area().min(b.area())),
    }
}

/// `floor(a / b * 2^24)`, at most 2^24, for positive normal `a` and `b`.
fn quotient(a: f32, b: f32) -> u64 {
    let split = |value: f32| {
        let bits = value.to_bits();
        (u64::from(bits & 0x7f_ffff | 0x80_0000), i64::from(bits >> 23))
    };
    let ((a, exponent_a), (b, exponent_b)) = (split(a), split(b));
    let shift = exponent_a - exponent_b;
    let quotient = match shift {
        1.. => 1 << 24,
        -25..=0 => ((a << 24) >> -shift) / b,
        _ => 0,
    };
    quotient.min(1 << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_never_rises_and_is_near_the_power() {
        assert_eq!(factor(0), 1.0);
        for halvings in [0, 1, 60, 125] {
            let mut before = f32::INFINITY;
            for part in 0..=1 << 24 {
                let fade = (halvings << 24) + part;
                let now = factor(fade);
                assert!(now <= before, "{fade:#x}: {now} after {before}");
                before = now;
                if halvings < 2 {
                    let exact = (-f64::from(fade) / f64::from(1 << 24)).exp2();
                    assert!((f64::from(now) / exact - 1.0).abs() <= 2e-7, "{fade:#x}: {now}, not {exact}");
                }
            }
        }
        for halvings in 0..125 {
            let fade = (halvings + 1) << 24;
            assert!(factor(fade - 1) >= factor(fade), "{fade:#x}");
            assert_eq!(factor(fade), 0.5_f32.powi(halvings as i32 + 1));
        }
        assert_eq!([factor(126 << 24), factor(u32::MAX)], [0.0, 0.0]);
    }

    #[test]
    fn the_quotient_is_exact() {
        let one_third = (1 << 24) / 3;
        assert_eq!(quotient(1.0, 3.0), one_third);
        assert_eq!(quotient(1e30, 3e30), one_third);
        assert_eq!(quotient(3.0, 3.0), 1 << 24);
        assert_eq!(quotient(7.0, 3.0), 1 << 24);
        assert_eq!(quotient(1.0, 16_777_216.0), 1);
        assert_eq!(quotient(1.0, 16_777_218.0), 0);
        assert_eq!(quotient(1e-30, 1e30), 0);
        let mut seed = 1_u64;
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let a = f32::from_bits(0x3f80_0000 | (seed >> 41) as u32) * 2.0_f32.powi((seed & 31) as i32 - 28);
            let b = f32::from_bits(0x3f80_0000 | (seed >> 18) as u32 & 0x7f_ffff);
            // Both times 2^60 are whole numbers below 2^120.
            let whole = |value: f32| (f64::from(value) * 2.0_f64.powi(60)) as u128;
            let exact = ((whole(a) << 24) / whole(b)).min(1 << 24);
            assert_eq!(u128::from(quotient(a, b)), exact, "{a:e} / {b:e}");
        }
    }

    #[test]
    fn an_equal_box_takes_the_whole_term() {
        let rect = RectPx::new(1.0, 2.0, 3.0, 5.0);
        for sigma in [0.02_f32, 0.5, 10.0] {
            assert_eq!(term(Metric::Iou, &rect, &rect, sigma), fade_scale(sigma));
            let score = faded(1.0, fade_scale(sigma));
            let expected = (-1.0 / f64::from(sigma)).exp() as f32;
            assert!((score / expected - 1.0).abs() < 3e-5, "{score} for {expected}");
        }
        assert_eq!(term(Metric::Ios, &rect, &RectPx::new(3.0, 2.0, 4.0, 5.0), 0.5), 0);
        assert_eq!(faded(1e-40, 0), 0.0);
        assert_eq!(faded(2e-38, 1 << 24), 0.0);
    }
}
