{{ enable }}
// Purpose: rearranged channels: concatenation, split, shuffle and space-to-depth.
// Reads/writes: src0..src{{ sources - 1 }} [tiles, c4, src_h, src_w], dst [tiles, dst_c4, dst_h, dst_w]; table, one
//   vec4<u32> per output channel: source | lane << 2 | dy << 8 | dx << 16, first vec4, vec4s per tile, 1 if used.
// Threads: 1 pixel x 4 channels each; workgroup y = channel group.
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

fn load(entry: vec4<u32>, tile: u32, y: u32, x: u32) -> {{ e4 }} {
    let dy = (entry.x >> 8u) & 255u;
    let dx = entry.x >> 16u;
    let index = entry.y + tile * entry.z + (y * p.stride_y + dy) * p.src_w + x * p.stride_x + dx;
{%- if sources == 1 %}
    return src0[index];
{%- else %}
    var value = {{ e4 }}();
    switch entry.x & 3u {
{%- for s in range(1, sources) %}
        case {{ s }}u: {
            value = src{{ s }}[index];
        }
{%- endfor %}
        default: {
            value = src0[index];
        }
    }
    return value;
{%- endif %}
}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let pixels = p.dst_h * p.dst_w;
    let id = (group.z * groups.x + group.x) * {{ wg_x }}u + local;
    let tile = id / pixels;
    if tile >= p.tiles {
        return;
    }
    let pixel = id - tile * pixels;
    let y = pixel / p.dst_w;
    let x = pixel - y * p.dst_w;
    let e0 = table[group.y * 4u];
    let e1 = table[group.y * 4u + 1u];
    let e2 = table[group.y * 4u + 2u];
    let e3 = table[group.y * 4u + 3u];
    let index = p.dst_base + (tile * p.dst_c4 + group.y) * pixels + pixel;
    // All four lanes are one vec4 of one source.
    if e0.w == 2u {
        dst[index] = load(e0, tile, y, x);
        return;
    }
    var result = {{ e4 }}();
{%- for k in range(4) %}
    if e{{ k }}.w == 1u {
        result[{{ k }}] = load(e{{ k }}, tile, y, x)[(e{{ k }}.x >> 2u) & 3u];
    }
{%- endfor %}
    dst[index] = result;
}
