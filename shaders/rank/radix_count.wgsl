// Purpose: how often each 4-bit digit occurs in each block of 1024 keys.
// Reads: live; keys, u32 [n]. Writes: counts, u32 [16][blocks].
// Threads: one workgroup per block, four keys per invocation.
// Precision: u32.
// Source: Merrill & Grimshaw, "High performance and scalable radix sorting" (2011), reduce-then-scan.
{% include "shared/live.wgsl" %}

struct Params {
    shift: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;

var<workgroup> digits: array<atomic<u32>, 16>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if local < 16u {
        atomicStore(&digits[local], 0u);
    }
    workgroupBarrier();
    let first = workgroup.x * 1024u + local;
{%- for j in range(4) %}
    if first + {{ j * 256 }}u < live.n {
        atomicAdd(&digits[(keys[first + {{ j * 256 }}u] >> p.shift) & 15u], 1u);
    }
{%- endfor %}
    workgroupBarrier();
    if local < 16u {
        counts[local * live.blocks + workgroup.x] = atomicLoad(&digits[local]);
    }
}
