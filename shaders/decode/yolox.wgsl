{{ enable }}
// Purpose: YOLOX head, one level: boxes, scores and threshold.
// Reads/writes: boxes [tiles, 1, h, w], objectness [tiles, 1, h, w], classes [tiles, c4, h, w];
//   least_scores [classes]; flags and found [tiles, anchors]; header counters.
// Threads: one cell each.
// Precision: storage {{ e4 }}, all arithmetic f32.
// Source: YOLOX (Ge et al., 2021), section 2.1; decode of the official demo.
{% include "shared/decode.wgsl" %}
{% include "shared/linear_id.wgsl" %}

@group(0) @binding(0) var<uniform> p: DecodeParams;
@group(0) @binding(1) var<storage, read> tiles: array<SourceTile>;
@group(0) @binding(2) var<storage, read> boxes: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read> objectness: array<{{ e4 }}>;
@group(0) @binding(4) var<storage, read> classes: array<{{ e4 }}>;
@group(0) @binding(5) var<storage, read> least_scores: array<f32>;
@group(0) @binding(6) var<storage, read_write> flags: array<u32>;
@group(0) @binding(7) var<storage, read_write> found: array<Candidate>;
@group(0) @binding(8) var<storage, read_write> header: array<atomic<u32>>;

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
    let object = f32(objectness[p.objectness_base + tile * p.objectness_tile + cell].x);
    let score = object * best.score;
    if !best.finite || !all_finite(vec4<f32>(object)) {
        atomicAdd(&header[HEADER_NOT_FINITE], 1u);
        return;
    }
    if !passes(score, best.class_id) {
        return;
    }
    let raw = vec4<f32>(boxes[p.boxes_base + tile * p.boxes_tile + cell]);
    let y = cell / p.cells_w;
    let at = vec2<f32>(f32(cell - y * p.cells_w), f32(y));
    let centre = (raw.xy + at) * p.stride;
    let half_size = exp(raw.zw) * p.stride * 0.5;
    emit(slot, tiles[p.first_tile + tile], anchor, vec4<f32>(centre - half_size, centre + half_size), score, best.class_id);
}
