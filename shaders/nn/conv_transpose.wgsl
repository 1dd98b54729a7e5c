{{ enable }}
// Purpose: transposed convolution of any window and number of groups, with bias and activation.
// Reads/writes: src [tiles, src_c4, src_h, src_w], dst [tiles, dst_c4, dst_h, dst_w]; weights
//   [dst_c4, kernel_h, kernel_w, span, 4] of vec4 over output channels, where span vec4s of inputs, from the first of
//   their groups on, reach four outputs; bias [dst_c4].
// Threads: 4 pixels of a row, stride apart so that the same taps meet them, x 4 channels each; workgroup y = output vec4.
// Precision: storage {{ e4 }}, sums f32.
// Source: ONNX operator ConvTranspose, as a gather.
{% include "shared/conv_io.wgsl" %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let span_x = 4u * p.stride_x;
    let row_quads = (p.dst_w + span_x - 1u) / span_x * p.stride_x;
    let quads = row_quads * p.dst_h;
    let id = (group.z * groups.x + group.x) * {{ wg_x }}u + local;
    let tile = id / quads;
    if tile >= p.tiles {
        return;
    }
    let in_tile = id - tile * quads;
    let y = in_tile / row_quads;
    let quad = in_tile - y * row_quads;
    let block = quad / p.stride_x;
    let x = block * span_x + quad - block * p.stride_x;
    let src_pixels = p.src_h * p.src_w;
    let first = group.y * 4u / p.out_per_group * p.in_per_group / 4u;
    // The last may reach beyond the channels, with weights of 0.
    let last = p.src_c4 - 1u;
    let src_tile = p.src_base + tile * p.src_tile;
    let b = bias[group.y];
{%- for i in range(4) %}
    var a{{ i }} = b;
{%- endfor %}
    for (var ky = 0u; ky < p.kernel_h; ky++) {
        // Wraps beyond 2^31 above the top of the map.
        let above = y + p.pad_top - ky * p.dilation_y;
        let sy = above / p.stride_y;
        if above > 0x7fffffffu || sy >= p.src_h || sy * p.stride_y != above {
            continue;
        }
        for (var kx = 0u; kx < p.kernel_w; kx++) {
            let left = x + p.pad_left;
            let tap = kx * p.dilation_x;
            // Rounded down, for x may lie left of the map and the others in it.
            let apart = i32(left) - i32(tap);
            let stride = i32(p.stride_x);
            let sx = (apart + select(0, 1 - stride, apart < 0)) / stride;
            if sx * stride != apart {
                continue;
            }
{%- for i in range(4) %}
            let x{{ i }} = sx + {{ i }};
            let inside{{ i }} = x{{ i }} >= 0 && x{{ i }} < i32(p.src_w);
            let s{{ i }} = src_tile + sy * p.src_w + u32(select(0, x{{ i }}, inside{{ i }}));
            let m{{ i }} = select(0.0, 1.0, inside{{ i }});
{%- endfor %}
            var w = ((group.y * p.kernel_h + ky) * p.kernel_w + kx) * p.span * 4u;
            for (var c = 0u; c < p.span; c++) {
                let plane = min(first + c, last) * src_pixels;
                let w0 = vec4<f32>(weights[w]);
                let w1 = vec4<f32>(weights[w + 1u]);
                let w2 = vec4<f32>(weights[w + 2u]);
                let w3 = vec4<f32>(weights[w + 3u]);
{%- for i in range(4) %}
                let v{{ i }} = vec4<f32>(src[s{{ i }} + plane]) * m{{ i }};
                a{{ i }} += w0 * v{{ i }}.x + w1 * v{{ i }}.y + w2 * v{{ i }}.z + w3 * v{{ i }}.w;
{%- endfor %}
                w += 4u;
            }
        }
    }
{%- for i in range(4) %}
    if x + {{ i }}u * p.stride_x < p.dst_w {
        store(tile, group.y, y * p.dst_w + x + {{ i }}u * p.stride_x, a{{ i }});
    }
{%- endfor %}
}
