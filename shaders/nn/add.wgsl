{{ enable }}
// Purpose: sum of two maps (or one map alone), then activation.
// Reads/writes: src and residual [tiles, c4, h, w], dst likewise; all alike.
// Threads: one vec4 each.
// Precision: storage {{ e4 }}, sums f32.
// Source: ONNX operator Add and the activations.
{% include "shared/conv_params.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapParams;
@group(0) @binding(1) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read> residual: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/activation.wgsl" %}
{%- if residual == "before" %}
{% include "shared/residual.wgsl" %}
{%- endif %}
{% include "shared/linear_id.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let id = linear_id(group, groups, local, {{ wg_x }}u);
    let area = p.dst_h * p.dst_w;
    let len = p.dst_c4 * area;
    if id >= p.tiles * len {
        return;
    }
    let tile = id / len;
    let in_tile = id - tile * len;
    let group_of_4 = in_tile / area;
    var sum = vec4<f32>(src[p.src_base + tile * p.src_tile + in_tile]);
{%- if residual == "before" %}
    sum += residual_at(tile, group_of_4, in_tile - group_of_4 * area);
{%- endif %}
    dst[p.dst_base + tile * p.dst_tile + in_tile] = {{ e4 }}(activate(sum, group_of_4));
}
