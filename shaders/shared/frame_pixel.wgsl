// A pixel of the packed rows [band_first, band_end] in `frame`.
fn stored_pixel(x: u32, y: u32) -> vec4<f32> {
    let byte = (y - r.band_first) * r.row_bytes + x * r.pixel_bytes;
    let word = byte / 4u;
    let shift = (byte & 3u) * 8u;
    var bits = frame[word] >> shift;
    if r.pixel_bytes == 3u && shift > 8u {
        bits |= frame[word + 1u] << (32u - shift);
    }
    let step = select(8u, 0u, r.pixel_bytes == 1u);
    return vec4<f32>(f32(bits & 255u), f32((bits >> step) & 255u), f32((bits >> (2u * step)) & 255u), 0.0);
}
