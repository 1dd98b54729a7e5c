// Purpose: the live sizes of a picture's list and the workgroup counts of the dispatches over it.
// Reads: header. Writes: live; long_run, u32 [1], cleared; args, u32 [6]: groups over elements, groups over blocks.
// Threads: one.
// Precision: u32.
// Source: none.
{% include "shared/header.wgsl" %}
{% include "shared/live.wgsl" %}

struct Params {
    capacity: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> header: Header;
@group(0) @binding(2) var<storage, read_write> live: Live;
@group(0) @binding(3) var<storage, read_write> long_run: array<u32>;
@group(0) @binding(4) var<storage, read_write> args: array<u32>;

@compute @workgroup_size(1)
fn main() {
    let n = min(header.kept_candidates, p.capacity);
    let blocks = (n + 1023u) / 1024u;
    live = Live(n, blocks, 16u * blocks, 0u);
    long_run[0] = 0u;
    args[0] = (n + 255u) / 256u;
    args[1] = 1u;
    args[2] = 1u;
    args[3] = blocks;
    args[4] = 1u;
    args[5] = 1u;
}
