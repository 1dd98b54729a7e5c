// Purpose: orders the candidates inside each run of equal scores by class (where classes are kept apart), x0, y0,
// x1, y1 and index; reports a run longer than {{ run_limit }} instead.
// Reads: live; candidates [n]; keys, order_in, u32 [n], sorted by score. Writes: order, u32 [n]; long_run, u32 [1].
// Threads: one per element; each finds its run and counts those before it, at most 4 * {{ run_limit }} iterations.
// Precision: exact: compares float bits.
// Source: order of SAHI 0.12.6's numpy backend.
{% include "shared/candidate.wgsl" %}
{% include "shared/live.wgsl" %}
{% include "shared/ordered.wgsl" %}

struct Params {
    class_aware: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

const LIMIT: u32 = {{ run_limit }}u;

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> candidates: array<Candidate>;
@group(0) @binding(3) var<storage, read> keys: array<u32>;
@group(0) @binding(4) var<storage, read> order_in: array<u32>;
@group(0) @binding(5) var<storage, read_write> order: array<u32>;
@group(0) @binding(6) var<storage, read_write> long_run: array<atomic<u32>>;

fn class_of(index: u32) -> u32 {
    return select(0u, candidates[index].class_id, p.class_aware == 1u);
}

// Whether the box of candidate a sorts before (-1), with (0) or after (1) that of candidate b.
fn compare(a: u32, b: u32) -> i32 {
    let class_a = class_of(a);
    let class_b = class_of(b);
    if class_a != class_b {
        return select(1, -1, class_a < class_b);
    }
    let rect_a = candidates[a].rect;
    let rect_b = candidates[b].rect;
{%- for c in ["x", "y", "z", "w"] %}
    let {{ c }}_a = ordered(rect_a.{{ c }});
    let {{ c }}_b = ordered(rect_b.{{ c }});
    if {{ c }}_a != {{ c }}_b {
        return select(1, -1, {{ c }}_a < {{ c }}_b);
    }
{%- endfor %}
    return 0;
}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= live.n {
        return;
    }
    let key = keys[i];
    var first = i;
    while first > 0u && i - first <= LIMIT {
        if keys[first - 1u] != key {
            break;
        }
        first--;
    }
    var last = i + 1u;
    while last < live.n && last - i <= LIMIT {
        if keys[last] != key {
            break;
        }
        last++;
    }
    if last - first > LIMIT {
        atomicOr(&long_run[0], 1u);
        return;
    }
    let index = order_in[i];
    var place = first;
    for (var j = first; j < last; j++) {
        if j != i {
            let ordering = compare(order_in[j], index);
            place += u32(ordering < 0 || (ordering == 0 && j < i));
        }
    }
    order[place] = index;
}
