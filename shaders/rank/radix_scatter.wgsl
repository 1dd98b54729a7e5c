// Purpose: one stable pass of a radix sort: moves each (key, value) to its place by a 4-bit digit.
// Reads: live; counts, u32 [16][blocks], scanned; keys_in, values_in, u32 [n]. Writes: keys_out, values_out, u32 [n].
// Threads: one workgroup per block of 1024, four neighbours per invocation; digit counts are packed in halves of
// u32 and scanned over the workgroup.
// Precision: u32.
// Source: Merrill & Grimshaw, "High performance and scalable radix sorting" (2011), reduce-then-scan.
{% include "shared/live.wgsl" %}

struct Params {
    shift: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> live: Live;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read> keys_in: array<u32>;
@group(0) @binding(4) var<storage, read> values_in: array<u32>;
@group(0) @binding(5) var<storage, read_write> keys_out: array<u32>;
@group(0) @binding(6) var<storage, read_write> values_out: array<u32>;

// Digit counts as [word][invocation], two digits a word; summed in segments of 16.
var<workgroup> halves: array<u32, {{ 8 * wg_x }}>;
var<workgroup> segments: array<u32, {{ 8 * wg_x // 16 }}>;

fn place(block: u32, local: u32, digit: u32) -> u32 {
    var before = 0u;
    if local > 0u {
        let slot = (digit >> 1u) * {{ wg_x }}u + local - 1u;
        before = ((halves[slot] + segments[slot >> 4u]) >> ((digit & 1u) * 16u)) & 0xffffu;
    }
    return counts[digit * live.blocks + block] + before;
}

@compute @workgroup_size({{ wg_x }})
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let block = workgroup.x;
    let first = block * 1024u + local * 4u;
{%- for w in range(8) %}
    halves[{{ w * wg_x }}u + local] = 0u;
{%- endfor %}
{%- for j in range(4) %}
    var key{{ j }} = 0u;
    var digit{{ j }} = 16u;
    if first + {{ j }}u < live.n {
        key{{ j }} = keys_in[first + {{ j }}u];
        digit{{ j }} = (key{{ j }} >> p.shift) & 15u;
        halves[(digit{{ j }} >> 1u) * {{ wg_x }}u + local] += 1u << ((digit{{ j }} & 1u) * 16u);
    }
{%- endfor %}
    workgroupBarrier();
    if local < {{ 8 * wg_x // 16 }}u {
        var sum = 0u;
        for (var slot = local * 16u; slot < local * 16u + 16u; slot++) {
            sum += halves[slot];
            halves[slot] = sum;
        }
        segments[local] = sum;
    }
    workgroupBarrier();
    if local < 8u {
        var sum = 0u;
        for (var segment = local * {{ wg_x // 16 }}u; segment < (local + 1u) * {{ wg_x // 16 }}u; segment++) {
            let own = segments[segment];
            segments[segment] = sum;
            sum += own;
        }
    }
    workgroupBarrier();
{%- for j in range(4) %}
    if digit{{ j }} < 16u {
        var at = place(block, local, digit{{ j }});
{%- for i in range(j) %}
        at += u32(digit{{ i }} == digit{{ j }});
{%- endfor %}
        keys_out[at] = key{{ j }};
        values_out[at] = values_in[first + {{ j }}u];
    }
{%- endfor %}
}
