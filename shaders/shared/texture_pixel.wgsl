// A pixel of the texture `frame`; what is below 0, in float formats, is taken for 0.
fn stored_pixel(x: u32, y: u32) -> vec4<f32> {
    let c = textureLoad(frame, vec2<u32>(x, y), 0);
{%- if srgb %}
    // Reading decoded the stored values; networks are trained on those as stored.
    let encoded = select(1.055 * pow(c, vec4<f32>(1.0 / 2.4)) - 0.055, 12.92 * c, c <= vec4<f32>(0.0031308));
    return round(encoded * 255.0);
{%- else %}
    return max(c, vec4<f32>(0.0)) * 255.0;
{%- endif %}
}
