// Purpose: boxes that none claimed are kept; none is left open.
// Reads: live; places, claimed, u32 [n]. Writes: state, u32 [n]; tally.
// Threads: one per rank.
// Precision: u32.
// Source: none.
{% set word = "u32" %}
{% include "shared/live.wgsl" %}
{% include "shared/tally.wgsl" %}
{% include "shared/entry.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read> claimed: array<u32>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> tally: Tally;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x == 0u {
        tally.open = 0u;
    }
    if id.x < live.n {
        state[places[id.x]] = select(SUPPRESSED, KEPT, claimed[id.x] == id.x);
    }
}
