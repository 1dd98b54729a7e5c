// Purpose: the size of the fullest bucket.
// Reads: live; keys, u32 [n], sorted; table, vec2<u32> [buckets]. Reads/writes: tally.
// Threads: one per entry; the last of each bucket counts.
// Precision: u32.
// Source: none.
{% set word = "atomic<u32>" %}
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/tally.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> tally: Tally;

var<workgroup> crowd: atomic<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if local == 0u {
        atomicStore(&crowd, 0u);
    }
    workgroupBarrier();
    let i = id.x;
    if i < live.n {
        let range = table[keys[i] >> p.cut_loses];
        if range.y == i + 1u {
            atomicMax(&crowd, range.y - range.x);
        }
    }
    workgroupBarrier();
    if local == 0u {
        atomicMax(&tally.crowd, atomicLoad(&crowd));
    }
}
