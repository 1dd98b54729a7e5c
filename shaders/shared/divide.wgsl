// Division in integers: the same bits on every driver.

// floor(a / b * 2^24) of two significands in [2^23, 2^24), and the remainder.
fn divide_significands(a: u32, b: u32) -> vec2<u32> {
    var quotient = a / b;
    var rest = a % b;
{%- for step in range(3) %}
    quotient = (quotient << 8u) | ((rest << 8u) / b);
    rest = (rest << 8u) % b;
{%- endfor %}
    return vec2<u32>(quotient, rest);
}

fn significand(bits: u32) -> u32 {
    return (bits & 0x7fffffu) | 0x800000u;
}

fn is_normal(bits: u32) -> bool {
    return (bits >> 23u) - 1u < 254u;
}
