// Purpose: clears what a merge keeps per box and its bucket table; lists every box as active and as claimed by itself.
// Reads: live. Writes: state, pulled, pushed, active, claimed, waiters, u32 [n]; table, vec2<u32> [mask + 1].
// Threads: one per box, each with a share of the table.
// Precision: u32.
// Source: none.
{% set word = "u32" %}
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/bucket.wgsl" %}
{% include "shared/waiter.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> pulled: array<u32>;
@group(0) @binding(4) var<storage, read_write> pushed: array<u32>;
@group(0) @binding(5) var<storage, read_write> active_boxes: array<u32>;
@group(0) @binding(6) var<storage, read_write> table: array<vec2<u32>>;
@group(0) @binding(7) var<storage, read_write> claimed: array<u32>;
@group(0) @binding(8) var<storage, read_write> waiters: array<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let mask = bucket_mask(live.n);
    for (var j = id.x; j <= mask; j += groups.x * {{ wg_x }}u) {
        table[j] = vec2<u32>(0u);
    }
    let i = id.x;
    if i < live.n {
        state[i] = 0u;
        pulled[i] = 0u;
        pushed[i] = 0u;
        active_boxes[i] = i;
        claimed[i] = i;
        waiters[i] = NOBODY;
    }
}
