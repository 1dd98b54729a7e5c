// Purpose: what overlapping boxes do to each other in a round of soft suppression:
{%- if fades %} one decided in this round fades an open one.
{%- else %} the open one of the better score blocks
// the other.
{%- endif %}
// Reads: tally; active [len]; entries [n]; table, vec2<u32> [buckets]; state{% if not fades %}, scores{% endif %},
// u32 [n]. Reads/writes:
// {{ 'fades' if fades else 'marks' }}, u32 [n]{% if fades %}; marks, u32 [n]{% endif %}.
// Threads: (active box, slice): slice k of K takes the entries congruent to k in each bucket. The smaller of two boxes
// looks at the larger and acts for both. Marks are bits and fades integer sums, so the order does not matter.
// Precision: integers, see fade.wgsl.
// Source: Bodla et al., "Soft-NMS" (2017), the Gaussian rule, as a fixed point: an open box that no open neighbour
// beats cannot be beaten later, since scores only fall.
{% set word = "u32" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/tally.wgsl" %}
{% include "shared/entry.wgsl" %}
{% include "shared/bucket.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> tally: Tally;
@group(0) @binding(2) var<storage, read> active_boxes: array<u32>;
@group(0) @binding(3) var<storage, read> entries: array<Entry>;
@group(0) @binding(4) var<storage, read> table: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read> state: array<u32>;
{%- if fades %}
@group(0) @binding(6) var<storage, read_write> fades: array<atomic<u32>>;
@group(0) @binding(7) var<storage, read_write> marks: array<atomic<u32>>;
{%- else %}
@group(0) @binding(6) var<storage, read> scores: array<u32>;
@group(0) @binding(7) var<storage, read_write> marks: array<atomic<u32>>;
{%- endif %}

{% include "shared/overlap.wgsl" %}

{% include "shared/cells.wgsl" %}
{%- if fades %}

{% include "shared/divide.wgsl" %}

{% include "shared/fade.wgsl" %}

// What one box fades another by.
fn fade_between(a: Entry, b: Entry) -> u32 {
    let inter = intersection(a.rect, b.rect);
    return fade_of(inter, denominator(a.area, b.area, inter));
}

fn add_fade(e: u32, fade: u32) {
    let before = atomicAdd(&fades[e], fade);
    if before + fade < before {
        atomicOr(&marks[e], FADED);
    }
}
{%- else %}

fn touches(a: Entry, b: Entry) -> bool {
    return class_key(a.class_id) == class_key(b.class_id) && all(min(a.rect.zw, b.rect.zw) > max(a.rect.xy, b.rect.xy));
}

fn beats(a: u32, a_rank: u32, b: u32, b_rank: u32) -> bool {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a_rank < b_rank);
}
{%- endif %}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    if id.x >= tally.len {
        return;
    }
    let at = active_boxes[id.x];
    let own_state = state[at];
{%- if fades %}
    if own_state != OPEN && own_state != PICKED {
        return;
    }
{%- else %}
    if own_state != OPEN {
        return;
    }
{%- endif %}
    let own = entries[at];
    let level_of_own = grid_level(own.rect);
    var levels = levels_above(level_of_own) | (1u << level_of_own);
{%- if not fades %}
    var blocked = false;
{%- endif %}
    while levels != 0u {
        let level = firstTrailingBit(levels);
        levels &= levels - 1u;
        let cells = cells_near(own.rect, level);
        for (var c = 0u; c < cells.count; c++) {
            let range = bucket(cells, c, level, own.class_id);
            for (var e = range.x + id.y; e < range.y; e += groups.y) {
                let other_state = state[e];
{%- if fades %}
                let pulls = own_state == OPEN && other_state == PICKED;
                let pushes = own_state == PICKED && other_state == OPEN && level > level_of_own;
                if pulls || pushes {
                    let other = entries[e];
                    let fade = fade_between(other, own);
                    // Once for each pair: only where the other is looked for, not where its bucket is shared.
                    if fade != 0u && class_key(other.class_id) == class_key(own.class_id)
                        && grid_level(other.rect) == level && all(cell_of(other.rect.xy, level) == cell_at(cells, c)) {
                        add_fade(select(e, at, pulls), fade);
                    }
                }
{%- else %}
                if other_state != OPEN || e == at {
                    continue;
                }
                if beats(e, entries[e].rank, at, own.rank) {
                    if !blocked && touches(entries[e], own) {
                        blocked = true;
                    }
                } else if level > level_of_own && touches(own, entries[e]) {
                    atomicOr(&marks[e], BLOCKED);
                }
{%- endif %}
            }
        }
    }
{%- if not fades %}
    if blocked {
        atomicOr(&marks[at], BLOCKED);
    }
{%- endif %}
}
