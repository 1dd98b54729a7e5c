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
}
