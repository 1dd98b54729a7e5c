// What convolutions bind, and how they write: activation and residual applied to a sum.
{% include "shared/conv_params.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapParams;
@group(0) @binding(1) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read> weights: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> residual: array<{{ e4 }}>;
@group(0) @binding(5) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/activation.wgsl" %}

{%- if residual != "none" %}
{% include "shared/residual.wgsl" %}
{%- endif %}
// `group` is that of dst's channels.
fn store(tile: u32, group: u32, pixel: u32, sum: vec4<f32>) {
    let index = p.dst_base + tile * p.dst_tile + group * p.dst_h * p.dst_w + pixel;
{%- if residual == "before" %}
    dst[index] = {{ e4 }}(activate(sum + residual_at(tile, group, pixel), group));
{%- elif residual == "after" %}
    dst[index] = {{ e4 }}(activate(sum, group) + residual_at(tile, group, pixel));
{%- else %}
    dst[index] = {{ e4 }}(activate(sum, group));
{%- endif %}
}
