{{ enable }}
// Purpose: {{ kind }} pooling.
// Reads/writes: src [tiles, c4, src_h, src_w], dst [tiles, c4, dst_h, dst_w].
// Threads: 1 pixel x 4 channels each; workgroup y = channel group.
// Precision: storage {{ e4 }}, sums f32.
// Source: ONNX operators MaxPool and AveragePool.
{% include "shared/conv_params.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapParams;
@group(0) @binding(1) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read_write> dst: array<{{ e4 }}>;

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
    let plane = p.src_base + tile * p.src_tile + group.y * p.src_h * p.src_w;
{%- if kind == "max" %}
    var result = vec4<f32>(-3.4e38);
{%- else %}
    var result = vec4<f32>(0.0);
    var count = 0.0;
{%- endif %}
    for (var ky = 0u; ky < p.kernel_h; ky++) {
        let sy = y * p.stride_y + ky - p.pad_top;
        for (var kx = 0u; kx < p.kernel_w; kx++) {
            let sx = x * p.stride_x + kx - p.pad_left;
            if sy < p.src_h && sx < p.src_w {
                let value = vec4<f32>(src[plane + sy * p.src_w + sx]);
{%- if kind == "max" %}
                result = max(result, value);
{%- else %}
                result += value;
                count += 1.0;
{%- endif %}
            }
        }
    }
{%- if kind == "average" %}
    result /= max(count, 1.0);
{%- elif kind == "average_padded" %}
    result /= f32(p.kernel_h * p.kernel_w);
{%- endif %}
    dst[p.dst_base + tile * p.dst_tile + group.y * pixels + pixel] = {{ e4 }}(result);
}
