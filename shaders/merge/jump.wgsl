// Purpose: pointer jumping: replaces the parent of each box by an ancestor up to 32 steps further up. A root is its own
// parent.
// Reads: live; parents, u32 [n]. Writes: roots, u32 [n].
// Threads: one per rank.
// Precision: u32.
// Source: Wyllie, "The Complexity of Parallel Computations" (1979).
{% include "shared/live.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read> parents: array<u32>;
@group(0) @binding(2) var<storage, read_write> roots: array<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let rank = id.x;
    if rank >= live.n {
        return;
    }
    var root = parents[rank];
    for (var step = 0u; step < 32u; step++) {
        let next = parents[root];
        if next == root {
            break;
        }
        root = next;
    }
    roots[rank] = root;
}
