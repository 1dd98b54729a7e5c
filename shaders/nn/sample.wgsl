{{ enable }}
// Purpose: rows and columns taken by number, or a value where there is none.
// Reads/writes: src [tiles, c4, src_h, src_w], dst [tiles, c4, dst_h, dst_w]; table: the source's row for each of the
//   dst_h rows, then its column for each of the dst_w columns, -1 for the value, whose bits are p.x.
// Threads: one vec4 of dst each.
// Precision: copies.
// Source: ONNX operators Resize (nearest), Slice, Pad.
{% include "shared/maps.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapsParams;
@group(0) @binding(1) var<storage, read> table: array<i32>;
@group(0) @binding(2) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/linear_id.wgsl" %}
{% include "shared/live_lanes.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let id = linear_id(workgroup, workgroups, local, {{ wg_x }}u);
    if id >= p.tiles * map_len(p.dst) {
        return;
    }
    let at = map_vec4(p.dst, id);
    let y = table[at.y];
    let x = table[p.dst.height + at.x];
    if y >= 0 && x >= 0 {
        dst[p.dst.base + id] = src[map_index(p.a, at.tile, at.group, u32(y), u32(x))];
    } else {
        let fill = vec4<f32>(bitcast<f32>(p.x));
        dst[p.dst.base + id] = {{ e4 }}(select(vec4<f32>(0.0), fill, live_lanes(p.dst.channels, at.group)));
    }
}
