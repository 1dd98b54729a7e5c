// Purpose: workgroups of the next slice of a fold: none if {{ 'a box is open' if start else 'no group goes on' }}.
// Reads: live; tally. Reads/writes: folding, u32. Writes: args, u32 [3].
// Threads: one.
// Precision: u32.
// Source: none.
{% set word = "u32" %}
{% include "shared/live.wgsl" %}
{% include "shared/tally.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read_write> folding: u32;
@group(0) @binding(2) var<storage, read_write> args: array<u32>;
@group(0) @binding(3) var<storage, read> tally: Tally;

@compute @workgroup_size(1)
fn main() {
    let groups = (live.n + {{ size - 1 }}u) / {{ size }}u;
    args[0] = select(0u, groups, {{ 'tally.open == 0u' if start else 'folding == 1u' }});
    args[1] = 1u;
    args[2] = 1u;
    folding = 0u;
}
