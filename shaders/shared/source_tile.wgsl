// One tile of a chunk; the host's twin is kernels::preprocess::SourceTile.
struct SourceTile {
    rect: vec4<u32>,       // x0 y0 x1 y1 in the image
    placed: vec4<u32>,     // left, top, width, height in the network's input
    scale: vec2<f32>,      // image pixels per input pixel
    index: u32,            // of the tile in the picture
    inner: u32,            // edges beyond which the image goes on: 1 left, 2 top, 4 right, 8 bottom
}
