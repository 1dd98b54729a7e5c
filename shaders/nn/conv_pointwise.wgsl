{{ enable }}
// Purpose: 1x1 convolution, stride 1, with bias, activation and residual.
// Reads/writes: src [tiles, src_c4, h, w], dst [tiles, dst_c4, h, w]; weights [dst_c4 / 2, src_c4, 4, 2] of vec4
//   over output channels; bias [dst_c4] padded to even.
{%- if sources %}
//   The channels of src are segments of src and src1 to src3.
{%- endif %}
// Threads: {{ pixels }} neighbouring pixels x {{ outputs * 4 }} output channels each; workgroup y = {{ outputs }} vec4s of outputs.
{%- if subgroup %}
//   Each invocation of a subgroup of {{ subgroup }} loads some of the weights and hands them round.
{%- endif %}
// Precision: storage {{ e4 }}, sums f32 in the order of the input channels.
// Source: register tiling as in "Anatomy of High-Performance Matrix Multiplication" (Goto, 2008).
{% include "shared/conv_io.wgsl" %}
{%- if sources %}

struct Gathered {
    // First vec4, vec4s from a tile to the next, vec4s of channels.
    segments: array<vec4<u32>, 8>,
    // By source, the end of its segments.
    ends: vec4<u32>,
}

@group(0) @binding(6) var<storage, read> src1: array<{{ e4 }}>;
@group(0) @binding(7) var<storage, read> src2: array<{{ e4 }}>;
@group(0) @binding(8) var<storage, read> src3: array<{{ e4 }}>;
@group(0) @binding(9) var<uniform> gathered: Gathered;
{%- endif %}
{%- set elements = 4 * outputs %}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
{%- if subgroup %}
    @builtin(subgroup_invocation_id) lane: u32,
{%- endif %}
) {
    let area = p.dst_h * p.dst_w;
    let blocks = (area + {{ pixels - 1 }}u) / {{ pixels }}u;
    let id = (group.z * groups.x + group.x) * {{ wg_x }}u + local;
    let is_live = id < p.tiles * blocks;
    // Invocations beyond the end repeat the first one's work: all of a subgroup must be there.
    let block = select(0u, id, is_live);
    let tile = block / blocks;
    let pixel = (block - tile * blocks) * {{ pixels }}u;
    let last = area - 1u - pixel;
{%- for i in range(1, pixels) %}
    let o{{ i }} = min({{ i }}u, last);
{%- endfor %}
    let first = group.y * {{ outputs }}u;
    let last_pair = (p.dst_c4 - 1u) / 2u;
    let per_pair = p.src_c4 * 8u;
{%- if subgroup %}
{%- for k in range((elements + subgroup - 1) // subgroup) %}
    let e{{ k }} = min({{ k * subgroup }}u + lane, {{ elements - 1 }}u);
    let f{{ k }} = first + e{{ k }} % {{ outputs }}u;
    var w{{ k }} = min(f{{ k }} / 2u, last_pair) * per_pair + e{{ k }} / {{ outputs }}u * 2u + f{{ k }} % 2u;
{%- endfor %}
{%- else %}
{%- for q in range(outputs // 2) %}
    var w{{ q }} = min(first / 2u + {{ q }}u, last_pair) * per_pair;
{%- endfor %}
{%- endif %}
{%- for o in range(outputs) %}
    let b{{ o }} = bias[min(first + {{ o }}u, last_pair * 2u + 1u)];
{%- for i in range(pixels) %}
    var a{{ i }}_{{ o }} = b{{ o }};
{%- endfor %}
{%- endfor %}
{%- if sources %}
{%- for k in range(sources) %}
{%- set source = "src" ~ (k if k else "") %}
    for (var n = {% if k %}gathered.ends[{{ k - 1 }}]{% else %}0u{% endif %}; n < gathered.ends[{{ k }}]; n++) {
        let segment = gathered.segments[n];
        var s = segment.x + tile * segment.y + pixel;
        for (var c = 0u; c < segment.z; c++) {
{% include "shared/pointwise_step.wgsl" %}
        }
    }
{%- endfor %}
{%- else %}
{%- set source = "src" %}
    var s = p.src_base + tile * p.src_tile + pixel;
    for (var c = 0u; c < p.src_c4; c++) {
{% include "shared/pointwise_step.wgsl" %}
    }
{%- endif %}
    if !is_live {
        return;
    }
{%- for o in range(outputs) %}
    if first + {{ o }}u < p.dst_c4 {
{%- for i in range(pixels) %}
        if {{ i }}u <= last {
            store(tile, first + {{ o }}u, pixel + {{ i }}u, a{{ i }}_{{ o }});
        }
{%- endfor %}
    }
{%- endfor %}
}
