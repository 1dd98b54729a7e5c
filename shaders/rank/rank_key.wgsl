// Purpose: sort key of one field of each candidate, smallest first; at the first field also the identity order.
// Reads: live; candidates [n]. Reads/writes: order, u32 [n]. Writes: keys, u32 [n].
// Threads: one per element.
// Precision: exact: float bits mapped to a u32 of the same order.
// Source: Herf, "Radix Tricks" (2001).
{% include "shared/candidate.wgsl" %}
{% include "shared/live.wgsl" %}
{% include "shared/ordered.wgsl" %}

struct Params {
    field: u32,  // 0..3 x0 y0 x1 y1, 4 score (largest first), 5 class
    first: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> candidates: array<Candidate>;
@group(0) @binding(3) var<storage, read_write> order: array<u32>;
@group(0) @binding(4) var<storage, read_write> keys: array<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= live.n {
        return;
    }
    var index = i;
    if p.first == 1u {
        order[i] = i;
    } else {
        index = order[i];
    }
    switch p.field {
        case 4u: {
            keys[i] = ~ordered(candidates[index].score);
        }
        case 5u: {
            keys[i] = candidates[index].class_id;
        }
        default: {
            keys[i] = ordered(candidates[index].rect[p.field]);
        }
    }
}
