{{ enable }}
// Purpose: elements in another order: reshape, transpose, repetition.
// Reads/writes: src [tiles, c4, src_h, src_w], dst [tiles, c4, dst_h, dst_w]; digits, innermost first, p.x of them:
//   axis (0 channel, 1 row, 2 column), size, stride, 0.
// Threads: one vec4 of dst each.
// Precision: copies.
// Source: ONNX operators Reshape, Transpose, Expand.
{% include "shared/maps.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapsParams;
@group(0) @binding(1) var<storage, read> digits: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/linear_id.wgsl" %}

// The element of the source for the row-major `index` of an element of dst.
fn element(index: u32, tile: u32) -> {{ "f16" if f16 else "f32" }} {
    var rest = index;
    var channel = 0u;
    var y = 0u;
    var x = 0u;
    for (var i = 0u; i < p.x; i++) {
        let digit = digits[i];
        let next = rest / digit.y;
        let steps = (rest - next * digit.y) * digit.z;
        channel += select(0u, steps, digit.x == 0u);
        y += select(0u, steps, digit.x == 1u);
        x += select(0u, steps, digit.x == 2u);
        rest = next;
    }
    return src[map_index(p.a, tile, channel / 4u, y, x)][channel & 3u];
}

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
    let plane = p.dst.height * p.dst.width;
    let first = at.group * 4u * plane + at.y * p.dst.width + at.x;
    var result = {{ e4 }}();
{%- for lane in range(4) %}
    if at.group * 4u + {{ lane }}u < p.dst.channels {
        result[{{ lane }}] = element(first + {{ lane }}u * plane, at.tile);
    }
{%- endfor %}
    dst[p.dst.base + id] = result;
}
