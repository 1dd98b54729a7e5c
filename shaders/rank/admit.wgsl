// Purpose: which rows of somebody's buffer of boxes a merge can use; counts the others.
// Reads: boxes [rows]; count. Writes: flags, u32 [rows]. Reads/writes: header.
// Threads: one per row.
// Precision: exact, by bits.
// Source: none.
{% include "shared/candidate.wgsl" %}
{% include "shared/finite.wgsl" %}
{% include "shared/linear_id.wgsl" %}
{% include "shared/ordered.wgsl" %}

struct Params {
    rows: u32,
    counted: u32,     // 1: only as many rows as count says
    count_word: u32,
    weighs: u32,      // 1: scores must lie in 0 to 1
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> boxes: array<Candidate>;
@group(0) @binding(2) var<storage, read> count: array<u32>;
@group(0) @binding(3) var<storage, read_write> flags: array<u32>;
@group(0) @binding(4) var<storage, read_write> header: array<atomic<u32>>;

const HEADER_NOT_FINITE: u32 = 6u;
const HEADER_EMPTY: u32 = 7u;

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_id(group, groups, local, {{ wg_x }}u);
    if row >= p.rows {
        return;
    }
    flags[row] = 0u;
    if p.counted == 1u && row >= count[p.count_word] {
        return;
    }
    let rect = boxes[row].rect;
    let score = boxes[row].score;
    let far = any(abs(rect) > vec4<f32>(1e18));
    let unusable = p.weighs == 1u && (score > 1.0 || ordered(score) < ordered(0.0));
    if !all_finite(rect) || !all_finite(vec4<f32>(score)) || far || unusable {
        atomicAdd(&header[HEADER_NOT_FINITE], 1u);
    } else if ordered(rect.z) < ordered(rect.x) || ordered(rect.w) < ordered(rect.y) {
        atomicAdd(&header[HEADER_EMPTY], 1u);
    } else {
        flags[row] = 1u;
    }
}
