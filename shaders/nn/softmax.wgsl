{{ enable }}
// Purpose: exp(x - max) / sum along the {{ axis }}s.
// Reads/writes: src [tiles, c4, h, w], dst likewise.
// Threads: {{ "a workgroup" if wide else "one invocation" }} for each line of vec4s along the axis.
// Precision: storage {{ e4 }}, exponentials and sums f32.
// Source: ONNX operator Softmax.
{% include "shared/maps.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapsParams;
@group(0) @binding(1) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/linear_id.wgsl" %}
{% include "shared/live_lanes.wgsl" %}
{% include "shared/line.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let pixels = p.a.height * p.a.width;
    let groups = (p.a.channels + 3u) / 4u;
{%- if axis == "channel" %}
    let len = groups;
    let step = pixels;
    let lines = p.tiles * pixels;
{%- elif axis == "row" %}
    let len = p.a.height;
    let step = p.a.width;
    let lines = p.tiles * groups * p.a.width;
{%- elif axis == "column" %}
    let len = p.a.width;
    let step = 1u;
    let lines = p.tiles * groups * p.a.height;
{%- endif %}
{%- if wide %}
    let line = linear_id(workgroup, workgroups, 0u, 1u);
    let first_of_line = local;
    let stride = {{ wg_x }}u;
{%- else %}
    let line = linear_id(workgroup, workgroups, local, {{ wg_x }}u);
    let first_of_line = 0u;
    let stride = 1u;
{%- endif %}
    if line >= lines {
        return;
    }
{%- if axis == "channel" %}
    let tile = line / pixels;
    let start = tile * groups * pixels + line - tile * pixels;
    var live = vec4<bool>(true);
{%- else %}
{%- if axis == "row" %}
    let plane = line / p.a.width;
    let start = plane * pixels + line - plane * p.a.width;
{%- else %}
    let plane = line / p.a.height;
    let start = line * p.a.width;
{%- endif %}
    let live = live_lanes(p.a.channels, plane % groups);
{%- endif %}

    var largest = vec4<f32>(-3.4028234e38);
    for (var i = first_of_line; i < len; i += stride) {
        let value = vec4<f32>(src[p.a.base + start + i * step]);
{%- if axis == "channel" %}
        live = live_lanes(p.a.channels, i);
        largest = select(largest, max(largest, value), live);
{%- else %}
        largest = max(largest, value);
{%- endif %}
    }
    largest = line_max(largest, local);
{%- if axis == "channel" %}
    largest = vec4<f32>(max(max(largest.x, largest.y), max(largest.z, largest.w)));
{%- endif %}

    var sum = vec4<f32>(0.0);
    for (var i = first_of_line; i < len; i += stride) {
        let value = exp(vec4<f32>(src[p.a.base + start + i * step]) - largest);
{%- if axis == "channel" %}
        sum += select(vec4<f32>(0.0), value, live_lanes(p.a.channels, i));
{%- else %}
        sum += value;
{%- endif %}
    }
    sum = line_sum(sum, local);
{%- if axis == "channel" %}
    sum = vec4<f32>((sum.x + sum.y) + (sum.z + sum.w));
{%- endif %}

    for (var i = first_of_line; i < len; i += stride) {
        let at = start + i * step;
        let value = exp(vec4<f32>(src[p.a.base + at]) - largest) / sum;
{%- if axis == "channel" %}
        live = live_lanes(p.a.channels, i);
{%- endif %}
        dst[p.dst.base + at] = {{ e4 }}(select(vec4<f32>(0.0), value, live));
    }
}
