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
// Reads/writes: pulled; blockers, u32 [n], an open better box that matches, or the box itself; waiters, u32 [n].
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
@group(0) @binding(7) var<storage, read_write> blockers: array<u32>;
@group(0) @binding(8) var<storage, read_write> waiters: array<atomic<u32>>;
{%- endif %}

{% include "shared/overlap.wgsl" %}

{% include "shared/cells.wgsl" %}

// What the better box of entry e does to `own`, if that is not known.
fn effect(own: Entry, e: u32, known: u32) -> u32 {
    let other_state = state[e];
    let found = select(BLOCKED, SUPPRESSED, other_state == KEPT);
    if other_state == SUPPRESSED || (found & known) != 0u || !matches(entries[e], own) {
        return 0u;
    }
    return found;
}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    if id.x >= tally.len {
        return;
    }
    let at = active_boxes[id.x];
    let own_state = state[at];
    let own = entries[at];
    let level_of_own = grid_level(own.rect);
    var found = 0u;
{%- if up %}
    if (pulled[at] & SUPPRESSED) != 0u {
        return;
    }
    var levels = levels_above(level_of_own);
    while levels != 0u {
        let level = firstTrailingBit(levels);
        levels &= levels - 1u;
        let cells = cells_near(own.rect, level);
        for (var c = 0u; c < cells.count; c++) {
            let range = bucket(cells, c, level, own.class_id);
            for (var e = range.x + id.y; e < range.y; e += groups.y) {
                if entries[e].rank < own.rank {
                    if own_state == OPEN {
                        found |= effect(own, e, found);
                    }
                    if (found & SUPPRESSED) != 0u {
                        atomicOr(&pushed[at], SUPPRESSED);
                        return;
                    }
                } else if state[e] == OPEN && entries[e].rank != own.rank && matches(entries[e], own) {
                    atomicOr(&pushed[e], select(BLOCKED, SUPPRESSED, own_state == KEPT));
                    found |= PUSHES;
                }
            }
        }
    }
    if found != 0u && own_state == OPEN {
        atomicOr(&pushed[at], found);
    }
{%- else %}
    if own_state != OPEN {
        return;
    }
    let alone = groups.y == 1u;
    // What blocked it in the last round and is still open blocks it: no need to look.
    if alone && tally.rounds > 0u {
        let blocker = blockers[at];
        if blocker != at && state[blocker] == OPEN {
            atomicOr(&pulled[at], BLOCKED);
            return;
        }
    }
    var blocker = at;
    // Nothing is kept in the first round, so being blocked is all there is to find.
    let enough = select(SUPPRESSED, BLOCKED, tally.rounds == 0u);
    let cells = cells_near(own.rect, level_of_own);
    for (var c = 0u; c < cells.count; c++) {
        let range = bucket(cells, c, level_of_own, own.class_id);
        // In crowds every slice looks at the best boxes first: they are the likeliest to be kept.
        let head = select(range.x, min(range.x + 16u, range.y), groups.y > 1u);
        for (var e = range.x; e < head && entries[e].rank < own.rank && (found & enough) == 0u; e++) {
            found |= effect(own, e, found);
        }
        for (var e = head + id.y; e < range.y; e += groups.y) {
            if entries[e].rank >= own.rank || (found & enough) != 0u {
                break;
            }
            if groups.y > 1u && (atomicLoad(&pulled[at]) & enough) != 0u {
                return;
            }
            let effects = effect(own, e, found);
            blocker = select(blocker, e, effects == BLOCKED);
            found |= effects;
        }
        if (found & enough) != 0u {
            break;
        }
    }
    if found != 0u {
        atomicOr(&pulled[at], found);
    }
    if alone {
        blockers[at] = blocker;
        if found == BLOCKED {
            atomicMax(&waiters[blocker], at + 1u);
        }
    }
{%- endif %}
}
