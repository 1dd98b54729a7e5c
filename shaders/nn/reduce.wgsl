{{ enable }}
// Purpose: the {{ kind }} of all values along some axes, those that are 1 long in dst.
// Reads/writes: src [tiles, c4, h, w], dst [tiles, c4 or 1, h or 1, w or 1].
// Threads: {{ "a workgroup" if wide else "one invocation" }} for each vec4 of dst.
// Precision: storage {{ e4 }}, sums f32; a mean is the sum divided by p.x, the bits of the count.
// Source: ONNX operators ReduceSum, ReduceMean, ReduceMax, ReduceMin, GlobalAveragePool.
{% include "shared/maps.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapsParams;
@group(0) @binding(1) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/linear_id.wgsl" %}
{% include "shared/live_lanes.wgsl" %}
{% include "shared/line.wgsl" %}
{%- set initial = "-3.4028234e38" if kind == "maximum" else "3.4028234e38" if kind == "minimum" else "0.0" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
{%- if wide %}
    let id = linear_id(workgroup, workgroups, 0u, 1u);
    let first = local;
    let stride = {{ wg_x }}u;
{%- else %}
    let id = linear_id(workgroup, workgroups, local, {{ wg_x }}u);
    let first = 0u;
    let stride = 1u;
{%- endif %}
    if id >= p.tiles * map_len(p.dst) {
        return;
    }
    let at = map_vec4(p.dst, id);
    // How far the values reach on each axis.
    let groups = {{ "(p.a.channels + 3u) / 4u" if channels else "1u" }};
    let height = select(1u, p.a.height, p.dst.height == 1u);
    let width = select(1u, p.a.width, p.dst.width == 1u);
    let len = groups * height * width;
    var result = vec4<f32>({{ initial }});
    for (var i = first; i < len; i += stride) {
        let row = i / width;
        let group = row / height;
        let value = vec4<f32>(src[map_index(p.a, at.tile, at.group + group, at.y + row - group * height, at.x + i - row * width)]);
{%- if channels %}
        let live = live_lanes(p.a.channels, group);
{%- else %}
        let live = vec4<bool>(true);
{%- endif %}
{%- if kind == "maximum" %}
        result = select(result, max(result, value), live);
{%- elif kind == "minimum" %}
        result = select(result, min(result, value), live);
{%- else %}
        result += select(vec4<f32>(0.0), value, live);
{%- endif %}
    }
{%- if kind == "maximum" %}
    result = line_max(result, local);
{%- elif kind == "minimum" %}
    result = line_min(result, local);
{%- else %}
    result = line_sum(result, local);
{%- endif %}
{%- if channels %}
{%- if kind == "maximum" %}
    result = vec4<f32>(max(max(result.x, result.y), max(result.z, result.w)));
{%- elif kind == "minimum" %}
    result = vec4<f32>(min(min(result.x, result.y), min(result.z, result.w)));
{%- else %}
    result = vec4<f32>((result.x + result.y) + (result.z + result.w));
{%- endif %}
{%- endif %}
{%- if kind == "mean" %}
    result /= bitcast<f32>(p.x);
{%- endif %}
{%- if wide %}
    if local > 0u {
        return;
    }
{%- endif %}
    dst[p.dst.base + id] = {{ e4 }}(select(vec4<f32>(0.0), result, live_lanes(p.dst.channels, at.group)));
}
