// Purpose: workgroup counts of the sort by every field, none where no run of equal scores is long.
// Reads: live; long_run, u32 [1]. Writes: args, u32 [9]: groups over elements, over blocks, of one workgroup.
// Threads: one.
// Precision: u32.
// Source: none.
{% include "shared/live.wgsl" %}

@group(0) @binding(0) var<storage, read> live: Live;
@group(0) @binding(1) var<storage, read> long_run: array<u32>;
@group(0) @binding(2) var<storage, read_write> args: array<u32>;

@compute @workgroup_size(1)
fn main() {
    let needed = min(long_run[0], 1u);
    args[0] = needed * ((live.n + 255u) / 256u);
    args[1] = 1u;
    args[2] = 1u;
    args[3] = needed * live.blocks;
    args[4] = 1u;
    args[5] = 1u;
    args[6] = needed;
    args[7] = 1u;
    args[8] = 1u;
}
