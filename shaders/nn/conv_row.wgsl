{{ enable }}
// Purpose: dense convolution with a window {{ kernel }} wide, stride {{ stride }} along the row and any height, with bias, activation
//   and residual.
// Reads/writes: src [tiles, src_c4, src_h, src_w], dst [tiles, dst_c4, dst_h, dst_w]; weights
//   [dst_c4 / 2, kernel_h, {{ kernel }}, src_c4, 4, 2] of vec4 over output channels; bias [dst_c4] padded to even.
// Threads: {{ pixels }} pixels of a row x {{ outputs * 4 }} output channels each, inputs of a row loaded once for all taps;
//   workgroup y = {{ outputs }} vec4s of outputs.
{%- if subgroup %}
//   Each invocation of a subgroup of {{ subgroup }} loads some of the weights and hands them round.
{%- endif %}
// Precision: storage {{ e4 }}, sums f32 in the order of window rows, input channels, window columns.
// Source: direct convolution, register tiling as in conv_pointwise.
{% include "shared/conv_io.wgsl" %}
{%- set span = (pixels - 1) * stride + kernel %}
{%- set elements = 4 * kernel * outputs %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
{%- if subgroup %}
    @builtin(subgroup_invocation_id) lane: u32,
{%- endif %}
) {
    let row_blocks = (p.dst_w + {{ pixels - 1 }}u) / {{ pixels }}u;
    let blocks = row_blocks * p.dst_h;
    let id = (group.z * groups.x + group.x) * {{ wg_x }}u + local;
    let is_live = id < p.tiles * blocks;
    // Invocations beyond the end repeat the first one's work: all of a subgroup must be there.
    let block = select(0u, id, is_live);
    let tile = block / blocks;
    let in_tile = block - tile * blocks;
    let y = in_tile / row_blocks;
    let x = (in_tile - y * row_blocks) * {{ pixels }}u;
    let src_area = p.src_h * p.src_w;
    let src_tile = p.src_base + tile * p.src_tile;
{%- for j in range(span) %}
    let sx{{ j }} = x * {{ stride }}u + {{ j }}u - p.pad_left;
    let m{{ j }} = sx{{ j }} < p.src_w;
    let o{{ j }} = select(0u, sx{{ j }}, m{{ j }});
{%- endfor %}
    let first = group.y * {{ outputs }}u;
    let last_pair = (p.dst_c4 - 1u) / 2u;
    let per_tap = p.src_c4 * 8u;
    let per_row = per_tap * {{ kernel }}u;
    let per_pair = per_row * p.kernel_h;
{%- if subgroup %}
{%- for k in range((elements + subgroup - 1) // subgroup) %}
    let e{{ k }} = min({{ k * subgroup }}u + lane, {{ elements - 1 }}u);
    let f{{ k }} = first + e{{ k }} % {{ outputs }}u;
    let t{{ k }} = e{{ k }} / {{ outputs }}u;
    let g{{ k }} = min(f{{ k }} / 2u, last_pair) * per_pair + t{{ k }} / 4u * per_tap + t{{ k }} % 4u * 2u + f{{ k }} % 2u;
{%- endfor %}
{%- else %}
{%- for q in range(outputs // 2) %}
    let g{{ q }} = min(first / 2u + {{ q }}u, last_pair) * per_pair;
{%- endfor %}
{%- endif %}
{%- for o in range(outputs) %}
    let b{{ o }} = bias[min(first + {{ o }}u, last_pair * 2u + 1u)];
{%- for i in range(pixels) %}
    var a{{ i }}_{{ o }} = b{{ o }};
{%- endfor %}
{%- endfor %}
    for (var ky = 0u; ky < p.kernel_h; ky++) {
        let sy = y * p.stride_y + ky * p.dilation_y - p.pad_top;
        let is_row = sy < p.src_h;
        var s = src_tile + select(0u, sy, is_row) * p.src_w;
        var w = ky * per_row;
        for (var c = 0u; c < p.src_c4; c++) {
{%- for j in range(span) %}
            let x{{ j }} = select(vec4<f32>(0.0), vec4<f32>(src[s + o{{ j }}]), is_row && m{{ j }});
{%- endfor %}
{%- if subgroup %}
{%- for k in range((elements + subgroup - 1) // subgroup) %}
            let v{{ k }} = vec4<f32>(weights[w + g{{ k }}]);
{%- endfor %}
{%- endif %}
{%- for kx in range(kernel) %}
{%- if not subgroup %}
{%- for q in range(outputs // 2) %}
            let w{{ kx }}_{{ q }} = w + g{{ q }} + {{ kx }}u * per_tap;
{%- endfor %}
{%- endif %}
{%- for lane in ["x", "y", "z", "w"] %}
{%- set row = loop.index0 %}
{%- for o in range(outputs) %}
            {
{%- if subgroup %}
{%- set e = (kx * 4 + row) * outputs + o %}
                let w = subgroupBroadcast(v{{ e // subgroup }}, {{ e % subgroup }}u);
{%- else %}
                let w = vec4<f32>(weights[w{{ kx }}_{{ o // 2 }} + {{ row * 2 + o % 2 }}u]);
{%- endif %}
{%- for i in range(pixels) %}
                a{{ i }}_{{ o }} += w * x{{ i * stride + kx }}.{{ lane }};
{%- endfor %}
            }
{%- endfor %}
{%- endfor %}
{%- endfor %}
            s += src_area;
            w += 8u;
        }
    }
    if !is_live {
        return;
    }
    let pixel = y * p.dst_w + x;
{%- for o in range(outputs) %}
    if first + {{ o }}u < p.dst_c4 {
{%- for i in range(pixels) %}
        if x + {{ i }}u < p.dst_w {
            store(tile, first + {{ o }}u, pixel + {{ i }}u, a{{ i }}_{{ o }});
        }
{%- endfor %}
    }
{%- endfor %}
}
