//! The exact decision of `shaders/shared/overlap.wgsl` against division in Rust.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::{MatchParams, MatchRule};
use crate::geom::{Metric, RectPx};
use crate::gpu::testing::context;
use crate::gpu::{Bind, Binding, Context, KernelSpec, Recorder, Variant, groups_1d, map_read};

/// Areas are stored by one kernel and compared by the next, as in the merge.
const AREAS: KernelSpec = KernelSpec {
    name: "test_areas",
    source: r"
@group(0) @binding(0) var<storage, read> rects: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> areas: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&rects) {
        let rect = rects[id.x];
        areas[id.x] = (rect.z - rect.x) * (rect.w - rect.y);
    }
}",
    workgroup: [64, 1, 1],
    bindings: &[Binding::read("rects"), Binding::write("areas")],
};

const OVERLAPS: KernelSpec = KernelSpec {
    name: "test_overlaps",
    source: r#"
{% include "shared/match_params.wgsl" %}
@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> rects: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> areas: array<f32>;
@group(0) @binding(3) var<storage, read_write> found: array<u32>;
{% include "shared/overlap.wgsl" %}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = 2u * id.x;
    if i < arrayLength(&rects) {
        found[id.x] = u32(overlaps(rects[i], areas[i], rects[i + 1u], areas[i + 1u]));
    }
}"#,
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("rects"),
        Binding::read("areas"),
        Binding::write("found"),
    ],
};

const REACHES: KernelSpec = KernelSpec {
    name: "test_reaches",
    source: r#"
{% include "shared/match_params.wgsl" %}
@group(0) @binding(0) var<uniform> p: MatchParams;
@group(0) @binding(1) var<storage, read> pairs: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> found: array<u32>;
{% include "shared/overlap.wgsl" %}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&pairs) {
        found[id.x] = u32(reaches(pairs[id.x].x, pairs[id.x].y));
    }
}"#,
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("pairs"), Binding::write("found")],
};

fn params(metric: Metric, threshold: f32) -> MatchParams {
    MatchParams::new(&MatchRule { metric, threshold, class_aware: false }, 4)
}

fn upload<T: bytemuck::Pod>(context: &Context, values: &[T]) -> wgpu::Buffer {
    let bytes: &[u8] = bytemuck::cast_slice(values);
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let buffer = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes.len() as u64,
        usage,
        mapped_at_creation: false,
    });
    context.queue().write_buffer(&buffer, 0, bytes);
    buffer
}

fn finish(context: &Context, recorder: Recorder<'_>, found: &wgpu::Buffer) -> Vec<u32> {
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let readback = context.buffer("found", found.size(), usage).unwrap();
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    crate::gpu::encode(&mut encoder, &[&recorder.finish()], None);
    encoder.copy_buffer_to_buffer(found, 0, &readback, 0, found.size());
    let submission = context.queue().submit([encoder.finish()]);
    map_read(context, &readback, submission).unwrap().wait().unwrap();
    let view = readback.get_mapped_range(..).unwrap();
    bytemuck::pod_collect_to_vec(&view)
}

fn gpu_reaches(context: &Context, pairs: &[[f32; 2]], threshold: f32) -> Vec<u32> {
    let mut recorder = Recorder::new(context);
    let kernel = context.kernel(&REACHES, &Variant::default()).unwrap();
    let uniform = recorder.uniform(&params(Metric::Iou, threshold)).unwrap();
    let input = upload(context, pairs);
    let found = context.storage("found", 4 * pairs.len() as u64).unwrap();
    let groups = groups_1d(pairs.len() as u64, 64);
    recorder.dispatch(&kernel, &[&uniform, &input, &found].map(Bind::Buffer), groups).unwrap();
    finish(context, recorder, &found)
}

fn gpu_overlaps(context: &Context, rects: &[RectPx], metric: Metric, threshold: f32) -> Vec<u32> {
    let mut recorder = Recorder::new(context);
    let areas_kernel = context.kernel(&AREAS, &Variant::default()).unwrap();
    let overlaps = context.kernel(&OVERLAPS, &Variant::default()).unwrap();
    let uniform = recorder.uniform(&params(metric, threshold)).unwrap();
    let input = upload(context, rects);
    let areas = context.storage("areas", 4 * rects.len() as u64).unwrap();
    let found = context.storage("found", 2 * rects.len() as u64).unwrap();
    let groups = groups_1d(rects.len() as u64, 64);
    recorder.dispatch(&areas_kernel, &[&input, &areas].map(Bind::Buffer), groups.clone()).unwrap();
    recorder.dispatch(&overlaps, &[&uniform, &input, &areas, &found].map(Bind::Buffer), groups).unwrap();
    finish(context, recorder, &found)
}

