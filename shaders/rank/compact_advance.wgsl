// Purpose: adds a chunk's candidates to the counters, past the capacity as well.
// Reads/writes: offsets, scanned counts with the total at [blocks]; header.
// Threads: one.
// Precision: u32.
// Source: none.
{% include "shared/header.wgsl" %}

struct Params {
    slots: u32,
    blocks: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read_write> header: Header;

@compute @workgroup_size(1)
fn main() {
    // Saturates: a wrapped count would look as if everything had fitted.
    header.candidates += min(offsets[p.blocks], 0xffffffffu - header.candidates);
    header.chunks += 1u;
    header.kept_candidates = min(header.candidates, header.capacity);
}
