// Purpose: exclusive prefix sum of a list whose length is known only on the GPU.
// Reads: lengths, u32 [..], of which word p.word is the length. Reads/writes: values, u32 [length + 1].
// Threads: one workgroup; each invocation owns a run of ceil(length / {{ wg_x }}) neighbours.
// Precision: u32.
// Source: Blelloch, "Prefix sums and their applications" (1990), section 1.
struct Params {
    word: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<u32>;

{% include "shared/workgroup_scan.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(local_invocation_index) local: u32) {
    workgroup_scan(min(lengths[p.word], arrayLength(&values) - 1u), local);
}
