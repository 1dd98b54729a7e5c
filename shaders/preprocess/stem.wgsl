{{ enable }}
// Purpose: tiles of a picture, in a buffer or a texture -> the first convolution of a network: crop, bilinear resize, letterbox and
//   normalise fused with a dense {{ kernel }}x{{ kernel_h }} convolution, its bias and activation.
// Reads/writes: frame, packed 8-bit pixels or a 2-D texture; tiles; weights [dst_c4 / 2, kernel_h, {{ kernel }}, 1, 4, 2] of vec4 over output channels; bias [dst_c4]
//   padded to even; dst [tiles, dst_c4, dst_h, dst_w].
// Threads: a workgroup for {{ patch_w }} x {{ patch_h }} pixels of the output, whose inputs it keeps in workgroup memory; {{ pixels }} rows of
//   pixels each, {{ outputs }} vec4s of channels at a time.
{%- if subgroup %}
//   Each invocation of a subgroup of {{ subgroup }} loads some of the weights and hands them round.
{%- endif %}
// Precision: as resample, then conv_row: inputs rounded to {{ e4 }}, sums f32 in the order of window rows, columns, channels.
// Source: OpenCV INTER_LINEAR on f32; direct convolution.
{% include "shared/conv_params.wgsl" %}
{% include "shared/source_tile.wgsl" %}
{% include "shared/resample.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapParams;
@group(0) @binding(1) var<uniform> r: ResampleParams;
@group(0) @binding(2) var<storage, read> tiles: array<SourceTile>;
{%- if texture %}
@group(0) @binding(3) var frame: texture_2d<f32>;
{%- else %}
@group(0) @binding(3) var<storage, read> frame: array<u32>;
{%- endif %}
@group(0) @binding(4) var<storage, read> weights: array<{{ e4 }}>;
@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dst: array<{{ e4 }}>;

{% include "shared/activation.wgsl" %}
{% if texture %}{% include "shared/texture_pixel.wgsl" %}{% else %}{% include "shared/frame_pixel.wgsl" %}{% endif %}
{%- set span_w = (patch_w - 1) * stride_x + kernel %}
{%- set span_h = (patch_h - 1) * stride_y + kernel_h %}
{%- set lanes = ["x", "y", "z", "w"][:channels] %}
{%- set elements = channels * kernel * outputs %}
{%- set per_row = 8 * kernel %}
var<workgroup> inputs: array<{{ e4 }}, {{ span_w * span_h }}>;

fn store(index: u32, group: u32, sum: vec4<f32>) {
    dst[p.dst_base + index] = {{ e4 }}(activate(sum, group));
}

// The network's input at a pixel of a tile; 0 beyond its edges.
fn input_pixel(tile: SourceTile, x: u32, y: u32) -> {{ e4 }} {
    if x >= p.src_w || y >= p.src_h {
        return {{ e4 }}();
    }
    let in_x = x - tile.placed.x;
    let in_y = y - tile.placed.y;
    if in_x < tile.placed.z && in_y < tile.placed.w {
        return normalised(resized_pixel(tile, in_x, sample_row(tile, in_y)));
    }
    return normalised(vec4<f32>(r.pad_value));
}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
{%- if subgroup %}
    @builtin(subgroup_invocation_id) lane: u32,
{%- endif %}
) {
    let across = (p.dst_w + {{ patch_w - 1 }}u) / {{ patch_w }}u;
    let patches = across * ((p.dst_h + {{ patch_h - 1 }}u) / {{ patch_h }}u);
    let id = group.z * groups.x + group.x;
    let slot = id / patches;
    if slot >= p.tiles {
        return;
    }
    let in_tile = id - slot * patches;
    let top = in_tile / across * {{ patch_h }}u;
    let left = in_tile % across * {{ patch_w }}u;
    let tile = tiles[r.first_tile + slot];
    for (var i = local; i < {{ span_w * span_h }}u; i += {{ wg_x }}u) {
        let y = i / {{ span_w }}u;
        let x = i - y * {{ span_w }}u;
        inputs[i] = input_pixel(tile, left * {{ stride_x }}u + x - p.pad_left, top * {{ stride_y }}u + y - p.pad_top);
    }
    workgroupBarrier();
    let x = local % {{ patch_w }}u;
    let y = local / {{ patch_w }}u * {{ pixels }}u;
    let s = y * {{ stride_y * span_w }}u + x * {{ stride_x }}u;
    let last_pair = (p.dst_c4 - 1u) / 2u;
    let area = p.dst_h * p.dst_w;
    let d = slot * p.dst_tile + (top + y) * p.dst_w + left + x;
    for (var first = 0u; first < p.dst_c4; first += {{ outputs }}u) {
{%- if subgroup %}
{%- for k in range((elements + subgroup - 1) // subgroup) %}
        let e{{ k }} = min({{ k * subgroup }}u + lane, {{ elements - 1 }}u);
        let f{{ k }} = first + e{{ k }} % {{ outputs }}u;
        let t{{ k }} = e{{ k }} / {{ outputs }}u;
        let g{{ k }} = min(f{{ k }} / 2u, last_pair) * {{ per_row * kernel_h }}u + t{{ k }} / {{ channels }}u * 8u + t{{ k }} % {{ channels }}u * 2u + f{{ k }} % 2u;
{%- endfor %}
{%- else %}
{%- for q in range(outputs // 2) %}
        let g{{ q }} = min(first / 2u + {{ q }}u, last_pair) * {{ per_row * kernel_h }}u;
{%- endfor %}
{%- endif %}
{%- for o in range(outputs) %}
        let b{{ o }} = bias[min(first + {{ o }}u, last_pair * 2u + 1u)];
{%- for i in range(pixels) %}
        var a{{ i }}_{{ o }} = b{{ o }};
{%- endfor %}
{%- endfor %}
        for (var ky = 0u; ky < {{ kernel_h }}u; ky++) {
            let w = ky * {{ per_row }}u;
            let row = s + ky * {{ span_w }}u;
{%- if subgroup %}
{%- for k in range((elements + subgroup - 1) // subgroup) %}
            let v{{ k }} = vec4<f32>(weights[w + g{{ k }}]);
{%- endfor %}
{%- endif %}
{%- for kx in range(kernel) %}
{%- for i in range(pixels) %}
            let x{{ i }}_{{ kx }} = vec4<f32>(inputs[row + {{ i * stride_y * span_w + kx }}u]);
{%- endfor %}
{%- for lane in lanes %}
{%- set row = loop.index0 %}
{%- for o in range(outputs) %}
            {
{%- if subgroup %}
{%- set e = (kx * channels + row) * outputs + o %}
                let w = subgroupBroadcast(v{{ e // subgroup }}, {{ e % subgroup }}u);
{%- else %}
                let w = vec4<f32>(weights[w + g{{ o // 2 }} + {{ kx * 8 + row * 2 + o % 2 }}u]);
{%- endif %}
{%- for i in range(pixels) %}
                a{{ i }}_{{ o }} += w * x{{ i }}_{{ kx }}.{{ lane }};
{%- endfor %}
            }
{%- endfor %}
{%- endfor %}
{%- endfor %}
        }
        if left + x < p.dst_w {
{%- for o in range(outputs) %}
            if first + {{ o }}u < p.dst_c4 {
{%- for i in range(pixels) %}
                if top + y + {{ i }}u < p.dst_h {
                    store(d + (first + {{ o }}u) * area + {{ i }}u * p.dst_w, first + {{ o }}u, a{{ i }}_{{ o }});
                }
{%- endfor %}
            }
{%- endfor %}
        }
    }
}
