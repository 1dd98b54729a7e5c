// Purpose: the scores that soft suppression starts from; drops boxes below the floor.
// Reads: live; entries [n]. Writes: state, scores, u32 [n].
// Threads: one per entry.
// Precision: exact copies; scores below 2^-126 count as 0.
// Source: none.
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/entry.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> entries: array<Entry>;
@group(0) @binding(3) var<storage, read_write> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> scores: array<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i < live.n {
        // Positive floats are ordered as their bits.
        let score = bitcast<u32>(entries[i].score);
        scores[i] = score;
        if score < 0x800000u || score > 0x7f800000u || score < bitcast<u32>(p.score_floor) {
            state[i] = SUPPRESSED;
        }
    }
}
