// The bits of a float as a u32 of the same order; both zeros are equal. Bits, since a driver may flush denormals
// in float comparisons.
fn ordered(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    if (bits & 0x7fffffffu) == 0u {
        return 0x80000000u;
    }
    return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

fn ordered4(v: vec4<f32>) -> vec4<u32> {
    return vec4<u32>(ordered(v.x), ordered(v.y), ordered(v.z), ordered(v.w));
}
