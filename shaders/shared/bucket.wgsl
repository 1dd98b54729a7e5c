// Levels, cells and buckets of the hash grid. Cells of level l are squares of 2^(l - 8) px, larger than its boxes,
// so a box that overlaps another of this or a smaller level starts at most one cell before it. The last level is one
// cell.
const LAST_LEVEL: u32 = 31u;

// The smallest level whose cells exceed both sides.
fn level_of(rect: vec4<f32>) -> u32 {
    let size = max(rect.z - rect.x, rect.w - rect.y);
    let exponent = i32(bitcast<u32>(max(size, 0.0)) >> 23u) - 126;
    return u32(clamp(exponent + 8, 0, 31));
}

// Clamped: distant cells share one, which is still right.
fn cell_of(corner: vec2<f32>, level: u32) -> vec2<i32> {
    if level == LAST_LEVEL {
        return vec2<i32>(0);
    }
    let scale = bitcast<f32>((135u - level) << 23u);
    return vec2<i32>(clamp(floor(corner * scale), vec2<f32>(-1e9), vec2<f32>(1e9)));
}

// The level of a box; one for all where any two match.
fn grid_level(rect: vec4<f32>) -> u32 {
    return select(level_of(rect), LAST_LEVEL, p.all == 1u);
}

// Buckets - 1 for n boxes: the power of two >= 2 n, as far as the table reaches.
fn bucket_mask(n: u32) -> u32 {
    let bits = min(32u - countLeadingZeros(max(2u * n, 2u) - 1u), p.bucket_bits);
    return (1u << bits) - 1u;
}

// What of a class keeps boxes apart: nothing where classes may match.
fn class_key(class_id: u32) -> u32 {
    return class_id & (0u - p.class_aware);
}

fn bucket_of(level: u32, cell: vec2<i32>, class_id: u32, mask: u32) -> u32 {
    var h = bitcast<u32>(cell.x) * 0x9e3779b1u + bitcast<u32>(cell.y) * 0x85ebca77u;
    h ^= (level * 0xc2b2ae3du) ^ (class_id * 0x27d4eb2fu);
    h = (h ^ (h >> 16u)) * 0x85ebca6bu;
    h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
    return (h ^ (h >> 16u)) & mask;
}
