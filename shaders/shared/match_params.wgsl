// How boxes match; the host's twin is kernels::merge::MatchParams.
struct MatchParams {
    zero: u32,         // 0, which the compiler cannot know
    mantissa: u32,     // of the midpoint below the threshold: mantissa * 2^exponent, 25 bits
    exponent: i32,
    iou: u32,          // 1: over the union, 0: over the smaller area
    class_aware: u32,  // 1: only boxes of one class match
    all: u32,          // 1: every such pair matches
    span: u32,         // most levels by which two matching boxes differ
    bucket_bits: u32,  // size of the bucket table
    cut_loses: u32,    // 1: boxes that an inner tile edge cuts rank after all others
    most: u32,         // most boxes to leave
    fade_scale: u32,   // log2(e) / sigma * 2^24
    score_floor: f32,  // soft suppression drops boxes of a lower score
    slice: u32,        // fold: members of each group that lie before are folded
    pad0: u32,
    pad1: u32,
    pad2: u32,
}
