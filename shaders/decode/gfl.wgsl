{{ enable }}
// Purpose: generalised focal loss head, one level: boxes, scores and threshold.
// Reads/writes: boxes (distance logits) [tiles, bins, h, w], classes [tiles, c4, h, w]; least_scores
//   [classes]; flags and found [tiles, anchors]; header counters.
// Threads: one cell each.
// Precision: storage {{ e4 }}, all arithmetic f32.
// Source: Generalized Focal Loss (Li et al., 2020), section 3; NanoDet's and PicoDet's decoders.
{% include "shared/decode.wgsl" %}
{% include "shared/linear_id.wgsl" %}

@group(0) @binding(0) var<uniform> p: DecodeParams;
@group(0) @binding(1) var<storage, read> tiles: array<SourceTile>;
@group(0) @binding(2) var<storage, read> boxes: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read> classes: array<{{ e4 }}>;
@group(0) @binding(4) var<storage, read> least_scores: array<f32>;
@group(0) @binding(5) var<storage, read_write> flags: array<u32>;
@group(0) @binding(6) var<storage, read_write> found: array<Candidate>;
@group(0) @binding(7) var<storage, read_write> header: array<atomic<u32>>;

fn logit(tile: u32, cell: u32, channel: u32) -> f32 {
    let cells = p.cells_w * p.cells_h;
    let index = p.boxes_base + tile * p.boxes_tile + channel / 4u * cells + cell;
    return vec4<f32>(boxes[index])[channel % 4u];
}

// The mean of one side's distribution, in cells.
fn distance_of(tile: u32, cell: u32, side: u32) -> f32 {
    let first = side * p.bins;
    var largest = logit(tile, cell, first);
    for (var bin = 1u; bin < p.bins; bin++) {
        largest = max(largest, logit(tile, cell, first + bin));
    }
    var total = 0.0;
    var mean = 0.0;
    for (var bin = 0u; bin < p.bins; bin++) {
        let weight = exp(logit(tile, cell, first + bin) - largest);
        total += weight;
        mean += weight * f32(bin);
    }
    return mean / total;
}

@compute @workgroup_size({{ wg_x }})
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let id = linear_id(group, groups, local, {{ wg_x }}u);
    let cells = p.cells_w * p.cells_h;
    let tile = id / cells;
    if tile >= p.tiles {
        return;
    }
    let cell = id - tile * cells;
    let anchor = p.first_anchor + cell;
    let slot = tile * p.anchors + anchor;
    flags[slot] = 0u;
    let best = best_class(tile, cell);
    if !best.finite {
        atomicAdd(&header[HEADER_NOT_FINITE], 1u);
        return;
    }
    let score = {% if sigmoid %}sigmoid(vec4<f32>(best.score)).x{% else %}best.score{% endif %};
    if !passes(score, best.class_id) {
        return;
    }
    let y = cell / p.cells_w;
    let at = (vec2<f32>(f32(cell - y * p.cells_w), f32(y)) + p.offset) * p.stride;
    let distances = vec4<f32>(
        distance_of(tile, cell, 0u),
        distance_of(tile, cell, 1u),
        distance_of(tile, cell, 2u),
        distance_of(tile, cell, 3u),
    ) * p.stride.xyxy;
    emit(slot, tiles[p.first_tile + tile], anchor, vec4<f32>(at - distances.xy, at + distances.zw), score, best.class_id);
}
