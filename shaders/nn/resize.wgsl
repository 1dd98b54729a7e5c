{{ enable }}
// Purpose: resampling of maps, {{ kind }}.
// Reads/writes: src [tiles, c4, src_h, src_w], dst [tiles, c4, dst_h, dst_w].
// Threads: 1 pixel x 4 channels each; workgroup y = channel group.
// Precision: storage {{ e4 }}, sample points and sums f32.
// Source: ONNX operator Resize.
{% include "shared/conv_params.wgsl" %}

@group(0) @binding(0) var<uniform> p: MapParams;
@group(0) @binding(1) var<storage, read> src: array<{{ e4 }}>;
@group(0) @binding(2) var<storage, read_write> dst: array<{{ e4 }}>;

{%- if kind != "nearest_asymmetric_floor" %}

// The sample point on one axis, clamped to the map.
fn sample_point(at: u32, src_len: u32, dst_len: u32) -> f32 {
{%- if kind == "linear_half_pixel" %}
    let point = (f32(at) + 0.5) * f32(src_len) / f32(dst_len) - 0.5;
{%- elif kind == "linear_asymmetric" %}
    let point = f32(at) * f32(src_len) / f32(dst_len);
{%- elif kind == "linear_align_corners" %}
    let point = f32(at) * f32(src_len - 1u) / f32(max(dst_len, 2u) - 1u);
{%- endif %}
    return clamp(point, 0.0, f32(src_len - 1u));
}
{%- endif %}

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
{%- if kind == "nearest_asymmetric_floor" %}
    let sy = y * p.src_h / p.dst_h;
    let sx = x * p.src_w / p.dst_w;
    let result = vec4<f32>(src[plane + sy * p.src_w + sx]);
{%- else %}
    let py = sample_point(y, p.src_h, p.dst_h);
    let px = sample_point(x, p.src_w, p.dst_w);
    let y0 = u32(py);
    let x0 = u32(px);
    let y1 = min(y0 + 1u, p.src_h - 1u);
    let x1 = min(x0 + 1u, p.src_w - 1u);
    let fy = py - f32(y0);
    let fx = px - f32(x0);
    let top = mix(vec4<f32>(src[plane + y0 * p.src_w + x0]), vec4<f32>(src[plane + y0 * p.src_w + x1]), fx);
    let bottom = mix(vec4<f32>(src[plane + y1 * p.src_w + x0]), vec4<f32>(src[plane + y1 * p.src_w + x1]), fx);
    let result = mix(top, bottom, fy);
{%- endif %}
    dst[p.dst_base + tile * p.dst_tile + group.y * pixels + pixel] = {{ e4 }}(result);
}
