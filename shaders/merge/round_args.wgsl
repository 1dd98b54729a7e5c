// Purpose: takes the next round's list and writes its workgroup counts, none when no box is open. Crowded buckets
// are sliced over y, so that no invocation loops more than {{ loop_limit }} times.
// Reads/writes: tally. Writes: args, u32 [12]: groups of visit, of visit_up, of resolve, of
// soft_visit.
// Threads: one.
// Precision: u32.
// Source: none.
{% set word = "u32" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/tally.wgsl" %}
{% include "shared/bucket.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read_write> tally: Tally;
@group(0) @binding(2) var<storage, read_write> args: array<u32>;

@compute @workgroup_size(1)
fn main() {
{%- if not start %}
    if tally.open > 0u {
        tally.rounds += 1u;
        tally.len = tally.next_len;
        tally.open = tally.next_open + tally.waiting;
        tally.next_len = 0u;
        tally.next_open = 0u;
    }
{%- endif %}
    let groups = select(0u, (tally.len + 255u) / 256u, tally.open > 0u);
    let cells = select(9u, 1u, tally.levels == 1u << LAST_LEVEL);
    let above = min(max(countOneBits(tally.levels), 1u) - 1u, p.span);
    args[0] = groups;
    args[1] = (cells * tally.crowd) / {{ loop_limit }}u + 1u;
    args[2] = 1u;
    args[3] = select(0u, groups, above > 0u);
    args[4] = above * ((cells * tally.crowd) / {{ loop_limit }}u + 1u);
    args[5] = 1u;
    args[6] = groups;
    args[7] = 1u;
    args[8] = 1u;
    args[9] = groups;
    args[10] = (above + 1u) * args[1];
    args[11] = 1u;
}
