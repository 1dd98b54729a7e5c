{{ enable }}
// Purpose: convolution with any number of groups and any window: the general, slower path.
// Reads/writes: src [tiles, src_c4, src_h, src_w], dst [tiles, dst_c4, dst_h, dst_w]; weights
//   [out, in / groups, kernel_h, kernel_w] as scalars in vec4s, padded; bias [dst_c4].
// Threads: 1 pixel x 4 output channels each; workgroup y = output vec4.
// Precision: storage {{ e4 }}, sums f32.
// Source: ONNX operator Conv.
{% include "shared/conv_io.wgsl" %}

struct Grouping {
    in_per_group: u32,
    out_per_group: u32,
    out: u32,
    pad: u32,
}

@group(0) @binding(6) var<uniform> grouping: Grouping;

fn sum_of(out: u32, tile: u32, y: u32, x: u32) -> f32 {
    let src_pixels = p.src_h * p.src_w;
    let first = (out / grouping.out_per_group) * grouping.in_per_group;
    let taps = p.kernel_h * p.kernel_w;
    var sum = 0.0;
    for (var i = 0u; i < grouping.in_per_group; i++) {
        let channel = first + i;
        let plane = p.src_base + tile * p.src_tile + channel / 4u * src_pixels;
        let row_of_weights = (out * grouping.in_per_group + i) * taps;
        for (var tap = 0u; tap < taps; tap++) {
            let ky = tap / p.kernel_w;
            let sy = y * p.stride_y + ky * p.dilation_y - p.pad_top;
            let sx = x * p.stride_x + (tap - ky * p.kernel_w) * p.dilation_x - p.pad_left;
            if sy < p.src_h && sx < p.src_w {
                let index = row_of_weights + tap;
                let weight = f32(weights[index / 4u][index % 4u]);
                sum += weight * f32(src[plane + sy * p.src_w + sx][channel % 4u]);
            }
        }
    }
    return sum;
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
    var sum = bias[group.y];
{%- for lane in range(4) %}
    if group.y * 4u + {{ lane }}u < grouping.out {
        sum[{{ lane }}] += sum_of(group.y * 4u + {{ lane }}u, tile, y, x);
    }
{%- endfor %}
    store(tile, group.y, pixel, sum);
}
