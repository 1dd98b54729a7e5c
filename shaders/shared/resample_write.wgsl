// Writes one pixel of the network's input, or nothing where another band does.
fn resample(id: u32) {
    let pixels = r.dst_w * r.dst_h;
    let slot = id / pixels;
    if slot >= r.tiles {
        return;
    }
    let at = id - slot * pixels;
    let y = at / r.dst_w;
    let x = at - y * r.dst_w;
    let tile = tiles[r.first_tile + slot];
    let in_x = x - tile.placed.x;
    let in_y = y - tile.placed.y;
    var value = vec4<f32>(r.pad_value);
    if in_x < tile.placed.z && in_y < tile.placed.w {
        let sy = sample_row(tile, in_y);
        let row = tile.rect.y + sy.index;
        if row < r.band_first || row >= r.band_end {
            return;
        }
        value = resized_pixel(tile, in_x, sy);
    } else if r.writes_padding == 0u {
        return;
    }
    dst[r.dst_base + id] = normalised(value);
}
