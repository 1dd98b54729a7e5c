// Purpose: lays the boxes out by bucket, best rank first, and notes where each bucket starts and ends.
// Reads: live; candidates [n]; order, keys, ranks, u32 [n], keys sorted. Writes: entries [n]; places, u32 [n], from
// rank to entry; table, vec2<u32> [buckets], start and end.
// Threads: one per entry.
// Precision: f32; the area is rounded once per operation and read back from memory.
// Source: none.
{% include "shared/candidate.wgsl" %}
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/entry.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> candidates: array<Candidate>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> keys: array<u32>;
@group(0) @binding(5) var<storage, read> ranks: array<u32>;
@group(0) @binding(6) var<storage, read_write> entries: array<Entry>;
@group(0) @binding(7) var<storage, read_write> places: array<u32>;
@group(0) @binding(8) var<storage, read_write> table: array<vec2<u32>>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= live.n {
        return;
    }
    let rank = ranks[i];
    let index = order[rank];
    let rect = candidates[index].rect;
    let area = (rect.z - rect.x) * (rect.w - rect.y);
    let cut = keys[i] & p.cut_loses;
    entries[i] = Entry(rect, area, candidates[index].class_id, rank | (cut << 31u), candidates[index].score);
    places[rank] = i;
    let key = keys[i] >> p.cut_loses;
    if i == 0u || (keys[max(i, 1u) - 1u] >> p.cut_loses) != key {
        table[key].x = i;
    }
    if i + 1u == live.n || (keys[min(i + 1u, live.n - 1u)] >> p.cut_loses) != key {
        table[key].y = i + 1u;
    }
}
