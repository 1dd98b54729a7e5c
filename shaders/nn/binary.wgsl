{{ enable }}
// Purpose: arithmetic of two maps, {{ kind }}; sides of 1 are repeated.
// Reads/writes: src_a and src_b [tiles, c4, h, w], each side that of dst or 1; dst [tiles, c4, h, w].
// Threads: one vec4 each.
// Precision: storage {{ e4 }}, arithmetic f32.
// Source: ONNX operators Add, Sub, Mul, Div, Max, Min.
{% include "shared/maps.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapsParams;
@group(0) @binding(1) var<storage, read> src_a: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read> src_b: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/linear_id.wgsl" %}
{% include "shared/live_lanes.wgsl" %}

// Where a map holds what belongs to `at`.
fn source(map: MapPlace, at: MapVec4) -> u32 {
    let group = min(at.group, (map.channels - 1u) / 4u);
    return map_index(map, at.tile, group, min(at.y, map.height - 1u), min(at.x, map.width - 1u));
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
    var a = vec4<f32>(src_a[source(p.a, at)]);
    var b = vec4<f32>(src_b[source(p.b, at)]);
    if p.a.channels == 1u {
        a = a.xxxx;
    }
    if p.b.channels == 1u {
        b = b.xxxx;
    }
{%- if kind == "add" %}
    let result = a + b;
{%- elif kind == "subtract" %}
    let result = a - b;
{%- elif kind == "multiply" %}
    let result = a * b;
{%- elif kind == "divide" %}
    let result = a / b;
{%- elif kind == "maximum" %}
    let result = max(a, b);
{%- elif kind == "minimum" %}
    let result = min(a, b);
{%- endif %}
    dst[p.dst.base + id] = {{ e4 }}(select(vec4<f32>(0.0), result, live_lanes(p.dst.channels, at.group)));
}
