// Purpose: counts the flags of each block of {{ wg_x }} slots.
// Reads/writes: flags, u32 0 or 1 [slots]; counts [blocks + 1].
// Threads: one slot each; one workgroup per block.
// Precision: u32.
// Source: Blelloch, "Prefix sums and their applications" (1990), section 1.
struct Params {
    slots: u32,
    blocks: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> flags: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

var<workgroup> sum: atomic<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
{%- if subgroups %}
    @builtin(subgroup_invocation_id) lane: u32,
{%- endif %}
) {
    let block = group.y * groups.x + group.x;
    let slot = block * {{ wg_x }}u + local;
    if local == 0u {
        atomicStore(&sum, 0u);
    }
    workgroupBarrier();
    var flag = 0u;
    if slot < p.slots {
        flag = flags[slot];
    }
{%- if subgroups %}
    // Only a sum may use subgroups: which slots make one up is not specified.
    let part = subgroupAdd(flag);
    if lane == 0u {
        atomicAdd(&sum, part);
    }
{%- else %}
    if flag == 1u {
        atomicAdd(&sum, 1u);
    }
{%- endif %}
    workgroupBarrier();
    if local == 0u && block < p.blocks {
        counts[block] = atomicLoad(&sum);
    }
}
