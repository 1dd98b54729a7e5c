//! The decay of soft suppression in whole numbers, so that every driver computes the same bits.
//!
//! A box carries its fade: how many times its score has been halved, in 2^-24 parts. Fades add up in any order.

/// `ln(2)^k / k!` for k from 0, times 2^31: the series of 2^-x, alternating, for x from 0 to 1.
pub(crate) const EXP2_COEFFICIENTS: [u32; 10] = [
    2_147_483_648,
    1_488_522_236,
    515_882_496,
    119_194_166,
    20_654_775,
    2_863_360,
    330_788,
    32_755,
    2_838,
    219,
];

/// `log2(e) / sigma` times 2^24: the fade per squared metric of 1.
pub(crate) fn fade_scale(sigma: f32) -> u32 {
    (std::f64::consts::LOG2_E / f64::from(sigma) * f64::from(1u32 << 24)).round() as u32
}
