// One anchor's box into the chunk's slots; the host's twin is kernels::decode::DecodeParams.
struct DecodeParams {
    tiles: u32,
    first_tile: u32,
    cells_w: u32,
    cells_h: u32,
    first_anchor: u32,     // of the level, in a tile
    anchors: u32,          // in a tile, all levels
    classes: u32,
    stride: f32,
    confidence: f32,
    centre: f32,           // of a cell, in cells
    bins: u32,
    boxes_base: u32,
    boxes_c4: u32,
    objectness_base: u32,
    objectness_c4: u32,
    classes_base: u32,
    classes_c4: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

{% include "shared/source_tile.wgsl" %}
{% include "shared/candidate.wgsl" %}
{% include "shared/finite.wgsl" %}

const HEADER_NOT_FINITE: u32 = 6u;
const HEADER_EMPTY: u32 = 7u;

struct Best {
    score: f32,
    class_id: u32,
    finite: bool,
}

// The first of the largest class scores of one cell.
fn best_class(tile: u32, cell: u32) -> Best {
    let cells = p.cells_w * p.cells_h;
    var best = Best(-1.0, 0u, true);
    for (var c = 0u; c < p.classes_c4; c++) {
        let scores = vec4<f32>(classes[p.classes_base + (tile * p.classes_c4 + c) * cells + cell]);
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

// Clamps a box in input pixels to its tile, maps it to the image and stores it in its slot.
fn emit(slot: u32, tile: SourceTile, anchor: u32, rect: vec4<f32>, score: f32, class_id: u32) {
    if !all_finite(rect) || !all_finite(vec4<f32>(score)) {
        atomicAdd(&header[HEADER_NOT_FINITE], 1u);
        return;
    }
    let offset = vec4<f32>(tile.placed.xyxy);
    let size = vec4<f32>((tile.rect.zw - tile.rect.xy).xyxy);
    let inside = clamp((rect - offset) * tile.scale.xyxy, vec4<f32>(0.0), size);
    let mapped = inside + vec4<f32>(tile.rect.xyxy);
    if mapped.z <= mapped.x || mapped.w <= mapped.y {
        atomicAdd(&header[HEADER_EMPTY], 1u);
        return;
    }
    found[slot] = Candidate(mapped, score, class_id, tile.index, anchor);
    flags[slot] = 1u;
}
