// Parameters of a window over feature maps; the host's twin is kernels::nn::MapParams.
// Maps are NC4HW4: [tiles, channels / 4, height, width] of vec4. Bases count vec4s, and so does what lies between the
// beginnings of two tiles: a map may be some channels of another.
struct MapParams {
    src_base: u32,
    dst_base: u32,
    residual_base: u32,
    tiles: u32,
    src_c4: u32,
    dst_c4: u32,
    src_h: u32,
    src_w: u32,
    dst_h: u32,
    dst_w: u32,
    kernel_h: u32,
    kernel_w: u32,
    stride_y: u32,
    stride_x: u32,
    pad_top: u32,
    pad_left: u32,
    dilation_y: u32,
    dilation_x: u32,
    act_a: f32,
    act_b: f32,
    dst_channels: u32,
    src_tile: u32,
    dst_tile: u32,
    // Its size differs from dst's if its pixels are repeated.
    residual_tile: u32,
    residual_h: u32,
    residual_w: u32,
    // Of transposed convolutions only.
    in_per_group: u32,
    out_per_group: u32,
    span: u32,
}
