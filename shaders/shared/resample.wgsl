// Bilinear crop, resize, letterbox and normalisation of one input pixel; the kernel defines
// `stored_pixel(x, y) -> vec4<f32>`: red, green, blue as stored, 0..255.
struct ResampleParams {
    dst_base: u32,
    tiles: u32,
    first_tile: u32,
    dst_w: u32,
    dst_h: u32,
    row_bytes: u32,
    pixel_bytes: u32,
    bgr: u32,
    band_first: u32,       // rows of the image this dispatch writes for: [band_first, band_end)
    band_end: u32,
    writes_padding: u32,
    pad_value: f32,
    mean: vec4<f32>,
    deviation: vec4<f32>,
}

struct SamplePoint {
    index: u32,
    next: u32,
    fraction: f32,
}

// Source position of output `at`, of `dst_len`, on an axis of `src_len`: exact in integers up to the fraction.
fn sample_point(at: u32, src_len: u32, dst_len: u32) -> SamplePoint {
    let numerator = max(i32((2u * at + 1u) * src_len) - i32(dst_len), 0);
    let denominator = 2 * i32(dst_len);
    let whole = numerator / denominator;
    let last = i32(src_len) - 1;
    if whole >= last {
        return SamplePoint(u32(last), u32(last), 0.0);
    }
    return SamplePoint(u32(whole), u32(whole) + 1u, f32(numerator - whole * denominator) / f32(denominator));
}

// `mix` written out: drivers choose between two ways to compute that, by what is around it.
fn blend(a: vec4<f32>, b: vec4<f32>, t: f32) -> vec4<f32> {
    return a * (1.0 - t) + b * t;
}

fn sample_row(tile: SourceTile, in_y: u32) -> SamplePoint {
    return sample_point(in_y, tile.rect.w - tile.rect.y, tile.placed.w);
}

// The pixel in column `in_x` of the resized tile, as stored.
fn resized_pixel(tile: SourceTile, in_x: u32, sy: SamplePoint) -> vec4<f32> {
    let sx = sample_point(in_x, tile.rect.z - tile.rect.x, tile.placed.z);
    let x0 = tile.rect.x + sx.index;
    let x1 = tile.rect.x + sx.next;
    let y0 = tile.rect.y + sy.index;
    let y1 = tile.rect.y + sy.next;
    let top = blend(stored_pixel(x0, y0), stored_pixel(x1, y0), sx.fraction);
    let bottom = blend(stored_pixel(x0, y1), stored_pixel(x1, y1), sx.fraction);
    // It is never negative: this keeps drivers from joining the sum with what follows, differently in each kernel.
    return max(blend(top, bottom, sy.fraction), vec4<f32>(0.0));
}

fn normalised(value: vec4<f32>) -> {{ e4 }} {
    let ordered = select(value, value.zyxw, r.bgr == 1u);
    return {{ e4 }}(vec4<f32>(((ordered - r.mean) / r.deviation).xyz, 0.0));
}
