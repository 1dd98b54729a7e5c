{{ enable }}
// Purpose: tiles of a picture in a buffer -> the network's input: crop, bilinear resize, letterbox, normalise.
// Reads/writes: frame, packed 8-bit pixels of the rows [band_first, band_end]; tiles; dst
//   [tiles, 1, dst_h, dst_w] of vec4.
// Threads: one input pixel each.
// Precision: positions exact, interpolation f32, storage {{ e4 }}.
// Source: OpenCV INTER_LINEAR on f32 (half-pixel centres, edge clamp to the tile).
{% include "shared/source_tile.wgsl" %}
{% include "shared/resample.wgsl" %}
{% include "shared/linear_id.wgsl" %}

@group(0) @binding(0) var<uniform> p: ResampleParams;
@group(0) @binding(1) var<storage, read> tiles: array<SourceTile>;
@group(0) @binding(2) var<storage, read> frame: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<{{ e4 }}>;

fn stored_pixel(x: u32, y: u32) -> vec4<f32> {
    let byte = (y - p.band_first) * p.row_bytes + x * p.pixel_bytes;
    let word = byte / 4u;
    let shift = (byte & 3u) * 8u;
    var bits = frame[word] >> shift;
    if p.pixel_bytes == 3u && shift > 8u {
        bits |= frame[word + 1u] << (32u - shift);
    }
    let step = select(8u, 0u, p.pixel_bytes == 1u);
    return vec4<f32>(f32(bits & 255u), f32((bits >> step) & 255u), f32((bits >> (2u * step)) & 255u), 0.0);
}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    resample(linear_id(group, groups, local, {{ wg_x }}u));
}
