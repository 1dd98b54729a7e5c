// Purpose: resets the counters of a merge and sizes its bucket table.
// Reads: live. Writes: tally.
// Threads: one.
// Precision: u32.
// Source: none.
{% set word = "u32" %}
{% include "shared/live.wgsl" %}
{% include "shared/match_params.wgsl" %}
{% include "shared/tally.wgsl" %}
{% include "shared/bucket.wgsl" %}

@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read_write> tally: Tally;

@compute @workgroup_size(1)
fn main() {
    tally = Tally(0u, 0u, 0u, 0u, live.n, live.n, 0u, bucket_mask(live.n), 0u);
}
