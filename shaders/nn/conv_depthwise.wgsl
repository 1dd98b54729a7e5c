{{ enable }}
// Purpose: depthwise convolution with a {{ kernel }}x{{ kernel }} window and stride {{ stride }}.
// Reads/writes: src [tiles, c4, src_h, src_w], dst [tiles, c4, dst_h, dst_w]; weights [c4, {{ kernel }}, {{ kernel }}] of vec4;
//   bias [c4].
// Threads: 4 pixels of a row x 4 channels each, rows of inputs reused; workgroup y = channel group.
// Precision: storage {{ e4 }}, sums f32.
// Source: MobileNets (Howard et al., 2017), section 3.1.
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
    let plane = p.src_base + (tile * p.src_c4 + group.y) * p.src_h * p.src_w;
    let w = group.y * {{ kernel * kernel }}u;
    let b = bias[group.y];
{%- for i in range(4) %}
    var a{{ i }} = b;
{%- endfor %}
{%- set span = 3 * stride + kernel %}
{%- for j in range(span) %}
    let sx{{ j }} = x * {{ stride }}u + {{ j }}u - p.pad_left;
    let m{{ j }} = select(0.0, 1.0, sx{{ j }} < p.src_w);
    let c{{ j }} = select(0u, sx{{ j }}, sx{{ j }} < p.src_w);
{%- endfor %}
{%- for ky in range(kernel) %}
    {
        let sy = y * {{ stride }}u + {{ ky }}u - p.pad_top;
        if sy < p.src_h {
            let row = plane + sy * p.src_w;
{%- for j in range(span) %}
            let x{{ j }} = vec4<f32>(src[row + c{{ j }}]) * m{{ j }};
{%- endfor %}
{%- for kx in range(kernel) %}
            let w{{ kx }} = vec4<f32>(weights[w + {{ ky * kernel + kx }}u]);
{%- for i in range(4) %}
            a{{ i }} += w{{ kx }} * x{{ i * stride + kx }};
{%- endfor %}
{%- endfor %}
        }
    }
{%- endfor %}
    let d = (tile * p.dst_c4 + group.y) * p.dst_h * p.dst_w + y * p.dst_w + x;
{%- for i in range(4) %}
    if x + {{ i }}u < p.dst_w {
        store(d + {{ i }}u, group.y, a{{ i }});
    }
{%- endfor %}
}
