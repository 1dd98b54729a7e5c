// Counters of one merge; `word` is u32, or atomic<u32> where a kernel counts.
struct Tally {
    levels: {{ word }},     // bit l: there is a box of level l
    crowd: {{ word }},      // boxes in the fullest bucket
    next_len: {{ word }},   // active boxes of the next round: open, or kept with something to push
    next_open: {{ word }},  // open ones among them
    len: {{ word }},        // active boxes of this round
    open: {{ word }},       // open ones among them
    rounds: {{ word }},     // rounds that had work
    mask: {{ word }},       // buckets - 1
    waiting: {{ word }},    // open boxes that are in no list until what blocks them is decided
}
