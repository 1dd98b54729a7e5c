// Purpose: exclusive prefix sum of values[0..len] in place; the total goes to values[len].
// Reads/writes: values, u32 [len + 1].
// Threads: one workgroup; each invocation owns a run of ceil(len / {{ wg_x }}) neighbours.
// Precision: u32.
// Source: Blelloch, "Prefix sums and their applications" (1990), section 1.
struct Params {
    len: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> values: array<u32>;

{% include "shared/workgroup_scan.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(local_invocation_index) local: u32) {
    workgroup_scan(p.len, local);
}
