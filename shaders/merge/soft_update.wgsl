// Purpose: closes the boxes decided in a round, gives the open ones their faded scores, drops those below the floor and
// lists the rest for the next round.
// Reads: active_in [len]; entries [n]; fades, marks, u32 [n]. Reads/writes: tally; state, u32 [n]. Writes: scores,
// u32 [n]; active_out [next_len], in any order.
// Threads: one per active box.
// Precision: integers and one rounded product, see fade.wgsl.
// Source: Bodla et al., "Soft-NMS" (2017).
{% set word = "atomic<u32>" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/tally.wgsl" %}
{% include "shared/entry.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> active_in: array<u32>;
@group(0) @binding(2) var<storage, read> entries: array<Entry>;
@group(0) @binding(3) var<storage, read> fades: array<u32>;
@group(0) @binding(4) var<storage, read> marks: array<u32>;
@group(0) @binding(5) var<storage, read_write> tally: Tally;
@group(0) @binding(6) var<storage, read_write> state: array<u32>;
@group(0) @binding(7) var<storage, read_write> scores: array<u32>;
@group(0) @binding(8) var<storage, read_write> active_out: array<u32>;

{% include "shared/overlap.wgsl" %}

{% include "shared/divide.wgsl" %}

{% include "shared/fade.wgsl" %}

var<workgroup> listed: atomic<u32>;
var<workgroup> base: u32;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if local == 0u {
        atomicStore(&listed, 0u);
    }
    workgroupBarrier();
    var at = 0u;
    var slot = 0u;
    var goes_on = false;
    if id.x < atomicLoad(&tally.len) {
        at = active_in[id.x];
        if state[at] == PICKED {
            state[at] = KEPT;
        } else if state[at] == OPEN {
            let score = bitcast<u32>(faded(entries[at].score, fades[at]));
            scores[at] = score;
            goes_on = score != 0u && score >= bitcast<u32>(p.score_floor) && (marks[at] & FADED) == 0u;
            if goes_on {
                slot = atomicAdd(&listed, 1u);
            } else {
                state[at] = SUPPRESSED;
            }
        }
    }
    workgroupBarrier();
    if local == 0u {
        base = atomicAdd(&tally.next_len, atomicLoad(&listed));
        atomicAdd(&tally.next_open, atomicLoad(&listed));
    }
    workgroupBarrier();
    if goes_on {
        active_out[base + slot] = at;
    }
}
