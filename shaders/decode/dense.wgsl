{{ enable }}
// Purpose: dense head, one level: boxes, scores and threshold.
// Reads/writes: boxes [tiles, 1, h, w], classes [tiles, c4, h, w], objectness [tiles, 1, h, w] in the variant with it;
//   least_scores [classes]; flags and found [tiles, anchors]; header counters.
// Threads: one cell each.
// Precision: storage {{ e4 }}, all arithmetic f32.
// Source: docs/MODEL_FORMAT.md, head "dense"; box coding of Faster R-CNN (Ren et al., 2015), section 3.1.2, FCOS (Tian
//   et al., 2019), section 3.1, and YOLOv5's Detect.
{% include "shared/decode.wgsl" %}
{% include "shared/linear_id.wgsl" %}

@group(0) @binding(0) var<uniform> p: DecodeParams;
@group(0) @binding(1) var<storage, read> tiles: array<SourceTile>;
@group(0) @binding(2) var<storage, read> boxes: array<{{ e4 }}>;
@group(0) @binding(3) var<storage, read> classes: array<{{ e4 }}>;
{%- if objectness %}
@group(0) @binding(4) var<storage, read> objectness: array<{{ e4 }}>;
{%- endif %}
@group(0) @binding(5) var<storage, read> least_scores: array<f32>;
@group(0) @binding(6) var<storage, read_write> flags: array<u32>;
@group(0) @binding(7) var<storage, read_write> found: array<Candidate>;
@group(0) @binding(8) var<storage, read_write> header: array<atomic<u32>>;

const SMALLEST: f32 = 1.17549435e-38;

// v^exponent, values below 0 as 0; guarded, since pow takes a logarithm and there may be no infinities.
fn power(v: f32, exponent: f32) -> f32 {
    return select(pow(max(v, SMALLEST), exponent), 0.0, v < SMALLEST);
}

{%- for name, form in [("class", class_power), ("objectness", objectness_power)] %}

fn {{ name }}_factor(v: f32) -> f32 {
{%- if form == "one" %}
    return v;
{%- elif form == "sqrt" %}
    return sqrt(max(v, 0.0));
{%- else %}
    return power(v, p.{{ name }}_power);
{%- endif %}
}
{%- endfor %}

// The box in input pixels of a cell's values; BoxForm in src/heads/dense.rs has the formulas.
fn box_of(cell: u32, v: vec4<f32>) -> vec4<f32> {
    let y = cell / p.cells_w;
    let at = (vec2<f32>(f32(cell - y * p.cells_w), f32(y)) + p.offset) * p.stride;
{%- if box_form == "corners" %}
    return at.xyxy + v * p.gain.xyxy;
{%- elif box_form == "distances" %}
    return vec4<f32>(at - v.xy * p.gain, at + v.zw * p.gain);
{%- else %}
    let centre = at + v.xy * p.gain;
{%- if box_form == "centre" %}
    let half_size = v.zw * p.size * 0.5;
{%- elif box_form == "centre_exp" %}
    let half_size = exp(v.zw * p.size_factor) * p.size * 0.5;
{%- elif box_form == "centre_square" %}
    let half_size = v.zw * v.zw * p.size * 2.0;
{%- endif %}
    return vec4<f32>(centre - half_size, centre + half_size);
{%- endif %}
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
{%- if objectness %}
    let object = f32(objectness[p.objectness_base + tile * p.objectness_tile + cell].x);
{%- else %}
    let object = 1.0;
{%- endif %}
    if !best.finite || !all_finite(vec4<f32>(object)) {
        atomicAdd(&header[HEADER_NOT_FINITE], 1u);
        return;
    }
    var score = class_factor({% if class_sigmoid %}sigmoid(vec4<f32>(best.score)).x{% else %}best.score{% endif %});
{%- if objectness %}
    score *= objectness_factor({% if objectness_sigmoid %}sigmoid(vec4<f32>(object)).x{% else %}object{% endif %});
{%- endif %}
    if !all_finite(vec4<f32>(score)) {
        atomicAdd(&header[HEADER_NOT_FINITE], 1u);
        return;
    }
    if !passes(score, best.class_id) {
        return;
    }
    let raw = vec4<f32>(boxes[p.boxes_base + tile * p.boxes_tile + cell]);
    // Before the sigmoid, which makes infinities finite.
    if !all_finite(raw) {
        atomicAdd(&header[HEADER_NOT_FINITE], 1u);
        return;
    }
    let rect = box_of(cell, {% if box_sigmoid %}sigmoid(raw){% else %}raw{% endif %});
    emit(slot, tiles[p.first_tile + tile], anchor, rect, score, best.class_id);
}
