// Purpose: makes one box of each group, {{ limit }} members a slice:
{%- if mean %} the mean of its boxes, weighted by score.
{%- else %} the kept box grows to the union with each member that still
// matches, in the order of the list; the class follows a member that matches and is not below the kept box in score.
{%- endif %}
// Reads: live; keepers and ranks, u32 [n], sorted by keeper; places, positions, u32 [n]; entries [n]. Reads/writes:
// boxes [kept]
{%- if mean %}, which hold the sums of a group that goes on
{%- endif %}; folding, u32, 1 if a group goes on.
// Threads: one per member; the first of each group folds it.
// Precision: {% if mean %}f32, each operation rounded once; the division in integers.
{%- else %}exact, see overlap.wgsl.
{%- endif %}
// Source: {% if mean %}Solovyev et al., "Weighted boxes fusion" (2021), section 3, over greedy groups.
{%- else %}SAHI 0.12.6, _apply_merge.
{%- endif %}
{% include "shared/candidate.wgsl" %}
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/entry.wgsl" %}
{% include "shared/ordered.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> keepers: array<u32>;
@group(0) @binding(3) var<storage, read> ranks: array<u32>;
@group(0) @binding(4) var<storage, read> places: array<u32>;
@group(0) @binding(5) var<storage, read> entries: array<Entry>;
@group(0) @binding(6) var<storage, read> positions: array<u32>;
@group(0) @binding(7) var<storage, read_write> boxes: array<Candidate>;
@group(0) @binding(8) var<storage, read_write> folding: atomic<u32>;

{% include "shared/overlap.wgsl" %}
{%- if mean %}

{% include "shared/divide.wgsl" %}

// a / b rounded to nearest, for b > 0; 0 where a operand or the result is below 2^-126.
fn quotient(a: f32, b: f32) -> f32 {
    let a_bits = bitcast<u32>(a) & 0x7fffffffu;
    let b_bits = bitcast<u32>(b);
    if !is_normal(a_bits) || !is_normal(b_bits) {
        return 0.0;
    }
    let divided = divide_significands(significand(a_bits), significand(b_bits));
    var exponent = i32(a_bits >> 23u) - i32(b_bits >> 23u) + 127;
    var mantissa = divided.x >> 1u;
    var half_up = divided.x & 1u;
    var rest = divided.y;
    if divided.x < 0x1000000u {
        exponent -= 1;
        mantissa = divided.x;
        half_up = u32(2u * rest >= significand(b_bits));
        rest = 2u * rest - select(0u, significand(b_bits), half_up == 1u);
    }
    mantissa += half_up & (u32(rest != 0u) | mantissa);
    if exponent < 0 {
        return 0.0;
    }
    let bits = (u32(exponent) << 23u) + mantissa - 0x800000u;
    if !is_normal(bits) {
        return 0.0;
    }
    return bitcast<f32>(bits | (bitcast<u32>(a) & 0x80000000u));
}

fn rounded4(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(p.zero));
}
{%- endif %}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= live.n {
        return;
    }
    let keeper = keepers[i];
    let first = i + p.slice;
    if (i > 0u && keepers[max(i, 1u) - 1u] == keeper) || first >= live.n || keepers[first] != keeper {
        return;
    }
    let last = min(first + {{ limit }}u, live.n);
    let at = positions[places[keeper]];
    let own = entries[places[keeper]];
    var next = first;
{%- if mean %}
    var sums = vec4<f32>(0.0);
    var weight = own.score;
    if p.slice > 0u {
        sums = boxes[at].rect;
        weight = boxes[at].score;
    }
    for (; next < last && keepers[next] == keeper; next++) {
        if ranks[next] != keeper {
            let member = entries[places[ranks[next]]];
            sums = rounded4(sums + rounded4(member.score * rounded4(member.rect - own.rect)));
            weight = rounded(weight + member.score);
        }
    }
{%- else %}
    var rect = boxes[at].rect;
    var class_id = boxes[at].class_id;
    for (; next < last && keepers[next] == keeper; next++) {
        if ranks[next] != keeper {
            let member = entries[places[ranks[next]]];
            let area = rounded(rounded(rect.z - rect.x) * rounded(rect.w - rect.y));
            if overlaps(rect, area, member.rect, member.area) {
                let grown = ordered4(rect);
                let added = ordered4(member.rect);
                let before = added.xy < grown.xy;
                let outside = vec4<bool>(before, (added.zw > grown.zw));
                rect = select(rect, member.rect, outside);
                class_id = select(member.class_id, class_id, ordered(own.score) > ordered(member.score));
            }
        }
    }
{%- endif %}
    let goes_on = next < live.n && keepers[min(next, live.n - 1u)] == keeper;
    if goes_on {
        atomicStore(&folding, 1u);
    }
{%- if mean %}
    if goes_on {
        boxes[at].rect = sums;
        boxes[at].score = weight;
    } else {
        var rect = own.rect;
{%- for c in range(4) %}
        let shift_{{ c }} = quotient(sums[{{ c }}], weight);
        rect[{{ c }}] = select(own.rect[{{ c }}] + shift_{{ c }}, own.rect[{{ c }}], shift_{{ c }} == 0.0);
{%- endfor %}
        boxes[at].rect = rect;
        boxes[at].score = own.score;
    }
{%- else %}
    boxes[at].rect = rect;
    boxes[at].class_id = class_id;
{%- endif %}
}
