// Purpose: workgroups of the next slice of a fold: none if no group goes on.
// Reads: live. Reads/writes: folding, u32. Writes: args, u32 [3].
// Threads: one.
// Precision: u32.
// Source: none.
{% include "shared/live.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read_write> folding: u32;
@group(0) @binding(2) var<storage, read_write> args: array<u32>;

@compute @workgroup_size(1)
fn main() {
    let groups = (live.n + {{ size - 1 }}u) / {{ size }}u;
    args[0] = {{ 'groups' if start else 'select(0u, groups, folding == 1u)' }};
    args[1] = 1u;
    args[2] = 1u;
    folding = 0u;
}
