// Purpose: copies a buffer, to measure the bandwidth of memory.
// Reads/writes: src [n], dst [n].
// Threads: {{ each }} vec4s each, a workgroup apart.
// Precision: bits.
// Source: the Copy kernel of STREAM (McCalpin 1995).
{% include "shared/linear_id.wgsl" %}

@group(0) @binding(0) var<storage, read> src: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<u32>>;

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = linear_id(workgroup, groups, 0u, {{ wg_x }}u) * {{ each }}u + local;
    let n = min(arrayLength(&src), arrayLength(&dst));
{%- for i in range(each) %}
    if first + {{ i * wg_x }}u < n {
        dst[first + {{ i * wg_x }}u] = src[first + {{ i * wg_x }}u];
    }
{%- endfor %}
}
