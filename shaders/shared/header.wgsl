// Counters of one picture; the host's twin is stages::Header. The first four words are the arguments of an
// indirect draw of one instance per box.
struct Header {
    vertex_count: u32,
    boxes: u32,            // merged boxes; the instance count
    first_vertex: u32,
    first_instance: u32,
    candidates: u32,       // candidates found, counted past capacity
    kept_candidates: u32,  // candidates stored: min(candidates, capacity)
    not_finite: u32,       // dropped: NaN or infinite box or score
    empty: u32,            // dropped: no area inside the tile
    undecided: u32,        // boxes that the merge's rounds left open
    rounds: u32,           // merge rounds that had work
    cookie: u32,           // written last
    capacity: u32,         // of the candidate buffer
    chunks: u32,           // chunks of tiles that were decoded
    pad0: u32,
    pad1: u32,
    pad2: u32,
}
