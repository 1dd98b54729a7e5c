{{ enable }}
// Purpose: matrix products, one per channel.
// Reads/writes: src_a [tiles, c4, m, k], src_b [tiles, c4, k, n], dst [tiles, c4, m, n]
//   {%- if repeat != "none" %}; src_{{ repeat }} has a single channel, which is repeated{% endif %}.
// Threads: {{ rows }} row{{ "s" if rows > 1 else "" }} x 4 columns of a vec4 of channels each.
// Precision: storage {{ e4 }}, sums f32.
// Source: ONNX operator MatMul; register tiling as in conv_pointwise.
{% include "shared/maps.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapsParams;
@group(0) @binding(1) var<storage, read> src_a: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read> src_b: array<{{ e4 }}>;
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
    let quads = (p.dst.width + 3u) / 4u;
    let blocks = (p.dst.height + {{ rows - 1 }}u) / {{ rows }}u;
    let groups = (p.dst.channels + 3u) / 4u;
    let row = id / quads;
    let plane = row / blocks;
    let tile = plane / groups;
    if tile >= p.tiles {
        return;
    }
    let group = plane - tile * groups;
    let y = (row - plane * blocks) * {{ rows }}u;
    let x = (id - row * quads) * 4u;
{%- for r in range(rows) %}
    var a{{ r }} = map_index(p.a, tile, {{ "0u" if repeat == "a" else "group" }}, min(y + {{ r }}u, p.a.height - 1u), 0u);
{%- endfor %}
    var b = map_index(p.b, tile, {{ "0u" if repeat == "b" else "group" }}, 0u, 0u);
{%- for c in range(4) %}
    let x{{ c }} = min(x + {{ c }}u, p.b.width - 1u);
{%- endfor %}
{%- for r in range(rows) %}
{%- for c in range(4) %}
    var sum{{ r }}{{ c }} = vec4<f32>(0.0);
{%- endfor %}
{%- endfor %}
    for (var k = 0u; k < p.a.width; k++) {
{%- for c in range(4) %}
        let b{{ c }} = vec4<f32>(src_b[b + x{{ c }}]){{ ".xxxx" if repeat == "b" else "" }};
{%- endfor %}
{%- for r in range(rows) %}
        {
            let factor = vec4<f32>(src_a[a{{ r }} + k]){{ ".xxxx" if repeat == "a" else "" }};
{%- for c in range(4) %}
            sum{{ r }}{{ c }} += factor * b{{ c }};
{%- endfor %}
        }
{%- endfor %}
        b += p.b.width;
    }
    let live = live_lanes(p.dst.channels, group);
    let none = vec4<f32>(0.0);
{%- for r in range(rows) %}
    if y + {{ r }}u < p.dst.height {
        let d = map_index(p.dst, tile, group, y + {{ r }}u, x);
{%- for c in range(4) %}
        if x + {{ c }}u < p.dst.width {
            dst[d + {{ c }}u] = {{ e4 }}(select(none, sum{{ r }}{{ c }}, live));
        }
{%- endfor %}
    }
{%- endfor %}
}
