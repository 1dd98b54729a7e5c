// Exclusive prefix sum of values[0..len] in place by one workgroup; the total goes to values[len].
// Each invocation owns a run of ceil(len / {{ wg_x }}) neighbours.
var<workgroup> sums: array<u32, {{ wg_x }}>;

fn workgroup_scan(len: u32, local: u32) {
    let run = (len + {{ wg_x - 1 }}u) / {{ wg_x }}u;
    let first = min(local * run, len);
    let last = min(first + run, len);
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
        values[len] = sums[local];
    }
}
