// Purpose: the box that takes each box: the best-ranked one before it that matches
{%- if transitive %} and is strictly better in score or
// an exact duplicate. Of a run of duplicates each is claimed by the one before.
{%- else %} and is kept.
{%- endif %}
{%- if up %}
// Between boxes of different levels: the smaller looks both ways.
{%- else %}
// Among boxes of one level.
{%- endif %}
// Reads: live; tally; entries [n]; table, vec2<u32> [buckets]; {% if not transitive %}state, u32 [n]. {% endif %}Reads/writes: claimed, u32 [n], rank of
// the claimer by rank; a box that none claims keeps its own.
// Threads: (entry, slice): slice k of K takes the entries congruent to k in each bucket{% if not up %}, after the first
// ones{% endif %}.
// Precision: exact, see overlap.wgsl.
// Source: SAHI 0.12.6, {{ 'nmm' if transitive else 'greedy_nmm' }}_from_matrix.
{% set word = "u32" %}
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/tally.wgsl" %}
{% include "shared/entry.wgsl" %}
{% include "shared/bucket.wgsl" %}
{% include "shared/ordered.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> tally: Tally;
@group(0) @binding(3) var<storage, read> entries: array<Entry>;
@group(0) @binding(4) var<storage, read> table: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read> state: array<u32>;
@group(0) @binding(6) var<storage, read_write> claimed: array<atomic<u32>>;

{% include "shared/overlap.wgsl" %}

{% include "shared/cells.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x;
    if at >= live.n {
        return;
    }
    let own = entries[at];
    let level_of_own = grid_level(own.rect);
{%- if transitive %}
    let own_score = ordered(own.score);
{%- else %}
    let own_state = state[at];
{%- endif %}
{%- if up %}
    var best = atomicLoad(&claimed[own.rank]);
    var levels = levels_above(level_of_own);
    while levels != 0u {
        let level = firstTrailingBit(levels);
        levels &= levels - 1u;
        let cells = cells_near(own.rect, level);
        for (var c = 0u; c < cells.count; c++) {
            let range = bucket(cells, c, level, own.class_id);
            for (var e = range.x + id.y; e < range.y; e += groups.y) {
                let other = entries[e].rank;
{%- if transitive %}
                if ordered(entries[e].score) == own_score {
                    continue;
                }
                if other < best {
                    if matches(entries[e], own) {
                        best = other;
                    }
                } else if other > own.rank && atomicLoad(&claimed[other]) > own.rank && matches(own, entries[e]) {
                    atomicMin(&claimed[other], own.rank);
                }
{%- else %}
                if own_state == SUPPRESSED {
                    if other < best && state[e] == KEPT && matches(entries[e], own) {
                        best = other;
                    }
                } else if other > own.rank && state[e] == SUPPRESSED && own_state == KEPT
                    && atomicLoad(&claimed[other]) > own.rank && matches(own, entries[e]) {
                    atomicMin(&claimed[other], own.rank);
                }
{%- endif %}
            }
        }
    }
{%- else %}
{%- if not transitive %}
    if own_state != SUPPRESSED {
        return;
    }
{%- endif %}
    var best = own.rank;
    let cells = cells_near(own.rect, level_of_own);
    for (var c = 0u; c < cells.count; c++) {
        let range = bucket(cells, c, level_of_own, own.class_id);
        // In crowds every slice looks at the best boxes first: they are the likeliest to be kept.
        let head = select(range.x, min(range.x + 16u, range.y), groups.y > 1u);
        var step = 1u;
        for (var e = select(head + id.y, range.x, groups.y > 1u); e < range.y; e += step) {
            if e >= head && step < groups.y {
                e = head + id.y;
                step = groups.y;
                if e >= range.y {
                    break;
                }
            }
            let other = entries[e].rank;
            if other >= best || (step > 1u && other >= atomicLoad(&claimed[own.rank])) {
                break;
            }
{%- if transitive %}
            if ordered(entries[e].score) == own_score {
                break;
            }
            if matches(entries[e], own) {
{%- else %}
            if state[e] == KEPT && matches(entries[e], own) {
{%- endif %}
                best = other;
                break;
            }
        }
    }
{%- if transitive %}
    if best == own.rank && at > 0u {
        let before = entries[at - 1u];
        if ordered(before.score) == own_score && all(ordered4(before.rect) == ordered4(own.rect)) && matches(before, own) {
            best = before.rank;
        }
    }
{%- endif %}
{%- endif %}
    if best < own.rank {
        atomicMin(&claimed[own.rank], best);
    }
}
