// One box, 32 bytes. `rect` is x0 y0 x1 y1 in pixels of the full image; `tile` holds the index of its tile in 28 bits
// and above them the inner edges that it touches: 1 left, 2 top, 4 right, 8 bottom.
struct Candidate {
    rect: vec4<f32>,
    score: f32,
    class_id: u32,
    tile: u32,
    anchor: u32,
}
