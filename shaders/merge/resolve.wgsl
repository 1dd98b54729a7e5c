// Purpose: decides the active boxes by what a round found and lists those of the next: open, or kept just now with
// something to push. A blocked box that has nothing to push may wait for its blocker instead.
// Reads: active_in [len]; blockers, u32 [n]. Reads/writes: tally; state, pulled, pushed, waiters, u32 [n]. Writes:
// active_out [next_len], in any order.
// Threads: one per active box.
// Precision: u32.
// Source: none.
{% set word = "atomic<u32>" %}
{% include "shared/tally.wgsl" %}
{% include "shared/entry.wgsl" %}
{% include "shared/waiter.wgsl" %}

@group(0) @binding(0) var<storage, read> active_in: array<u32>;
@group(0) @binding(1) var<storage, read_write> tally: Tally;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> pulled: array<u32>;
@group(0) @binding(4) var<storage, read_write> pushed: array<u32>;
@group(0) @binding(5) var<storage, read_write> active_out: array<u32>;
@group(0) @binding(6) var<storage, read> blockers: array<u32>;
@group(0) @binding(7) var<storage, read_write> waiters: array<atomic<u32>>;

var<workgroup> listed: atomic<u32>;
var<workgroup> open: atomic<u32>;
var<workgroup> waiting: atomic<i32>;
var<workgroup> base: u32;

// Whether a blocked box now waits for its blocker, which may be decided by another invocation at this moment: the
// word tells the later of the two.
fn waits(at: u32) -> bool {
    let blocker = blockers[at];
    if atomicLoad(&waiters[blocker]) != at + 1u {
        return false;
    }
    return atomicOr(&waiters[blocker], WAITS) == at + 1u;
}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if local == 0u {
        atomicStore(&listed, 0u);
        atomicStore(&open, 0u);
        atomicStore(&waiting, 0);
    }
    workgroupBarrier();
    var at = 0u;
    var goes_on = false;
    var slot = 0u;
    var woken = 0u;
    if id.x < atomicLoad(&tally.len) {
        at = active_in[id.x];
        if state[at] == OPEN {
            let found = pulled[at] | pushed[at];
            pulled[at] = 0u;
            pushed[at] = 0u;
            if (found & SUPPRESSED) != 0u {
                state[at] = SUPPRESSED;
            } else if (found & BLOCKED) != 0u {
                goes_on = (found & PUSHES) != 0u || !waits(at);
                if goes_on {
                    atomicAdd(&open, 1u);
                } else {
                    atomicAdd(&waiting, 1);
                }
            } else {
                goes_on = (found & PUSHES) != 0u;
                state[at] = KEPT;
            }
            if (found & BLOCKED) == 0u || (found & SUPPRESSED) != 0u {
                let waiter = atomicExchange(&waiters[at], DECIDED);
                if (waiter & WAITS) != 0u {
                    woken = waiter & ~WAITS;
                    atomicAdd(&open, 1u);
                    atomicAdd(&waiting, -1);
                }
            }
            slot = atomicAdd(&listed, u32(goes_on) + u32(woken != 0u));
        }
    }
    workgroupBarrier();
    if local == 0u {
        base = atomicAdd(&tally.next_len, atomicLoad(&listed));
        atomicAdd(&tally.next_open, atomicLoad(&open));
        atomicAdd(&tally.waiting, bitcast<u32>(atomicLoad(&waiting)));
    }
    workgroupBarrier();
    if goes_on {
        active_out[base + slot] = at;
    }
    if woken != 0u {
        active_out[base + slot + u32(goes_on)] = woken - 1u;
        // What blocked it while it waited may be decided by now; what suppressed it stays.
        pushed[woken - 1u] &= SUPPRESSED;
    }
}
