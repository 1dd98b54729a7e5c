// Purpose: appends the flagged candidates of a chunk to the picture's list, in slot order.
// Reads/writes: flags [slots]; offsets, scanned counts [blocks + 1]; found [slots]; header (read); candidates
//   [capacity].
// Threads: one slot each; one workgroup per block.
// Precision: copies.
// Source: Blelloch, "Prefix sums and their applications" (1990), section 1.
{% include "shared/header.wgsl" %}
{% include "shared/candidate.wgsl" %}

struct Params {
    slots: u32,
    blocks: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> flags: array<u32>;
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read> found: array<Candidate>;
@group(0) @binding(4) var<storage, read> header: Header;
@group(0) @binding(5) var<storage, read_write> candidates: array<Candidate>;

var<workgroup> sums: array<u32, {{ wg_x }}>;

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = group.y * groups.x + group.x;
    let slot = block * {{ wg_x }}u + local;
    var flag = 0u;
    if slot < p.slots {
        flag = flags[slot];
    }
    sums[local] = flag;
    workgroupBarrier();
    for (var step = 1u; step < {{ wg_x }}u; step <<= 1u) {
        var before = 0u;
        if local >= step {
            before = sums[local - step];
        }
        workgroupBarrier();
        sums[local] += before;
        workgroupBarrier();
    }
    if flag == 1u && header.candidates < header.capacity {
        let at = header.candidates + offsets[block] + sums[local] - 1u;
        if at < header.capacity {
            candidates[at] = found[slot];
        }
    }
}
