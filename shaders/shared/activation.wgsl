// activate(v, group), chosen by the template value `activation`; parameters come from the kernel's uniform `p`, and
// `group` is the vec4's group of channels in dst. No step leaves the range of floats where the result is within it.
// With the template value `of` it is activate_OF, of the uniform OF: for a second one in a kernel that has one already.
{%- set u = of if of is defined else "p" %}
{%- set suffix = "_" ~ of if of is defined else "" %}
{% if of is not defined %}{% include "shared/live_lanes.wgsl" %}{% endif %}
{%- if activation in ["gelu", "erf"] %}

// Within 1.5e-7: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
fn erf{{ suffix }}(v: vec4<f32>) -> vec4<f32> {
    let a = min(abs(v), vec4<f32>(9.0));
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let series = ((((1.0614054 * t - 1.453152) * t + 1.4214137) * t - 0.28449674) * t + 0.2548296) * t;
    let size = 1.0 - series * exp(-a * a);
    return select(size, -size, v < vec4<f32>(0.0));
}
{%- elif activation in ["sin", "cos"] %}

// sin(r) * (-1)^k for v = (k + shift) * pi + r, by the series of the sine: what drivers have may err by 5e-4.
fn half_turns{{ suffix }}(v: vec4<f32>, shift: f32) -> vec4<f32> {
    let k = round(v * 0.31830989 - shift);
    let turns = k + shift;
    let r = (v - turns * 3.140625) - turns * 9.6765359e-4;
    let s = r * r;
    let series = -0.16666667 + s * (8.3333333e-3 + s * (-1.9841270e-4 + s * (2.7557319e-6 - s * 2.5052108e-8)));
    let odd = k - 2.0 * floor(k * 0.5);
    return (r + r * s * series) * (1.0 - 2.0 * odd);
}
{%- elif activation == "power" %}

fn power{{ suffix }}(v: vec4<f32>, exponent: f32) -> vec4<f32> {
    let size = abs(exponent);
    if exponent != floor(exponent) {
        return pow(v, vec4<f32>(exponent));
    }
    if size > 64.0 {
        let odd = size - 2.0 * floor(size * 0.5) == 1.0;
        let result = pow(abs(v), vec4<f32>(exponent));
        return select(result, -result, (v < vec4<f32>(0.0)) & vec4<bool>(odd));
    }
    var result = vec4<f32>(1.0);
    var square = v;
    for (var bits = u32(size); bits > 0u; bits >>= 1u) {
        if (bits & 1u) == 1u {
            result *= square;
        }
        square *= square;
    }
    if exponent < 0.0 {
        return 1.0 / result;
    }
    return result;
}
{%- endif %}

fn activated{{ suffix }}(v: vec4<f32>) -> vec4<f32> {
{%- if activation == "none" %}
    return v;
{%- elif activation == "relu" %}
    return max(v, vec4<f32>(0.0));
{%- elif activation == "leaky_relu" %}
    return select(v, v * {{ u }}.act_a, v < vec4<f32>(0.0));
{%- elif activation == "sigmoid" %}
    return 1.0 / (1.0 + exp(-v));
{%- elif activation == "silu" %}
    return v / (1.0 + exp(-v));
{%- elif activation == "clip" %}
    return min(max(v, vec4<f32>({{ u }}.act_a)), vec4<f32>({{ u }}.act_b));
{%- elif activation == "hard_sigmoid" %}
    return clamp(v * {{ u }}.act_a + {{ u }}.act_b, vec4<f32>(0.0), vec4<f32>(1.0));
{%- elif activation == "hard_swish" %}
    return v * clamp(v * (1.0 / 6.0) + 0.5, vec4<f32>(0.0), vec4<f32>(1.0));
{%- elif activation == "tanh" %}
    return tanh(clamp(v, vec4<f32>(-20.0), vec4<f32>(20.0)));
{%- elif activation == "mish" %}
    // tanh(ln(1 + e)) is n / (n + 2) with n = e * (e + 2), and 1 in f32 from 20 on.
    let e = exp(min(v, vec4<f32>(20.0)));
    let n = e * (e + 2.0);
    return v * (n / (n + 2.0));
{%- elif activation == "gelu" %}
    return 0.5 * v * (1.0 + erf{{ suffix }}(v * 0.70710678));
{%- elif activation == "gelu_tanh" %}
    // (1 + tanh(u)) / 2 is 1 / (1 + exp(-2 * u)).
    let u = 1.5957692 * (v + 0.044715 * v * v * v);
    return v / (1.0 + exp(clamp(-u, vec4<f32>(-88.0), vec4<f32>(88.0))));
{%- elif activation == "softplus" %}
    // The series of ln(1 + e) where 1 + e would lose what e has.
    let e = exp(-abs(v));
    return max(v, vec4<f32>(0.0)) + select(log(1.0 + e), e - 0.5 * e * e, e < vec4<f32>(1e-3));
{%- elif activation == "elu" %}
    return select(v, {{ u }}.act_a * (exp(min(v, vec4<f32>(0.0))) - 1.0), v < vec4<f32>(0.0));
{%- elif activation == "erf" %}
    return erf{{ suffix }}(v);
{%- elif activation == "exp" %}
    return exp(v);
{%- elif activation == "log" %}
    return log(v);
{%- elif activation == "sqrt" %}
    return sqrt(v);
{%- elif activation == "reciprocal" %}
    return 1.0 / v;
{%- elif activation == "abs" %}
    return abs(v);
{%- elif activation == "floor" %}
    return floor(v);
{%- elif activation in ["sin", "cos"] %}
    return {{ "-" if activation == "cos" }}half_turns{{ suffix }}(v, {{ "0.5" if activation == "cos" else "0.0" }});
{%- elif activation == "power" %}
    return power{{ suffix }}(v, {{ u }}.act_a);
{%- elif activation == "linear" %}
    return v * {{ u }}.act_a + {{ u }}.act_b;
{%- endif %}
}

fn activate{{ suffix }}(v: vec4<f32>, group: u32) -> vec4<f32> {
{%- if activation in ["sigmoid", "clip", "hard_sigmoid", "softplus", "erf", "cos", "exp", "log", "reciprocal", "power", "linear"] %}
    // Of 0 they make something else.
    return select(vec4<f32>(0.0), activated{{ suffix }}(v), live_lanes({{ u }}.dst_channels, group));
{%- else %}
    return activated{{ suffix }}(v);
{%- endif %}
}
