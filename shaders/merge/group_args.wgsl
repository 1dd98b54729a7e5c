// Purpose: workgroups of what makes groups and folds them
{%- if always %}.
{%- else %}; none while a box is open, since who takes a box is known only once
// all are decided.
{%- endif %}
// Reads: live; tally. Writes: args, u32 [15]: groups of elements, of blocks, of one, of a visit of all boxes, of one
// among larger levels.
// Threads: one.
// Precision: u32.
// Source: none.
{% set word = "u32" %}
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/tally.wgsl" %}
{% include "shared/bucket.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> tally: Tally;
@group(0) @binding(3) var<storage, read_write> args: array<u32>;

@compute @workgroup_size(1)
fn main() {
    let runs = u32({{ 'live.n > 0u' if always else 'live.n > 0u && tally.open == 0u' }});
    let elements = runs * ((live.n + 255u) / 256u);
    let cells = select(9u, 1u, tally.levels == 1u << LAST_LEVEL);
    let above = min(max(countOneBits(tally.levels), 1u) - 1u, p.span);
    let slices = (cells * tally.crowd) / {{ loop_limit }}u + 1u;
    for (var i = 0u; i < 15u; i++) {
        args[i] = 1u;
    }
    args[0] = elements;
    args[3] = runs * live.blocks;
    args[6] = runs;
    args[9] = elements;
    args[10] = slices;
    args[12] = select(0u, elements, above > 0u);
    args[13] = above * slices;
}
