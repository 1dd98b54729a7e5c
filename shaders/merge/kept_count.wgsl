// Purpose: how many boxes are kept in each block of 1024 ranks.
// Reads: live; places, u32 [n], entries in the order of the output; state, u32 [n]. Writes: counts, u32 [blocks].
// Threads: one workgroup per block, four ranks per invocation.
// Precision: u32.
// Source: none.
{% include "shared/live.wgsl" %}
{% include "shared/entry.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;

var<workgroup> kept: atomic<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if local == 0u {
        atomicStore(&kept, 0u);
    }
    workgroupBarrier();
    let first = workgroup.x * 1024u + local * 4u;
    var own = 0u;
    for (var rank = first; rank < min(first + 4u, live.n); rank++) {
        own += u32(state[places[rank]] == KEPT);
    }
    atomicAdd(&kept, own);
    workgroupBarrier();
    if local == 0u {
        counts[workgroup.x] = atomicLoad(&kept);
    }
}
