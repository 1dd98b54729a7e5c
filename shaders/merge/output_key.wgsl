// Purpose: pairs (key, rank) in rank order, to be sorted into the order of the output: by
{%- if scored %} new score, largest first.
{%- else %} class.
{%- endif %}
// Reads: live; order, places, state, scores, u32 [n]; candidates [n]. Writes: keys, values, u32 [n].
// Threads: one per rank.
// Precision: u32.
// Source: none.
{% include "shared/candidate.wgsl" %}
{% include "shared/live.wgsl" %}
{% include "shared/entry.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read> order: array<u32>;
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read> scores: array<u32>;
@group(0) @binding(5) var<storage, read> candidates: array<Candidate>;
@group(0) @binding(6) var<storage, read_write> keys: array<u32>;
@group(0) @binding(7) var<storage, read_write> values: array<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let rank = id.x;
    if rank >= live.n {
        return;
    }
{%- if scored %}
    let at = places[rank];
    keys[rank] = select(0xffffffffu, ~scores[at], state[at] == KEPT);
{%- else %}
    keys[rank] = candidates[order[rank]].class_id;
{%- endif %}
    values[rank] = rank;
}
