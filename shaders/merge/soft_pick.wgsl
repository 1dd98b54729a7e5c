// Purpose: decides the open boxes that nothing blocks.
// Reads: tally; active [len]. Reads/writes: state, marks, u32 [n].
// Threads: one per active box.
// Precision: u32.
// Source: none.
{% set word = "u32" %}
{% include "shared/tally.wgsl" %}
{% include "shared/entry.wgsl" %}

@group(0) @binding(0) var<storage, read> tally: Tally;
@group(0) @binding(1) var<storage, read> active_boxes: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;
@group(0) @binding(3) var<storage, read_write> marks: array<u32>;

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= tally.len {
        return;
    }
    let at = active_boxes[id.x];
    if state[at] == OPEN && (marks[at] & BLOCKED) == 0u {
        state[at] = PICKED;
    }
    marks[at] &= ~BLOCKED;
}
