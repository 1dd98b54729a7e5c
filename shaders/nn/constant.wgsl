{{ enable }}
// Purpose: a tensor of the file, copied to every tile.
// Reads/writes: tensor [c4, h, w], dst [tiles, c4, h, w].
// Threads: one vec4 of dst each.
// Precision: copies.
// Source: ONNX operator Constant.
{% include "shared/maps.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapsParams;
@group(0) @binding(1) var<storage, read> tensor: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/linear_id.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let id = linear_id(workgroup, workgroups, local, {{ wg_x }}u);
    let len = map_len(p.dst);
    if id < p.tiles * len {
        dst[p.dst.base + id] = tensor[id % len];
    }
}
