// How much one box lowers the score of another, in units of 2^-24 of a halving, and what a sum of that leaves of a
// score. Integers: the sum does not depend on its order. The oracle's twin is geom::soft.

// The high word of a product.
fn mul_high(a: u32, b: u32) -> u32 {
    let a_lo = a & 0xffffu;
    let a_hi = a >> 16u;
    let b_lo = b & 0xffffu;
    let b_hi = b >> 16u;
    let low = a_lo * b_lo;
    let first = a_hi * b_lo + (low >> 16u);
    let second = a_lo * b_hi + (first & 0xffffu);
    return a_hi * b_hi + (first >> 16u) + (second >> 16u);
}

// (a * b) >> 24, where it fits.
fn mul_24(a: u32, b: u32) -> u32 {
    return (mul_high(a, b) << 8u) | ((a * b) >> 24u);
}

// metric^2 * fade_scale, the metric being over / under rounded down to 2^-24 and at most 1; 0 where either is no
// positive normal number.
fn fade_of(over: f32, under: f32) -> u32 {
    let a = bitcast<u32>(over);
    let b = bitcast<u32>(under);
    if !is_normal(a) || !is_normal(b) {
        return 0u;
    }
    let shift = i32(b >> 23u) - i32(a >> 23u);
    if shift >= 25 {
        return 0u;
    }
    var metric = 0x1000000u;
    if shift >= 0 {
        metric = min(divide_significands(significand(a), significand(b)).x >> u32(shift), 0x1000000u);
    }
    return mul_24(mul_24(metric, metric), p.fade_scale);
}

// A score times 2^(-fade / 2^24), 0 below 2^-126.
fn faded(score: f32, fade: u32) -> f32 {
    let halvings = fade >> 24u;
    if halvings > 125u {
        return 0.0;
    }
    let x = fade << 8u;
    var value = {{ exp2_coefficients[9] }}u;
{%- for k in range(8, -1, -1) %}
    value = {{ exp2_coefficients[k] }}u - mul_high(x, value);
{%- endfor %}
    let factor = bitcast<f32>(((126u - halvings) << 23u) + ((value + 64u) >> 7u) - 0x800000u);
    let result = rounded(score * factor);
    return select(0.0, result, is_normal(bitcast<u32>(result)) && is_normal(bitcast<u32>(score)));
}
