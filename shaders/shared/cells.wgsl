// Where to look for the boxes that overlap one; `p`, `tally` and `table` are those of the merge.
// Cells of a level where boxes that overlap a rect can start.
struct Cells {
    first: vec2<i32>,
    columns: u32,
    count: u32,
}

fn cells_near(rect: vec4<f32>, level: u32) -> Cells {
    let first = cell_of(rect.xy, level) - vec2<i32>(select(1, 0, level == LAST_LEVEL));
    let size = vec2<u32>(cell_of(rect.zw, level) - first) + vec2<u32>(1u);
    return Cells(first, size.x, min(size.x * size.y, 9u));
}

fn cell_at(cells: Cells, c: u32) -> vec2<i32> {
    return cells.first + vec2<i32>(i32(c % cells.columns), i32(c / cells.columns));
}

// Start and end of the bucket of cell number c. Other cells may share it, and so an entry may be met twice.
fn bucket(cells: Cells, c: u32, level: u32, class_id: u32) -> vec2<u32> {
    let cell = cell_at(cells, c);
    return table[bucket_of(level, cell, class_key(class_id), tally.mask)];
}

fn matches(a: Entry, b: Entry) -> bool {
    return class_key(a.class_id) == class_key(b.class_id) && overlaps(a.rect, a.area, b.rect, b.area);
}

// The levels above one that boxes may lie in that overlap a box of it.
fn levels_above(level: u32) -> u32 {
    var levels = select(0u, tally.levels & (0xfffffffeu << level), level < LAST_LEVEL);
    if level + p.span < LAST_LEVEL {
        levels &= (2u << (level + p.span)) - 1u;
    }
    return levels;
}
