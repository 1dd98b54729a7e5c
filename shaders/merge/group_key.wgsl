// Purpose: pairs (keeper, rank) to be sorted by keeper
{%- if listed %}, in the order of a list.
{%- else %}, in rank order.
{%- endif %}
// Reads: live; roots{% if listed %}, list{% endif %}, u32 [n]. Writes: keys, values, u32 [n].
// Threads: one per box.
// Precision: u32.
// Source: none.
{% include "shared/live.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read> roots: array<u32>;
@group(0) @binding(2) var<storage, read_write> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<u32>;
{%- if listed %}
@group(0) @binding(4) var<storage, read> list: array<u32>;
{%- endif %}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i < live.n {
        let rank = {{ 'list[i]' if listed else 'i' }};
        keys[i] = roots[rank];
        values[i] = rank;
    }
}
