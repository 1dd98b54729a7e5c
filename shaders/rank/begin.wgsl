// Purpose: resets the counters of a picture.
// Reads/writes: header.
// Threads: one.
// Precision: u32.
// Source: none.
{% include "shared/header.wgsl" %}

struct Params {
    capacity: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> header: Header;

@compute @workgroup_size(1)
fn main() {
    header = Header(4u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, p.capacity, 0u, 0u, 0u, 0u);
}
