{{ enable }}
// Purpose: tiles of a picture in a texture -> the network's input: crop, bilinear resize, letterbox, normalise.
// Reads/writes: frame, 2-D texture; tiles; dst [tiles, 1, dst_h, dst_w] of vec4.
// Threads: one input pixel each.
// Precision: positions exact, interpolation f32, storage {{ e4 }}.
// Source: OpenCV INTER_LINEAR on f32 (half-pixel centres, edge clamp to the tile).
{% include "shared/source_tile.wgsl" %}
{% include "shared/resample.wgsl" %}
{% include "shared/linear_id.wgsl" %}

@group(0) @binding(0) var<uniform> r: ResampleParams;
@group(0) @binding(1) var<storage, read> tiles: array<SourceTile>;
@group(0) @binding(2) var frame: texture_2d<f32>;
@group(0) @binding(3) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/texture_pixel.wgsl" %}
{% include "shared/resample_write.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    resample(linear_id(group, groups, local, {{ wg_x }}u));
}
