{{ enable }}
// Purpose: one map of a join: its pixels, flattened, from position p.x on.
// Reads/writes: src [tiles, c4, h, w], dst [tiles, c4, 1, dst_w].
// Threads: one vec4 of src each.
// Precision: copies.
// Source: ONNX operator Concat.
{% include "shared/maps.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapsParams;
@group(0) @binding(1) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/linear_id.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let id = linear_id(workgroup, workgroups, local, {{ wg_x }}u);
    if id >= p.tiles * map_len(p.a) {
        return;
    }
    let pixels = p.a.height * p.a.width;
    let plane = id / pixels;
    dst[p.dst.base + plane * p.dst.width + p.x + id - plane * pixels] = src[p.a.base + id];
}
