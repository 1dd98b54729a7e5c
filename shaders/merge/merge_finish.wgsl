// Purpose: writes the merge's part of the header and, last of all, its cookie.
// Reads: live; counts, u32 [blocks + 1], scanned; tally. Reads/writes: header.
// Threads: one.
// Precision: u32.
// Source: none.
{% set word = "u32" %}
{% include "shared/header.wgsl" %}
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/tally.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read> tally: Tally;
@group(0) @binding(4) var<storage, read_write> header: Header;

@compute @workgroup_size(1)
fn main() {
    header.vertex_count = 4u;
    header.boxes = min(counts[live.blocks], p.most);
    header.first_vertex = 0u;
    header.first_instance = 0u;
    header.undecided = tally.open;
    header.rounds = tally.rounds;
    header.cookie = {{ cookie }}u;
}
