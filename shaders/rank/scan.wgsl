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

var<workgroup> sums: array<u32, {{ wg_x }}>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(local_invocation_index) local: u32) {
    let run = (p.len + {{ wg_x - 1 }}u) / {{ wg_x }}u;
    let first = min(local * run, p.len);
    let last = min(first + run, p.len);
    var sum = 0u;
    for (var i = first; i < last; i++) {
        sum += values[i];
    }
    sums[local] = sum;
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
    var offset = sums[local] - sum;
    for (var i = first; i < last; i++) {
        let value = values[i];
        values[i] = offset;
        offset += value;
    }
    if local == {{ wg_x - 1 }}u {
        values[p.len] = sums[local];
    }
}
