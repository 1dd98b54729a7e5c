{{ enable }}
// Purpose: rearranged channels: concatenation, split, shuffle and space-to-depth.
// Reads/writes: src0..src{{ sources - 1 }} [tiles, c4, src_h, src_w], dst [tiles, dst_c4, dst_h, dst_w]; table, one
//   vec4<u32> per output channel: source | lane << 2 | dy << 8 | dx << 16, first vec4, vec4s from a tile to the next, 1 if used.
// Threads: 4 pixels of a row x 4 channels each; workgroup y = channel group.
// Precision: copies.
// Source: ONNX operators Concat, Split, Slice, SpaceToDepth; ShuffleNet (Zhang et al., 2018), figure 1.
{% include "shared/conv_params.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapParams;
@group(0) @binding(1) var<storage, read> table: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> src0: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read> src1: array<{{ e4 }}>;
@group(0) @binding(4) var<storage, read> src2: array<{{ e4 }}>;
@group(0) @binding(5) var<storage, read> src3: array<{{ e4 }}>;
@group(0) @binding(6) var<storage, read_write> dst: array<{{ e4 }}>;

// The first vec4 of an entry in a tile.
fn first_of(entry: vec4<u32>, tile: u32, y: u32) -> u32 {
    return entry.y + tile * entry.z + (y * p.stride_y + ((entry.x >> 8u) & 255u)) * p.src_w + (entry.x >> 16u);
}
{%- for all in [true, false] %}
{%- set type = e4 if all else e1 %}

fn load{{ 4 if all else 1 }}(entry: vec4<u32>, index: u32) -> {{ type }} {
{%- if not all %}
    let lane = (entry.x >> 2u) & 3u;
{%- endif %}
{%- set at = "[index]" if all else "[index][lane]" %}
{%- if sources == 1 %}
    return src0{{ at }};
{%- else %}
    var value = {{ type }}();
    switch entry.x & 3u {
{%- for s in range(1, sources) %}
        case {{ s }}u: {
            value = src{{ s }}{{ at }};
        }
{%- endfor %}
        default: {
            value = src0{{ at }};
        }
    }
    return value;
{%- endif %}
}
{%- endfor %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_blocks = (p.dst_w + 3u) / 4u;
    let blocks = row_blocks * p.dst_h;
    let id = (group.z * groups.x + group.x) * {{ wg_x }}u + local;
    let tile = id / blocks;
    if tile >= p.tiles {
        return;
    }
    let in_tile = id - tile * blocks;
    let y = in_tile / row_blocks;
    let x = (in_tile - y * row_blocks) * 4u;
    let last = p.dst_w - 1u - x;
    let d = p.dst_base + tile * p.dst_tile + (group.y * p.dst_h + y) * p.dst_w + x;
    let e0 = table[group.y * 4u];
    let f0 = first_of(e0, tile, y) + x * p.stride_x;
    // All four lanes are one vec4 of one source.
    if e0.w == 2u {
{%- for i in range(4) %}
        if {{ i }}u <= last {
            dst[d + {{ i }}u] = load4(e0, f0 + {{ i }}u * p.stride_x);
        }
{%- endfor %}
        return;
    }
{%- for i in range(4) %}
    let o{{ i }} = min({{ i }}u, last) * p.stride_x;
    var r{{ i }} = {{ e4 }}();
{%- endfor %}
{%- for k in range(4) %}
{%- if k %}
    let e{{ k }} = table[group.y * 4u + {{ k }}u];
    let f{{ k }} = first_of(e{{ k }}, tile, y) + x * p.stride_x;
{%- endif %}
    if e{{ k }}.w == 1u {
{%- for i in range(4) %}
        r{{ i }}[{{ k }}] = load1(e{{ k }}, f{{ k }} + o{{ i }});
{%- endfor %}
    }
{%- endfor %}
{%- for i in range(4) %}
    if {{ i }}u <= last {
        dst[d + {{ i }}u] = r{{ i }};
    }
{%- endfor %}
}
