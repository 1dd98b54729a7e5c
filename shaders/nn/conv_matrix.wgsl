{{ enable }}
{%- if not emulated %}
enable wgpu_cooperative_matrix;
{%- endif %}
{%- set subgroups = wg_x // subgroup %}
{%- set span = subgroups * pixels %}
{%- set columns = 4 * outputs %}
{%- set depth = 32 if pixels == 16 else 16 %}
{%- set steps = depth // 4 %}
{%- set blocks = 16 // side %}
{#- Pixels whose inputs an invocation loads, if a workgroup has more pixels than invocations. #}
{%- set own = [span // wg_x, 1] | max %}
// Purpose: dense convolution on cooperative matrices of {{ side }} x {{ side }}, with bias, activation and residual.
// Reads/writes: src [tiles, src_c4, src_h, src_w], dst [tiles, dst_c4, dst_h, dst_w]; weights
//   [dst_c4 / 2, kernel_h, kernel_w, src_c4, 4, 2] of vec4 over output channels; bias [dst_c4] padded to even.
// Threads: {{ span }} pixels of all tiles x {{ columns }} output channels a workgroup, {{ pixels }} pixels a subgroup of {{ subgroup }};
//   workgroup y = {{ outputs }} vec4s of outputs. Inputs and weights of {{ depth }} input channels of the window lie in workgroup memory at a time.
{%- if emulated %}
//   Each subgroup's matrices are ordinary arrays here, for tests where there are no others.
{%- endif %}
// Precision: storage and factors {{ e4 }}, sums f32 in the order of window rows, window columns, input channels, and inside
//   {{ side }} channels in the device's.
// Source: implicit matrix product as in "cuDNN: Efficient Primitives for Deep Learning" (Chetlur et al., 2014).
{% include "shared/conv_io.wgsl" %}

// Rows begin in different banks, and all of them and the arrays themselves at multiples of 16 bytes, as Vulkan asks for.
{%- set a_stride = depth + 8 %}
{%- set b_stride = columns + 8 %}
{%- set c_stride = 20 %}
{%- set c_block = 16 * c_stride %}
{%- set c_len = [subgroups * c_block, side * columns] | max %}
var<workgroup> inputs: array<f16, {{ span * a_stride }}>;
var<workgroup> factors: array<f16, {{ depth * b_stride }}>;
var<workgroup> sums: array<f32, {{ c_len }}>;
{%- if emulated %}

{% include "shared/matrix_emulated.wgsl" %}
{%- else %}

alias MatrixA = coop_mat{{ side }}x{{ side }}<f16, A>;
alias MatrixB = coop_mat{{ side }}x{{ side }}<f16, B>;
alias MatrixC = coop_mat{{ side }}x{{ side }}<f32, C>;
{%- endif %}

// Writes 16 pixels of each subgroup, from pixel `start` of the first on, and 16 channels from the group `first` on.
fn finish(start: u32, first: u32, local: u32) {
    let area = p.dst_h * p.dst_w;
{%- for i in range(64 * subgroups // wg_x) %}
    {
        let row = local % {{ 16 * subgroups }}u + {{ i * wg_x % (16 * subgroups) }}u;
        let group = local / {{ 16 * subgroups }}u + {{ i * wg_x // (16 * subgroups) }}u;
        let at = row / 16u * {{ c_block }}u + row % 16u * {{ c_stride }}u + group * 4u;
        let pixel = start + row / 16u * {{ pixels }}u + row % 16u;
        if pixel < p.tiles * area && first + group < p.dst_c4 {
            let tile = pixel / area;
            store(tile, first + group, pixel - tile * area, vec4<f32>(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]));
        }
    }
{%- endfor %}
}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
{%- if not emulated %}
    @builtin(subgroup_id) subgroup: u32,
{%- endif %}
) {
{%- if emulated %}
    let lane = local % {{ subgroup }}u;
    let part = local / {{ subgroup }}u;
{%- else %}
    let part = min(subgroup, {{ subgroups - 1 }}u);
{%- endif %}
    let area = p.dst_h * p.dst_w;
    let start = (group.z * groups.x + group.x) * {{ span }}u;
    // The pixels whose inputs this invocation loads; those beyond the end are zeros.
{%- for q in range(own) %}
    let row{{ q }} = local % {{ span }}u + {{ q * wg_x }}u;
    let is_live{{ q }} = start + row{{ q }} < p.tiles * area;
    let pixel{{ q }} = select(0u, start + row{{ q }}, is_live{{ q }});
    let tile{{ q }} = pixel{{ q }} / area;
    let in_tile{{ q }} = pixel{{ q }} - tile{{ q }} * area;
{%- if not point %}
    let y{{ q }} = in_tile{{ q }} / p.dst_w;
    let x{{ q }} = in_tile{{ q }} - y{{ q }} * p.dst_w;
{%- endif %}
{%- endfor %}
    let all_steps = {% if not point %}p.kernel_h * {{ kernel }}u * {% endif %}p.src_c4;
    let first = group.y * {{ outputs }}u;
    let last_pair = (p.dst_c4 - 1u) / 2u;
    // Sums begin with the bias, the same in each row.
    for (var i = local; i < {{ side * columns }}u; i += {{ wg_x }}u) {
        let channel = first * 4u + i % {{ columns }}u;
        sums[i] = bias[min(channel / 4u, last_pair * 2u + 1u)][channel % 4u];
    }
    workgroupBarrier();
{%- for n in range(columns // side) %}
{%- for r in range(pixels // side) %}
{%- if emulated %}
    var c{{ r }}_{{ n }} = load_c({{ n * side }}u, {{ columns }}u, lane);
{%- else %}
    var c{{ r }}_{{ n }} = coopLoadT<MatrixC>(&sums[{{ n * side }}], {{ columns }}u);
{%- endif %}
{%- endfor %}
{%- endfor %}
    for (var k = 0u; k < all_steps; k += {{ steps }}u) {
        workgroupBarrier();
{%- for i in range(span * steps // wg_x) %}
        {
{%- set q = i % own %}
            let s = local / {{ span }}u + {{ i * wg_x // span }}u;
            let step = k + s;
{%- if point %}
            let inside = is_live{{ q }} && step < all_steps;
            let index = p.src_base + tile{{ q }} * p.src_tile + step * area + in_tile{{ q }};
{%- else %}
            let tap = step / p.src_c4;
            let ky = tap / {{ kernel }}u;
            let sy = y{{ q }} * p.stride_y + ky * p.dilation_y - p.pad_top;
            let sx = x{{ q }} * p.stride_x + (tap - ky * {{ kernel }}u) * p.dilation_x - p.pad_left;
            let inside = is_live{{ q }} && step < all_steps && sy < p.src_h && sx < p.src_w;
            let c = step - tap * p.src_c4;
            let index = p.src_base + tile{{ q }} * p.src_tile + (c * p.src_h + sy) * p.src_w + sx;
{%- endif %}
            let v = select(vec4<f16>(), src[select(p.src_base, index, inside)], inside);
            let at = row{{ q }} * {{ a_stride }}u + s * 4u;
            inputs[at] = v.x;
            inputs[at + 1u] = v.y;
            inputs[at + 2u] = v.z;
            inputs[at + 3u] = v.w;
        }
{%- endfor %}
{%- for i in range((depth * outputs + wg_x - 1) // wg_x) %}
        {{ "if local < " ~ depth * outputs ~ "u " if depth * outputs < wg_x }}{
            let e = local + {{ i * wg_x }}u;
            let s = e / 8u % {{ steps }}u;
            let pair = e / {{ 8 * steps }}u;
            let inside = k + s < all_steps && first / 2u + pair <= last_pair;
            let index = ((first / 2u + pair) * all_steps + k + s) * 8u + e % 8u;
            let v = select(vec4<f16>(), weights[select(0u, index, inside)], inside);
            let at = (s * 4u + e % 8u / 2u) * {{ b_stride }}u + pair * 8u + e % 2u * 4u;
            factors[at] = v.x;
            factors[at + 1u] = v.y;
            factors[at + 2u] = v.z;
            factors[at + 3u] = v.w;
        }
{%- endfor %}
        workgroupBarrier();
        let base = part * {{ pixels * a_stride }}u;
{%- for d in range(depth // side) %}
{%- for r in range(pixels // side) %}
{%- set a = r * side * a_stride + d * side %}
{%- if emulated %}
        let a{{ d }}_{{ r }} = base + {{ a }}u;
{%- else %}
        let a{{ d }}_{{ r }} = coopLoadT<MatrixA>(&inputs[base + {{ a }}u], {{ a_stride }}u);
{%- endif %}
{%- endfor %}
{%- for n in range(columns // side) %}
{%- set b = d * side * b_stride + n * side %}
{%- if emulated %}
        let b{{ d }}_{{ n }} = {{ b }}u;
{%- else %}
        let b{{ d }}_{{ n }} = coopLoadT<MatrixB>(&factors[{{ b }}], {{ b_stride }}u);
{%- endif %}
{%- for r in range(pixels // side) %}
{%- set c = "c" ~ r ~ "_" ~ n %}
{%- if emulated %}
        {{ c }} = multiply_add(a{{ d }}_{{ r }}, b{{ d }}_{{ n }}, {{ c }}, lane);
{%- else %}
        {{ c }} = coopMultiplyAdd(a{{ d }}_{{ r }}, b{{ d }}_{{ n }}, {{ c }});
{%- endif %}
{%- endfor %}
{%- endfor %}
{%- endfor %}
    }
{%- for r in range(pixels // 16) %}
{%- for n in range(columns // 16) %}
    workgroupBarrier();
{%- for i in range(blocks) %}
{%- for j in range(blocks) %}
    {
        let at = part * {{ c_block }}u + {{ (i * c_stride + j) * side }}u;
        let sum = c{{ r * blocks + i }}_{{ n * blocks + j }};
{%- if emulated %}
        store_c(sum, at, {{ c_stride }}u, lane);
{%- else %}
        // naga takes nothing but names here.
        let place = &sums[at];
        let stride = {{ c_stride }}u;
        coopStoreT(sum, place, stride);
{%- endif %}
    }
{%- endfor %}
{%- endfor %}
    workgroupBarrier();
    finish(start + {{ r * 16 }}u, first + {{ n * 4 }}u, local);
{%- endfor %}
{%- endfor %}
}
