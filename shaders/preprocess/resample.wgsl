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

@group(0) @binding(0) var<uniform> r: ResampleParams;
@group(0) @binding(1) var<storage, read> tiles: array<SourceTile>;
@group(0) @binding(2) var<storage, read> frame: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/frame_pixel.wgsl" %}
{% include "shared/resample_write.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    resample(linear_id(group, groups, local, {{ wg_x }}u));
}