const THRESHOLDS: [f32; 12] =
    [f32::MIN_POSITIVE, 1e-6, 0.1, 0.25, 0.3, 0.45, 0.499_999_97, 0.5, 0.500_000_06, 0.55, 0.999_999_94, 1.0];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 ^ (self.0 >> 45) as u32
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 7) as f32 / (1 << 24) as f32
    }
}

/// Quotients within a few units in the last place of the threshold, random ones and special values.
fn pairs(threshold: f32, random: &mut Random) -> Vec<[f32; 2]> {
    let mut pairs = Vec::new();
    for _ in 0..3000 {
        let exponent = (random.next() % 60 + 90) << 23;
        let b = f32::from_bits(exponent | (random.next() & 0x7f_ffff));
        let a = (b * threshold).to_bits();
        pairs.extend((0..7).map(|step| [f32::from_bits((a + step).saturating_sub(3)), b]));
        pairs.push([b * random.unit(), b]);
    }
    let special = [0.0, -0.0, -1.0, 1.0, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::NAN, 3.0];
    pairs.extend(special.iter().flat_map(|&a| special.map(|b| [a, b])));
    pairs
}

fn cpu_reaches([a, b]: [f32; 2], threshold: f32) -> bool {
    a >= f32::MIN_POSITIVE && a.is_finite() && b >= f32::MIN_POSITIVE && b.is_finite() && a / b >= threshold
}

#[test]
fn quotients_near_the_threshold_are_decided_as_by_division() {
    let Some(context) = context() else { return };
    let mut random = Random(1);
    for threshold in THRESHOLDS {
        let mut pairs = pairs(threshold, &mut random);
        if threshold == f32::MIN_POSITIVE {
            pairs.retain(|[a, _]| *a >= f32::MIN_POSITIVE);
        }
        let found = gpu_reaches(&context, &pairs, threshold);
        for (pair, &found) in pairs.iter().zip(&found) {
            assert_eq!(found == 1, cpu_reaches(*pair, threshold), "{pair:?} against {threshold}");
        }
    }
}

#[test]
fn a_threshold_one_step_off_is_seen() {
    let Some(context) = context() else { return };
    let pairs = pairs(0.3, &mut Random(2));
    let off = f32::from_bits(0.3_f32.to_bits() + 1);
    let found = gpu_reaches(&context, &pairs, off);
    assert!(pairs.iter().zip(&found).any(|(pair, &found)| (found == 1) != cpu_reaches(*pair, 0.3)));
}

/// Pairs of boxes that overlap, many with an exact or nearly exact quotient.
fn rects(threshold: f32, random: &mut Random) -> Vec<RectPx> {
    let mut rects = Vec::new();
    for i in 0..6000 {
        let scale = if i % 3 == 0 { 1.0 } else { 100.0 * random.unit() + 0.01 };
        let whole = |v: f32| if i % 2 == 0 { v.round() } else { v };
        let x0 = whole(4000.0 * random.unit());
        let y0 = whole(4000.0 * random.unit());
        let (w, h) = (whole(40.0 * random.unit() + 1.0) * scale, whole(40.0 * random.unit() + 1.0) * scale);
        let a = RectPx::new(x0, y0, x0 + w, y0 + h);
        // The same height, shifted so that the quotient comes close to the threshold.
        let keep = match i % 4 {
            0 => threshold,
            1 => 2.0 * threshold / (1.0 + threshold),
            _ => random.unit(),
        };
        let x = x0 + w * (1.0 - keep);
        let y = if i % 4 < 2 { y0 } else { y0 + h * random.unit() * 0.5 };
        rects.extend([a, RectPx::new(x, y, x + w, y + h)]);
    }
    rects
}

#[test]
fn overlaps_equal_the_metric_in_f32() {
    let Some(context) = context() else { return };
    let mut random = Random(3);
    for threshold in THRESHOLDS {
        let rects = rects(threshold, &mut random);
        for metric in [Metric::Iou, Metric::Ios] {
            let found = gpu_overlaps(&context, &rects, metric, threshold);
            for (pair, &found) in rects.chunks_exact(2).zip(&found) {
                let value = metric.of(&pair[0], &pair[1]);
                assert_eq!(found == 1, value >= threshold, "{pair:?}: {value} against {threshold}");
            }
        }
    }
}
