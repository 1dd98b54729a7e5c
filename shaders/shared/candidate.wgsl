// One box, 32 bytes. `rect` is x0 y0 x1 y1 in pixels of the full image.
struct Candidate {
    rect: vec4<f32>,
    score: f32,
    class_id: u32,
    tile: u32,
    anchor: u32,
}
