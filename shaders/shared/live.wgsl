// Sizes of one picture's list, known only on the GPU; written by rank_args.
struct Live {
    n: u32,       // candidates to rank
    blocks: u32,  // radix blocks: ceil(n / 1024)
    counts: u32,  // radix counters: 16 * blocks
    pad: u32,
}
