// A line of vec4s, spread over {{ wg_x if wide else 1 }} invocation{{ "s" if wide else "" }}: softmax and reductions run along one.
{%- if wide %}
var<workgroup> partial: array<vec4<f32>, {{ wg_x }}>;

// The value of all invocations by `combine`, the same in each; always added in the same order.
{%- for name in ["sum", "max", "min"] %}
fn line_{{ name }}(value: vec4<f32>, local: u32) -> vec4<f32> {
    workgroupBarrier();
    partial[local] = value;
    for (var step = {{ wg_x // 2 }}u; step > 0u; step >>= 1u) {
        workgroupBarrier();
        if local < step {
{%- if name == "sum" %}
            partial[local] += partial[local + step];
{%- else %}
            partial[local] = {{ name }}(partial[local], partial[local + step]);
{%- endif %}
        }
    }
    workgroupBarrier();
    return partial[0];
}
{%- endfor %}
{%- else %}
{%- for name in ["sum", "max", "min"] %}
fn line_{{ name }}(value: vec4<f32>, local: u32) -> vec4<f32> {
    return value;
}
{%- endfor %}
{%- endif %}
