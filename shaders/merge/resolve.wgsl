// Purpose: decides the active boxes by what a round found and lists those of the next: open, or kept
// just now with something to push.
// Reads: active_in [len]. Reads/writes: tally; state, pulled, pushed, u32 [n]. Writes: active_out [next_len], in any
// order.
// Threads: one per active box.
// Precision: u32.
// Source: none.
{% set word = "atomic<u32>" %}
{% include "shared/tally.wgsl" %}
{% include "shared/entry.wgsl" %}

@group(0) @binding(0) var<storage, read> active_in: array<u32>;
@group(0) @binding(1) var<storage, read_write> tally: Tally;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> pulled: array<u32>;
@group(0) @binding(4) var<storage, read_write> pushed: array<u32>;
@group(0) @binding(5) var<storage, read_write> active_out: array<u32>;

var<workgroup> listed: atomic<u32>;
var<workgroup> open: atomic<u32>;
var<workgroup> base: u32;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if local == 0u {
        atomicStore(&listed, 0u);
        atomicStore(&open, 0u);
    }
    workgroupBarrier();
    var at = 0u;
    var goes_on = false;
    var slot = 0u;
    if id.x < atomicLoad(&tally.len) {
        at = active_in[id.x];
        if state[at] == OPEN {
            let found = pulled[at] | pushed[at];
            pulled[at] = 0u;
            pushed[at] = 0u;
            if (found & SUPPRESSED) != 0u {
                state[at] = SUPPRESSED;
            } else if (found & BLOCKED) != 0u {
                goes_on = true;
                atomicAdd(&open, 1u);
            } else {
                goes_on = (found & PUSHES) != 0u;
                state[at] = KEPT;
            }
            if goes_on {
                slot = atomicAdd(&listed, 1u);
            }
        }
    }
    workgroupBarrier();
    if local == 0u {
        base = atomicAdd(&tally.next_len, atomicLoad(&listed));
        atomicAdd(&tally.next_open, atomicLoad(&open));
    }
    workgroupBarrier();
    if goes_on {
        active_out[base + slot] = at;
    }
}
