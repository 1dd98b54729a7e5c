{{ enable }}
// Purpose: dense convolution of any window, with bias, activation and residual.
// Reads/writes: src [tiles, src_c4, src_h, src_w], dst [tiles, dst_c4, dst_h, dst_w]; weights
//   [dst_c4 / 2, kernel_h, kernel_w, src_c4, 4, 2] of vec4 over output channels; bias [dst_c4] padded to even.
// Threads: 4 pixels of a row x 8 output channels each; workgroup y = pair of output vec4s.
// Precision: storage {{ e4 }}, sums f32.
// Source: direct convolution; register tiling as in conv_pointwise.
{% include "shared/conv_io.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_quads = (p.dst_w + 3u) / 4u;
    let quads = row_quads * p.dst_h;
    let id = (group.z * groups.x + group.x) * {{ wg_x }}u + local;
    let tile = id / quads;
    if tile >= p.tiles {
        return;
    }
    let in_tile = id - tile * quads;
    let y = in_tile / row_quads;
    let x = (in_tile - y * row_quads) * 4u;
    let src_pixels = p.src_h * p.src_w;
    let src_tile = p.src_base + tile * p.src_tile;
    var w = group.y * p.kernel_h * p.kernel_w * p.src_c4 * 8u;
    let b0 = bias[group.y * 2u];
    let b1 = bias[group.y * 2u + 1u];
{%- for i in range(4) %}
    var a{{ i }}0 = b0;
    var a{{ i }}1 = b1;
{%- endfor %}
    for (var ky = 0u; ky < p.kernel_h; ky++) {
        let sy = y * p.stride_y + ky * p.dilation_y - p.pad_top;
        let row_inside = sy < p.src_h;
        let row = src_tile + select(0u, sy, row_inside) * p.src_w;
        for (var kx = 0u; kx < p.kernel_w; kx++) {
{%- for i in range(4) %}
            let sx{{ i }} = (x + {{ i }}u) * p.stride_x + kx * p.dilation_x - p.pad_left;
            let inside{{ i }} = row_inside && sx{{ i }} < p.src_w;
            var s{{ i }} = row + select(0u, sx{{ i }}, inside{{ i }});
            let m{{ i }} = select(0.0, 1.0, inside{{ i }});
{%- endfor %}
            for (var c = 0u; c < p.src_c4; c++) {
{%- for i in range(4) %}
                let x{{ i }} = vec4<f32>(src[s{{ i }}]) * m{{ i }};
                s{{ i }} += src_pixels;
{%- endfor %}
{%- for lane in ["x", "y", "z", "w"] %}
                {
                    let w0 = vec4<f32>(weights[w + {{ loop.index0 * 2 }}u]);
                    let w1 = vec4<f32>(weights[w + {{ loop.index0 * 2 + 1 }}u]);
{%- for i in range(4) %}
                    a{{ i }}0 += w0 * x{{ i }}.{{ lane }};
                    a{{ i }}1 += w1 * x{{ i }}.{{ lane }};
{%- endfor %}
                }
{%- endfor %}
                w += 8u;
            }
        }
    }
    let pixel = y * p.dst_w + x;
    let two = group.y * 2u + 1u < p.dst_c4;
{%- for i in range(4) %}
    if x + {{ i }}u < p.dst_w {
        store(tile, group.y * 2u, pixel + {{ i }}u, a{{ i }}0);
        if two {
            store(tile, group.y * 2u + 1u, pixel + {{ i }}u, a{{ i }}1);
        }
    }
{%- endfor %}
}
