// activate(v), chosen by the template value `activation`; parameters come from the kernel's uniform `p`.
fn activate(v: vec4<f32>) -> vec4<f32> {
{%- if activation == "none" %}
    return v;
{%- elif activation == "relu" %}
    return max(v, vec4<f32>(0.0));
{%- elif activation == "leaky_relu" %}
    return select(v, v * p.act_a, v < vec4<f32>(0.0));
{%- elif activation == "sigmoid" %}
    return 1.0 / (1.0 + exp(-v));
{%- elif activation == "silu" %}
    return v / (1.0 + exp(-v));
{%- elif activation == "clip" %}
    return min(max(v, vec4<f32>(p.act_a)), vec4<f32>(p.act_b));
{%- elif activation == "hard_sigmoid" %}
    return clamp(v * p.act_a + p.act_b, vec4<f32>(0.0), vec4<f32>(1.0));
{%- elif activation == "hard_swish" %}
    return v * clamp(v * (1.0 / 6.0) + 0.5, vec4<f32>(0.0), vec4<f32>(1.0));
{%- elif activation == "tanh" %}
    return tanh(clamp(v, vec4<f32>(-20.0), vec4<f32>(20.0)));
{%- endif %}
}
