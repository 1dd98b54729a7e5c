// Purpose: the bucket of each ranked box, its lowest bit set for cut boxes where these rank last; which levels occur.
// Reads: live; candidates [n]; order, u32 [n]. Reads/writes: tally. Writes: keys, values, u32 [n]: bucket and rank.
// Threads: one per rank.
// Precision: exact: levels from exponent bits, cells by a power of two.
// Source: Teschner et al., "Optimized Spatial Hashing for Collision Detection of Deformable Objects" (2003).
{% set word = "atomic<u32>" %}
{% include "shared/candidate.wgsl" %}
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/tally.wgsl" %}
{% include "shared/bucket.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> candidates: array<Candidate>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read_write> tally: Tally;
@group(0) @binding(5) var<storage, read_write> keys: array<u32>;
@group(0) @binding(6) var<storage, read_write> values: array<u32>;

var<workgroup> levels: atomic<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if local == 0u {
        atomicStore(&levels, 0u);
    }
    workgroupBarrier();
    let rank = id.x;
    if rank < live.n {
        let index = order[rank];
        let rect = candidates[index].rect;
        let class_id = class_key(candidates[index].class_id);
        let level = grid_level(rect);
        atomicOr(&levels, 1u << level);
        let bucket = bucket_of(level, cell_of(rect.xy, level), class_id, atomicLoad(&tally.mask));
        let cut = p.cut_loses & u32(candidates[index].tile >> 28u != 0u);
        keys[rank] = (bucket << p.cut_loses) | cut;
        values[rank] = rank;
    }
    workgroupBarrier();
    if local == 0u {
        atomicOr(&tally.levels, atomicLoad(&levels));
    }
}
