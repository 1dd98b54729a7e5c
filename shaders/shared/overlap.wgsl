// Exact overlap decisions; the uniform `p` is a MatchParams. Areas come from memory.

// Keeps a rounded value from being contracted or reassociated with what follows.
fn rounded(v: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(v) ^ p.zero);
}

// Whether the f32 quotient a / b, rounded to nearest, is >= the threshold: whether a / b lies above the midpoint
// of the threshold and its predecessor. It cannot lie on it: the midpoint has 25 significant bits, an odd number,
// so its product with b has more bits than a. Zero, negative, subnormal and infinite operands give false.
fn reaches(a: f32, b: f32) -> bool {
    let a_bits = bitcast<u32>(a);
    let b_bits = bitcast<u32>(b);
    let a_exp = a_bits >> 23u;
    let b_exp = b_bits >> 23u;
    if a_exp - 1u >= 254u || b_exp - 1u >= 254u {
        return false;
    }
    // a_man * 2^shift against b_man * p.mantissa, which lies in [2^47, 2^49).
    let shift = i32(a_exp) - i32(b_exp) - p.exponent;
    if shift >= 26 || shift <= 23 {
        return shift >= 26;
    }
    let a_man = (a_bits & 0x7fffffu) | 0x800000u;
    let b_man = (b_bits & 0x7fffffu) | 0x800000u;
    let b_lo = b_man & 0xfffu;
    let b_hi = b_man >> 12u;
    let m_lo = p.mantissa & 0xfffu;
    let m_hi = p.mantissa >> 12u;
    let middle = b_hi * m_lo + b_lo * m_hi;
    let low = b_lo * m_lo + ((middle & 0xfffu) << 12u);
    let high = b_hi * m_hi + (middle >> 12u) + (low >> 24u);
    return (a_man << u32(shift - 24)) > high;
}

// The area that two boxes share.
fn intersection(a: vec4<f32>, b: vec4<f32>) -> f32 {
    let width = min(a.z, b.z) - max(a.x, b.x);
    let height = min(a.w, b.w) - max(a.y, b.y);
    if !(width > 0.0 && height > 0.0) {
        return 0.0;
    }
    return rounded(width * height);
}

// What the metric divides an intersection by.
fn denominator(a_area: f32, b_area: f32, inter: f32) -> f32 {
    return select(min(a_area, b_area), rounded(a_area + b_area) - inter, p.iou == 1u);
}

// Whether two boxes of given areas match; symmetric.
fn overlaps(a: vec4<f32>, a_area: f32, b: vec4<f32>, b_area: f32) -> bool {
    if p.all == 1u {
        return true;
    }
    let inter = intersection(a, b);
    if inter == 0.0 {
        return false;
    }
    return reaches(inter, denominator(a_area, b_area, inter));
}
