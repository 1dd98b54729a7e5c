// Purpose: the order of the output as candidates and as entries.
// Reads: live; ranks, sorted; order, places, u32 [n]. Writes: order_out, places_out, u32 [n].
// Threads: one per box.
// Precision: u32.
// Source: none.
{% include "shared/live.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read> ranks: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> places: array<u32>;
@group(0) @binding(4) var<storage, read_write> order_out: array<u32>;
@group(0) @binding(5) var<storage, read_write> places_out: array<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < live.n {
        let rank = ranks[id.x];
        order_out[id.x] = order[rank];
        places_out[id.x] = places[rank];
    }
}
