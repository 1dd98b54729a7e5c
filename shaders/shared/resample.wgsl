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

// Writes one pixel of the network's input, or nothing where another band does.
fn resample(id: u32) {
    let pixels = p.dst_w * p.dst_h;
    let slot = id / pixels;
    if slot >= p.tiles {
        return;
    }
    let at = id - slot * pixels;
    let y = at / p.dst_w;
    let x = at - y * p.dst_w;
    let tile = tiles[p.first_tile + slot];
    let in_x = x - tile.placed.x;
    let in_y = y - tile.placed.y;
    var value = vec4<f32>(p.pad_value);
    if in_x < tile.placed.z && in_y < tile.placed.w {
        let sy = sample_point(in_y, tile.rect.w - tile.rect.y, tile.placed.w);
        let y0 = tile.rect.y + sy.index;
        if y0 < p.band_first || y0 >= p.band_end {
            return;
        }
        let y1 = tile.rect.y + sy.next;
        let sx = sample_point(in_x, tile.rect.z - tile.rect.x, tile.placed.z);
        let x0 = tile.rect.x + sx.index;
        let x1 = tile.rect.x + sx.next;
        let top = mix(stored_pixel(x0, y0), stored_pixel(x1, y0), sx.fraction);
        let bottom = mix(stored_pixel(x0, y1), stored_pixel(x1, y1), sx.fraction);
        value = mix(top, bottom, sy.fraction);
    } else if p.writes_padding == 0u {
        return;
    }
    let ordered = select(value, value.zyxw, p.bgr == 1u);
    let normalised = (ordered - p.mean) / p.deviation;
    dst[p.dst_base + id] = {{ e4 }}(vec4<f32>(normalised.xyz, 0.0));
}
