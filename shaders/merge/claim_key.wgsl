// Purpose: pairs (claimer, rank) in input order, to be sorted by claimer. A duplicate is claimed by the first of its
// run, which is its root.
// Reads: live; order, places, claimed, roots, u32 [n]; entries [n]. Writes: keys, values, u32 [n].
// Threads: one per rank.
// Precision: u32.
// Source: the order in which SAHI's nmm_from_matrix lists the boxes of a keeper.
{% include "shared/live.wgsl" %}
{% include "shared/entry.wgsl" %}
{% include "shared/ordered.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read> claimed: array<u32>;
@group(0) @binding(4) var<storage, read> roots: array<u32>;
@group(0) @binding(5) var<storage, read> entries: array<Entry>;
@group(0) @binding(6) var<storage, read_write> keys: array<u32>;
@group(0) @binding(7) var<storage, read_write> values: array<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let rank = id.x;
    if rank >= live.n {
        return;
    }
    let claimer = claimed[rank];
    let tied = ordered(entries[places[rank]].score) == ordered(entries[places[claimer]].score);
    let index = order[rank];
    keys[index] = select(claimer, roots[rank], tied);
    values[index] = rank;
}
