{{ enable }}
// Purpose: depthwise {{ kernel }}x{{ kernel }} convolution with stride {{ stride }}, and the 1x1 convolution of its result, which stays in the workgroup.
// Reads/writes: src [tiles, {{ c4 }}, src_h, src_w], dst [tiles, dst_c4, dst_h, dst_w]; weights [dst_c4 / 2, {{ c4 }}, 4, 2] of vec4
//   over output channels, bias [dst_c4] padded to even; window_weights [{{ c4 }}, {{ kernel }}, {{ kernel }}] of vec4, window_bias [{{ c4 }}].
// Threads: a workgroup makes {{ patch_w }} x {{ patch_h }} pixels; first 4 neighbouring pixels x 4 channels of the depthwise result each,
//   then 4 pixels x 8 output channels each.
// Precision: storage {{ e4 }}, between the two as well; sums f32 in the order of the taps and of the channels.
// Source: MobileNets (Howard et al., 2017), section 3.1.
{% include "shared/conv_io.wgsl" %}
// The depthwise convolution, as `p` is the 1x1.
@group(0) @binding(6) var<uniform> q: MapParams;
@group(0) @binding(7) var<storage, read> window_weights: array<{{ e4 }}>;
@group(0) @binding(8) var<storage, read> window_bias: array<vec4<f32>>;
{% with activation = inner, of = "q" %}{% include "shared/activation.wgsl" %}{% endwith %}
{%- set pixels = patch_w * patch_h %}
{%- set runs = pixels // 4 %}
{%- set runs_x = patch_w // 4 %}
{%- set span = 3 * stride + kernel %}
{%- set taps = kernel * kernel %}
{%- set step = wg_x // runs * 2 %}

var<workgroup> between: array<{{ e4 }}, {{ c4 * pixels }}>;

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let patches_x = (p.dst_w + {{ patch_w - 1 }}u) / {{ patch_w }}u;
    let patches = patches_x * ((p.dst_h + {{ patch_h - 1 }}u) / {{ patch_h }}u);
    let id = group.z * groups.x + group.x;
    if id >= p.tiles * patches {
        return;
    }
    let tile = id / patches;
    let in_tile = id - tile * patches;
    let top = in_tile / patches_x * {{ patch_h }}u;
    let left = in_tile % patches_x * {{ patch_w }}u;
    // Pixels of a patch beyond the map are computed and not stored.
    for (var item = local; item < {{ c4 * runs }}u; item += {{ wg_x }}u) {
        let c = item / {{ runs }}u;
        let run = item % {{ runs }}u;
        let y = top + run / {{ runs_x }}u;
        let x = left + run % {{ runs_x }}u * 4u;
        let plane = q.src_base + tile * q.src_tile + c * q.src_h * q.src_w;
        let w = c * {{ taps }}u;
        let b = window_bias[c];
{%- for i in range(4) %}
        var a{{ i }} = b;
{%- endfor %}
{%- for j in range(span) %}
        let sx{{ j }} = x * {{ stride }}u + {{ j }}u - q.pad_left;
        let m{{ j }} = sx{{ j }} < q.src_w;
        let o{{ j }} = select(0u, sx{{ j }}, m{{ j }});
{%- endfor %}
{%- for ky in range(kernel) %}
        {
            let sy = y * {{ stride }}u + {{ ky }}u - q.pad_top;
            if sy < q.src_h {
                let s = plane + sy * q.src_w;
{%- for j in range(span) %}
                let x{{ j }} = select(vec4<f32>(0.0), vec4<f32>(src[s + o{{ j }}]), m{{ j }});
{%- endfor %}
{%- for kx in range(kernel) %}
                {
                    let w = vec4<f32>(window_weights[w + {{ ky * kernel + kx }}u]);
{%- for i in range(4) %}
                    a{{ i }} += w * x{{ i * stride + kx }};
{%- endfor %}
                }
{%- endfor %}
            }
        }
{%- endfor %}
{%- for i in range(4) %}
        between[c * {{ pixels }}u + run * 4u + {{ i }}u] = {{ e4 }}(activate_q(a{{ i }}, c));
{%- endfor %}
    }
    workgroupBarrier();

    let lane = local % {{ runs }}u;
{%- for i in range(4) %}
    let y{{ i }} = top + (lane + {{ i * runs }}u) / {{ patch_w }}u;
    let x{{ i }} = left + (lane + {{ i * runs }}u) % {{ patch_w }}u;
    let is_inside{{ i }} = y{{ i }} < p.dst_h && x{{ i }} < p.dst_w;
{%- endfor %}
    for (var first = local / {{ runs }}u * 2u; first < p.dst_c4; first += {{ step }}u) {
{%- for o in range(2) %}
        let b{{ o }} = bias[first + {{ o }}u];
{%- for i in range(4) %}
        var a{{ i }}_{{ o }} = b{{ o }};
{%- endfor %}
{%- endfor %}
        var w = first / 2u * {{ c4 * 8 }}u;
        var s = lane;
        for (var c = 0u; c < {{ c4 }}u; c++) {
{%- for i in range(4) %}
            let v{{ i }} = vec4<f32>(between[s + {{ i * runs }}u]);
{%- endfor %}
{%- for component in ["x", "y", "z", "w"] %}
{%- set row = loop.index0 %}
{%- for o in range(2) %}
            {
                let w = vec4<f32>(weights[w + {{ row * 2 + o }}u]);
{%- for i in range(4) %}
                a{{ i }}_{{ o }} += w * v{{ i }}.{{ component }};
{%- endfor %}
            }
{%- endfor %}
{%- endfor %}
            s += {{ pixels }}u;
            w += 8u;
        }
{%- for o in range(2) %}
        if first + {{ o }}u < p.dst_c4 {
{%- for i in range(4) %}
            if is_inside{{ i }} {
                store(tile, first + {{ o }}u, y{{ i }} * p.dst_w + x{{ i }}, a{{ i }}_{{ o }});
            }
{%- endfor %}
        }
{%- endfor %}
    }
}
