// One anchor's box into the chunk's slots; the host's twin is kernels::decode::DecodeParams.
struct DecodeParams {
    tiles: u32,
    first_tile: u32,
    cells_w: u32,
    cells_h: u32,
    first_anchor: u32,     // of the level, in a tile
    anchors: u32,          // in a tile, all levels
    classes: u32,
    bins: u32,
    stride: vec2<f32>,
    offset: vec2<f32>,     // of a cell's point, in cells
    gain: vec2<f32>,
    size: vec2<f32>,
    boxes_base: u32,
    boxes_tile: u32,       // vec4s from a tile to the next
    objectness_base: u32,
    objectness_tile: u32,
    classes_base: u32,
    classes_tile: u32,
    size_factor: f32,
    class_power: f32,
    objectness_power: f32,
    classes_c4: u32,
    pad1: u32,
    pad2: u32,
}

{% include "shared/source_tile.wgsl" %}
{% include "shared/candidate.wgsl" %}
{% include "shared/finite.wgsl" %}

// Networks place the border of an object that the tile cuts within about this many input pixels of the tile's edge.
const EDGE_TOLERANCE: f32 = 2.0;
const LOWEST: f32 = -3.4028234663852886e38;
const HEADER_NOT_FINITE: u32 = 6u;
const HEADER_EMPTY: u32 = 7u;

struct Best {
    score: f32,
    class_id: u32,
    finite: bool,
}

// The first of the largest class values of one cell: scores or logits.
fn best_class(tile: u32, cell: u32) -> Best {
    let cells = p.cells_w * p.cells_h;
    var best = Best(LOWEST, 0u, true);
    for (var c = 0u; c < p.classes_c4; c++) {
        let scores = vec4<f32>(classes[p.classes_base + tile * p.classes_tile + c * cells + cell]);
        best.finite = best.finite && all_finite(scores);
{%- for lane in range(4) %}
        if c * 4u + {{ lane }}u < p.classes && scores[{{ lane }}] > best.score {
            best.score = scores[{{ lane }}];
            best.class_id = c * 4u + {{ lane }}u;
        }
{%- endfor %}
    }
    return best;
}

// No infinity on the way: drivers may assume that there are none.
fn sigmoid(v: vec4<f32>) -> vec4<f32> {
    let e = exp(-abs(v));
    return select(vec4<f32>(1.0), e, v < vec4<f32>(0.0)) / (1.0 + e);
}

// Whether a score reaches the least one of its class; a least score below 0 marks a class that is left out.
fn passes(score: f32, class_id: u32) -> bool {
    let least = least_scores[class_id];
    return least >= 0.0 && score >= least;
}

// The inner edges of its tile that a box in pixels of the tile's place in the input touches.
fn touched_edges(tile: SourceTile, local: vec4<f32>) -> u32 {
    let far = vec2<f32>(tile.placed.zw) - EDGE_TOLERANCE;
    let touched = vec4<bool>(local.xy <= vec2<f32>(EDGE_TOLERANCE), local.zw >= far);
    let bits = select(vec4<u32>(0u), vec4<u32>(1u, 2u, 4u, 8u), touched);
    return (bits.x | bits.y | bits.z | bits.w) & tile.inner;
}

// Clamps a box in input pixels to its tile, maps it to the image and stores it in its slot.
fn emit(slot: u32, tile: SourceTile, anchor: u32, rect: vec4<f32>, score: f32, class_id: u32) {
    if !all_finite(rect) || !all_finite(vec4<f32>(score)) {
        atomicAdd(&header[HEADER_NOT_FINITE], 1u);
        return;
    }
    let local = rect - vec4<f32>(tile.placed.xyxy);
    let size = vec4<f32>((tile.rect.zw - tile.rect.xy).xyxy);
    let inside = clamp(local * tile.scale.xyxy, vec4<f32>(0.0), size);
    let mapped = inside + vec4<f32>(tile.rect.xyxy);
    if mapped.z <= mapped.x || mapped.w <= mapped.y {
        atomicAdd(&header[HEADER_EMPTY], 1u);
        return;
    }
    let tile_word = tile.index | (touched_edges(tile, local) << 28u);
    found[slot] = Candidate(mapped, score, class_id, tile_word, anchor);
    flags[slot] = 1u;
}
