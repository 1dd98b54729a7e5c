{{ enable }}
// Purpose: tiles of a picture in a texture -> the network's input: crop, bilinear resize, letterbox, normalise.
// Reads/writes: frame, 2-D texture; tiles; dst [tiles, 1, dst_h, dst_w] of vec4.
// Threads: one input pixel each.
// Precision: positions exact, interpolation f32, storage {{ e4 }}.
// Source: OpenCV INTER_LINEAR on f32 (half-pixel centres, edge clamp to the tile).
{% include "shared/source_tile.wgsl" %}
{% include "shared/resample.wgsl" %}
{% include "shared/linear_id.wgsl" %}

@group(0) @binding(0) var<uniform> p: ResampleParams;
@group(0) @binding(1) var<storage, read> tiles: array<SourceTile>;
@group(0) @binding(2) var frame: texture_2d<f32>;
@group(0) @binding(3) var<storage, read_write> dst: array<{{ e4 }}>;

fn stored_pixel(x: u32, y: u32) -> vec4<f32> {
    let c = textureLoad(frame, vec2<u32>(x, y), 0);
{%- if srgb %}
    // Reading decoded the stored values; networks are trained on those as stored.
    let encoded = select(1.055 * pow(c, vec4<f32>(1.0 / 2.4)) - 0.055, 12.92 * c, c <= vec4<f32>(0.0031308));
    return round(encoded * 255.0);
{%- else %}
    return c * 255.0;
{%- endif %}
}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    resample(linear_id(group, groups, local, {{ wg_x }}u));
}
