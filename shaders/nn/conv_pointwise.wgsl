{{ enable }}
// Purpose: 1x1 convolution, stride 1, with bias, activation and residual.
// Reads/writes: src [tiles, src_c4, h, w], dst [tiles, dst_c4, h, w]; weights [dst_c4 / 2, src_c4, 4, 2] of vec4
//   over output channels; bias [dst_c4] padded to even.
// Threads: 4 neighbouring pixels x 8 output channels each; workgroup y = pair of output vec4s.
// Precision: storage {{ e4 }}, sums f32.
// Source: register tiling as in "Anatomy of High-Performance Matrix Multiplication" (Goto, 2008).
{% include "shared/conv_io.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let pixels = p.dst_h * p.dst_w;
    let quads = (pixels + 3u) / 4u;
    let id = (group.z * groups.x + group.x) * {{ wg_x }}u + local;
    let tile = id / quads;
    if tile >= p.tiles {
        return;
    }
    let pixel = (id - tile * quads) * 4u;
    let last = pixels - 1u - pixel;
    var s = p.src_base + tile * p.src_c4 * pixels + pixel;
    var w = group.y * p.src_c4 * 8u;
{%- for o in range(2) %}
    let b{{ o }} = bias[group.y * 2u + {{ o }}u];
{%- endfor %}
{%- for i in range(4) %}
    var a{{ i }}0 = b0;
    var a{{ i }}1 = b1;
{%- endfor %}
    let o1 = min(1u, last);
    let o2 = min(2u, last);
    let o3 = min(3u, last);
    for (var c = 0u; c < p.src_c4; c++) {
        let x0 = vec4<f32>(src[s]);
        let x1 = vec4<f32>(src[s + o1]);
        let x2 = vec4<f32>(src[s + o2]);
        let x3 = vec4<f32>(src[s + o3]);
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
        s += pixels;
        w += 8u;
    }
    let d = (tile * p.dst_c4 + group.y * 2u) * pixels + pixel;
    let two = group.y * 2u + 1u < p.dst_c4;
{%- for i in range(4) %}
    if {{ i }}u <= last {
        store(d + {{ i }}u, group.y * 2u, a{{ i }}0);
        if two {
            store(d + pixels + {{ i }}u, group.y * 2u + 1u, a{{ i }}1);
        }
    }
{%- endfor %}
}
