{{ enable }}
// Purpose: multiplies and adds, to measure the rate of arithmetic.
// Reads/writes: values [invocations], the start and the result of each.
// Threads: {{ chains }} independent chains of {{ e4 }} each.
// Precision: {{ e4 }}.
// Source: none.
{% include "shared/linear_id.wgsl" %}

struct Params {
    factor: f32,
    term: f32,
    iterations: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> values: array<{{ e4 }}>;

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let id = linear_id(workgroup, groups, local, {{ wg_x }}u);
    if id >= arrayLength(&values) {
        return;
    }
    let factor = {{ e4 }}(vec4<f32>(p.factor));
    let term = {{ e4 }}(vec4<f32>(p.term));
{%- for chain in range(chains) %}
    var a{{ chain }} = values[id] + {{ e4 }}(vec4<f32>({{ chain }}.0));
{%- endfor %}
    for (var i = 0u; i < p.iterations; i++) {
{%- for step in range(steps) %}
{%- for chain in range(chains) %}
        a{{ chain }} = fma(a{{ chain }}, factor, term);
{%- endfor %}
{%- endfor %}
    }
    values[id] = {% for chain in range(chains) %}{% if not loop.first %} + {% endif %}a{{ chain }}{% endfor %};
}
