// Purpose: copies the kept boxes in the order of the output
{%- if scored %}, with their new scores.
{%- else %} and notes where each went.
{%- endif %}
// Reads: live; places, state, order, u32 [n]; counts, u32 [blocks], scanned; candidates [n]. Writes: boxes [kept].
// words, u32 [n], by entry: {{ 'the new score' if scored else 'the place in boxes' }}.
// Threads: one workgroup per block of 1024 ranks, four neighbours per invocation.
// Precision: exact copies.
// Source: none.
{% include "shared/candidate.wgsl" %}
{% include "shared/live.wgsl" %}
{% include "shared/entry.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read> state: array<u32>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read> order: array<u32>;
@group(0) @binding(5) var<storage, read> candidates: array<Candidate>;
@group(0) @binding(6) var<storage, read_write> boxes: array<Candidate>;
@group(0) @binding(7) var<storage, {{ 'read' if scored else 'read_write' }}> words: array<u32>;

var<workgroup> sums: array<u32, {{ wg_x }}>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first = workgroup.x * 1024u + local * 4u;
    let last = min(first + 4u, live.n);
    var own = 0u;
    for (var rank = first; rank < last; rank++) {
        own += u32(state[places[rank]] == KEPT);
    }
    sums[local] = own;
    workgroupBarrier();
    for (var step = 1u; step < {{ wg_x }}u; step <<= 1u) {
        var before = 0u;
        if local >= step {
            before = sums[local - step];
        }
        workgroupBarrier();
        sums[local] += before;
        workgroupBarrier();
    }
    var at = counts[workgroup.x] + sums[local] - own;
    for (var rank = first; rank < last; rank++) {
        if state[places[rank]] == KEPT {
            boxes[at] = candidates[order[rank]];
{%- if scored %}
            boxes[at].score = bitcast<f32>(words[places[rank]]);
{%- else %}
            words[places[rank]] = at;
{%- endif %}
            at++;
        }
    }
}
