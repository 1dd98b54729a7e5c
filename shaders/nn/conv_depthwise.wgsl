{{ enable }}
// Purpose: depthwise convolution with a {{ kernel }}x{{ kernel }} window and stride {{ stride }}.
// Reads/writes: src [tiles, c4, src_h, src_w], dst [tiles, c4, dst_h, dst_w]; weights [c4, {{ kernel }}, {{ kernel }}] of vec4;
//   bias [c4].
// Threads: {{ pixels }} pixels of {{ rows }} rows x 4 channels each, each input loaded once; workgroup y = channel group.
{%- if subgroup %}
//   Each invocation of a subgroup of {{ subgroup }} loads some of the weights and hands them round.
{%- endif %}
// Precision: storage {{ e4 }}, sums f32 in the order of the taps.
// Source: MobileNets (Howard et al., 2017), section 3.1.
{% include "shared/conv_io.wgsl" %}
{%- set span = (pixels - 1) * stride + kernel %}
{%- set taps = kernel * kernel %}

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
    let blocks = row_blocks * ((p.dst_h + {{ rows - 1 }}u) / {{ rows }}u);
    let id = (group.z * groups.x + group.x) * {{ wg_x }}u + local;
    let is_live = id < p.tiles * blocks;
    // Invocations beyond the end repeat the first one's work: all of a subgroup must be there.
    let block = select(0u, id, is_live);
    let tile = block / blocks;
    let in_tile = block - tile * blocks;
    let y = in_tile / row_blocks * {{ rows }}u;
    let x = in_tile % row_blocks * {{ pixels }}u;
    let plane = p.src_base + tile * p.src_tile + group.y * p.src_h * p.src_w;
    let w = group.y * {{ taps }}u;
{%- if subgroup %}
{%- for k in range((taps + subgroup - 1) // subgroup) %}
    let v{{ k }} = vec4<f32>(weights[w + min({{ k * subgroup }}u + lane, {{ taps - 1 }}u)]);
{%- endfor %}
{%- for t in range(taps) %}
    let w{{ t }} = subgroupBroadcast(v{{ t // subgroup }}, {{ t % subgroup }}u);
{%- endfor %}
{%- endif %}
    let b = bias[group.y];
{%- for r in range(rows) %}
{%- for i in range(pixels) %}
    var a{{ r }}_{{ i }} = b;
{%- endfor %}
{%- endfor %}
{%- for j in range(span) %}
    let sx{{ j }} = x * {{ stride }}u + {{ j }}u - p.pad_left;
    let m{{ j }} = sx{{ j }} < p.src_w;
    let o{{ j }} = select(0u, sx{{ j }}, m{{ j }});
{%- endfor %}
{%- for iy in range((rows - 1) * stride + kernel) %}
    {
        let sy = y * {{ stride }}u + {{ iy }}u - p.pad_top;
        if sy < p.src_h {
            let s = plane + sy * p.src_w;
{%- for j in range(span) %}
            let x{{ j }} = select(vec4<f32>(0.0), vec4<f32>(src[s + o{{ j }}]), m{{ j }});
{%- endfor %}
{%- for r in range(rows) %}
{%- set ky = iy - r * stride %}
{%- if ky >= 0 and ky < kernel %}
{%- for kx in range(kernel) %}
            {
{%- set t = ky * kernel + kx %}
{%- if subgroup %}
                let w = w{{ t }};
{%- else %}
                let w = vec4<f32>(weights[w + {{ t }}u]);
{%- endif %}
{%- for i in range(pixels) %}
                a{{ r }}_{{ i }} += w * x{{ i * stride + kx }};
{%- endfor %}
            }
{%- endfor %}
{%- endif %}
{%- endfor %}
        }
    }
{%- endfor %}
    if !is_live {
        return;
    }
    let pixel = y * p.dst_w + x;
{%- for r in range(rows) %}
    if y + {{ r }}u < p.dst_h {
{%- for i in range(pixels) %}
        if x + {{ i }}u < p.dst_w {
            store(tile, group.y, pixel + {{ r }}u * p.dst_w + {{ i }}u, a{{ r }}_{{ i }});
        }
{%- endfor %}
    }
{%- endfor %}
}
