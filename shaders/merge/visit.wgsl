// Purpose: what each active box finds in a round.
{%- if up %}
// Among boxes of larger levels: a better one that is kept suppresses it, one that is open blocks it; a worse open
// one is suppressed if this box is kept, blocked if it is open. A box kept before has done so and left the list.
{%- else %}
// Among boxes of its own level: a better one that is kept suppresses it, one that is open blocks it.
{%- endif %}
// Reads: tally; active [len], entry of each active box; entries [n]; table, vec2<u32> [buckets]; state, u32 [n]
{%- if up %}; pulled,
// u32 [n]. Reads/writes: pushed, u32 [n].
{%- else %}.
// Reads/writes: pulled, u32 [n].
{%- endif %}
// Threads: (active box, slice): slice k of K takes the entries congruent to k in each bucket. Buckets hold the best
// rank first. Marks are bits set by atomicOr, so the order of invocations does not matter.
// Precision: exact, see overlap.wgsl.
// Source: the greedy rule as a fixed point: Blelloch et al., "Greedy sequential maximal independent set and matching
// are parallel on average" (2012).
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
{%- if up %}
@group(0) @binding(6) var<storage, read> pulled: array<u32>;
@group(0) @binding(7) var<storage, read_write> pushed: array<atomic<u32>>;
{%- else %}
@group(0) @binding(6) var<storage, read_write> pulled: array<atomic<u32>>;
{%- endif %}

{% include "shared/overlap.wgsl" %}

// The cell number c of the 3 x 3 around `cell`.
fn bucket_near(level: u32, cell: vec2<i32>, c: u32, class_id: u32) -> vec2<u32> {
    let offset = vec2<i32>(i32(c % 3u), i32(c / 3u)) - vec2<i32>(1);
    return table[bucket_of(level, select(cell + offset, cell, level == LAST_LEVEL), class_id, tally.mask)];
}

fn matches(a: Entry, b: Entry) -> bool {
    return a.class_id == b.class_id && overlaps(a.rect, a.area, b.rect, b.area);
}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    if id.x >= tally.len {
        return;
    }
    let at = active_boxes[id.x];
    let own_state = state[at];
    let own = entries[at];
    var blocked = false;
{%- if up %}
    if (pulled[at] & SUPPRESSED) != 0u {
        return;
    }
    var levels = select(0u, tally.levels & (0xfffffffeu << own.level), own.level < LAST_LEVEL);
    if own.level + p.span < LAST_LEVEL {
        levels &= (2u << (own.level + p.span)) - 1u;
    }
    while levels != 0u {
        let level = firstTrailingBit(levels);
        levels &= levels - 1u;
        let cell = cell_of(own.rect, level);
        let cells = select(9u, 1u, level == LAST_LEVEL);
        for (var c = 0u; c < cells; c++) {
            let range = bucket_near(level, cell, c, own.class_id);
            for (var e = range.x + id.y; e < range.y; e += groups.y) {
                let other_state = state[e];
                if other_state == SUPPRESSED {
                    continue;
                }
                if entries[e].rank < own.rank {
                    if own_state == OPEN && !(blocked && other_state == OPEN) && matches(entries[e], own) {
                        if other_state == KEPT {
                            atomicOr(&pushed[at], SUPPRESSED);
                            return;
                        }
                        blocked = true;
                    }
                } else if other_state == OPEN && entries[e].rank != own.rank && matches(entries[e], own) {
                    atomicOr(&pushed[e], select(BLOCKED, SUPPRESSED, own_state == KEPT));
                }
            }
        }
    }
    if blocked {
        atomicOr(&pushed[at], BLOCKED);
    }
{%- else %}
    if own_state != OPEN {
        return;
    }
    // Nothing is kept in the first round, so being blocked is all there is to find.
    let enough = select(SUPPRESSED, BLOCKED, tally.rounds == 0u);
    let cell = cell_of(own.rect, own.level);
    let cells = select(9u, 1u, own.level == LAST_LEVEL);
    for (var c = 0u; c < cells; c++) {
        let range = bucket_near(own.level, cell, c, own.class_id);
        for (var e = range.x + id.y; e < range.y; e += groups.y) {
            if entries[e].rank >= own.rank {
                break;
            }
            if groups.y > 1u && (atomicLoad(&pulled[at]) & enough) != 0u {
                return;
            }
            let other_state = state[e];
            if other_state == SUPPRESSED || (other_state == OPEN && blocked) || !matches(entries[e], own) {
                continue;
            }
            if other_state == KEPT {
                atomicOr(&pulled[at], SUPPRESSED);
                return;
            }
            blocked = true;
            if enough == BLOCKED {
                atomicOr(&pulled[at], BLOCKED);
                return;
            }
        }
    }
    if blocked {
        atomicOr(&pulled[at], BLOCKED);
    }
{%- endif %}
}
