// What convolutions bind, and how they write: activation and residual applied to a sum.
{% include "shared/conv_params.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapParams;
@group(0) @binding(1) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read> weights: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> residual: array<{{ e4 }}>;
@group(0) @binding(5) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/activation.wgsl" %}

// `group` is that of dst's channels.
fn store(index: u32, group: u32, sum: vec4<f32>) {
{%- if residual == "before" %}
    dst[p.dst_base + index] = {{ e4 }}(activate(sum + vec4<f32>(residual[p.residual_base + index]), group));
{%- elif residual == "after" %}
    dst[p.dst_base + index] = {{ e4 }}(activate(sum, group) + vec4<f32>(residual[p.residual_base + index]));
{%- else %}
    dst[p.dst_base + index] = {{ e4 }}(activate(sum, group));
{%- endif %}
}
