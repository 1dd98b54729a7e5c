// One box in its bucket, 32 bytes. Boxes of a bucket lie together, best rank first.
struct Entry {
    rect: vec4<f32>,
    area: f32,
    class_id: u32,
    rank: u32,       // with the top bit set for a cut box where these rank after all whole ones
    score: f32,
}

// State of an entry, and what a round found about an open one.
const OPEN: u32 = 0u;
const KEPT: u32 = 1u;
const SUPPRESSED: u32 = 2u;
const BLOCKED: u32 = 4u;
const PUSHES: u32 = 8u;  // it blocks a worse box of a larger level
const PICKED: u32 = 16u; // soft suppression: decided in this round
const FADED: u32 = 32u;  // soft suppression: the fade does not fit its word
