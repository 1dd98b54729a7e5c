// What a convolution or sum adds, at a pixel of dst.
fn residual_at(tile: u32, group: u32, pixel: u32) -> vec4<f32> {
{%- if nearest %}
    let y = pixel / p.dst_w;
    let x = pixel - y * p.dst_w;
    let row = group * p.residual_h + y * p.residual_h / p.dst_h;
    let index = row * p.residual_w + x * p.residual_w / p.dst_w;
{%- else %}
    let index = group * p.dst_h * p.dst_w + pixel;
{%- endif %}
    return vec4<f32>(residual[p.residual_base + tile * p.residual_tile + index]);
}
