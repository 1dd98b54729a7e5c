//! Merging boxes that already lie in a GPU buffer.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/boxes.rs"]
mod boxes;
mod common;

use boxes::{Scene, scene};
use tilehawk::geom::RectPx;
use tilehawk::gpu::Context;
use tilehawk::stages::{Candidate, Header};
use tilehawk::wgpu::{self, BufferUsages};
use tilehawk::{Algorithm, BoxMerger, ErrorKind, GpuBoxes, MergeBox, MergeOptions};

const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Nms,
    Algorithm::GreedyNmm,
    Algorithm::Nmm,
    Algorithm::SoftNms,
    Algorithm::KeepBest,
    Algorithm::Wbf,
];

fn options(algorithm: Algorithm) -> MergeOptions {
    let mut options = MergeOptions::default();
    options.algorithm = algorithm;
    options.threshold = 0.3;
    options
}

fn buffer(context: &Context, bytes: &[u8]) -> wgpu::Buffer {
    let buffer = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes.len() as u64,
        usage: BufferUsages::STORAGE | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    context.queue().write_buffer(&buffer, 0, bytes);
    buffer
}

fn candidate(item: &MergeBox, anchor: u32) -> Candidate {
    Candidate { rect: item.rect, score: item.score, class_id: item.class_id, tile: 7, anchor }
}

fn input() -> (Vec<MergeBox>, Vec<Candidate>) {
    let shape = Scene { count: 3000, spread_px: 500.0, largest_px: 90.0, scores: 1 << 20, classes: 3 };
    let boxes = scene(41, &shape);
    let rows = (0..).zip(&boxes).map(|(i, item)| candidate(item, i)).collect();
    (boxes, rows)
}

#[test]
fn a_buffer_merges_as_the_slice_does() {
    let Some(context) = common::context() else { return };
    let (boxes, rows) = input();
    let on_gpu = buffer(&context, bytemuck::cast_slice(&rows));
    let count = buffer(&context, bytemuck::cast_slice(&[9_u32, 1200]));
    let mut merger = BoxMerger::new(&context);
    for algorithm in ALGORITHMS {
        let options = options(algorithm);
        for (given, expected) in [(None, 3000), (Some((&count, 4)), 1200)] {
            let slice = merger.merge(&boxes[..expected], &options).unwrap();
            let merged = merger
                .merge_buffer(&GpuBoxes { buffer: &on_gpu, rows: 3000, count: given }, &options)
                .unwrap();
            let anchors: Vec<u32> = merged.boxes.iter().map(|item| item.anchor).collect();
            assert_eq!(anchors, slice.kept, "{algorithm:?}");
            let rects: Vec<MergeBox> = merged.boxes.iter().map(MergeBox::from).collect();
            assert_eq!(rects, slice.boxes, "{algorithm:?}");
            assert!(merged.boxes.iter().all(|item| item.tile == 7), "{algorithm:?}");
            assert_eq!((merged.not_finite, merged.negative), (0, 0));
        }
    }
}

#[test]
fn unusable_rows_are_left_out_and_counted() {
    let Some(context) = common::context() else { return };
    let (boxes, mut rows) = input();
    let mut usable = vec![true; rows.len()];
    let rect = |x0, x1| RectPx::new(x0, 0.0, x1, 1.0);
    let bad = [
        (5, Candidate { score: f32::NAN, ..rows[5] }),
        (9, Candidate { score: f32::NEG_INFINITY, ..rows[9] }),
        (300, Candidate { rect: rect(f32::NAN, 1.0), ..rows[300] }),
        (301, Candidate { rect: rect(0.0, f32::INFINITY), ..rows[301] }),
        (302, Candidate { rect: rect(0.0, 2e18), ..rows[302] }),
        (2999, Candidate { rect: rect(2.0, 1.0), ..rows[2999] }),
    ];
    for (at, row) in bad {
        rows[at] = row;
        usable[at] = false;
    }
    let on_gpu = buffer(&context, bytemuck::cast_slice(&rows));
    let left: Vec<MergeBox> =
        boxes.iter().zip(&usable).filter(|(_, ok)| **ok).map(|(item, _)| *item).collect();
    let mut merger = BoxMerger::new(&context);
    for algorithm in ALGORITHMS {
        let slice = merger.merge(&left, &options(algorithm)).unwrap();
        let given = GpuBoxes { buffer: &on_gpu, rows: 3000, count: None };
        let merged = merger.merge_buffer(&given, &options(algorithm)).unwrap();
        assert_eq!(merged.boxes.iter().map(MergeBox::from).collect::<Vec<_>>(), slice.boxes, "{algorithm:?}");
        assert_eq!((merged.not_finite, merged.negative), (5, 1));
    }
    let weak = [Candidate { score: 1.5, ..rows[0] }, Candidate { score: -0.5, ..rows[0] }, rows[0]];
    let on_gpu = buffer(&context, bytemuck::cast_slice(&weak));
    let given = GpuBoxes { buffer: &on_gpu, rows: 3, count: None };
    assert_eq!(merger.merge_buffer(&given, &options(Algorithm::Wbf)).unwrap().not_finite, 2);
    assert_eq!(merger.merge_buffer(&given, &options(Algorithm::Nms)).unwrap().not_finite, 0);
}

#[test]
fn encoding_leaves_header_and_boxes_on_the_device() {
    let Some(context) = common::context() else { return };
    let (boxes, rows) = input();
    let on_gpu = buffer(&context, bytemuck::cast_slice(&rows));
    let mut merger = BoxMerger::new(&context);
    let options = options(Algorithm::GreedyNmm);
    let expected = merger.merge(&boxes, &options).unwrap();
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let given = GpuBoxes { buffer: &on_gpu, rows: 3000, count: None };
    let result = merger.encode(&mut encoder, &given, &options).unwrap();
    let bytes = 64 + 32 * expected.boxes.len() as u64;
    let read = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes,
        usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    encoder.copy_buffer_to_buffer(&result.header, 0, &read, 0, 64);
    encoder.copy_buffer_to_buffer(&result.boxes, 0, &read, 64, bytes - 64);
    context.queue().submit([encoder.finish()]);
    read.map_async(wgpu::MapMode::Read, .., |_| {});
    context.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let view = read.get_mapped_range(..).unwrap();
    let header: Header = bytemuck::pod_read_unaligned(&view[..64]);
    assert_eq!((header.boxes as usize, header.undecided), (expected.boxes.len(), 0));
    assert_eq!((header.vertex_count, header.cookie), (4, Header::COOKIE));
    let items = view[64..].chunks_exact(32).map(bytemuck::pod_read_unaligned::<Candidate>);
    assert_eq!(items.map(|item| item.anchor).collect::<Vec<_>>(), expected.kept);
}

#[test]
fn a_buffer_that_does_not_hold_the_rows_is_refused() {
    let Some(context) = common::context() else { return };
    let on_gpu = buffer(&context, &[0; 96]);
    let no_storage = context.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 96,
        usage: BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut merger = BoxMerger::new(&context);
    let cases = [
        GpuBoxes { buffer: &on_gpu, rows: 4, count: None },
        GpuBoxes { buffer: &on_gpu, rows: 3, count: Some((&on_gpu, 2)) },
        GpuBoxes { buffer: &on_gpu, rows: 3, count: Some((&on_gpu, 96)) },
        GpuBoxes { buffer: &on_gpu, rows: 3, count: Some((&on_gpu, u64::MAX - 3)) },
        GpuBoxes { buffer: &no_storage, rows: 3, count: None },
    ];
    for given in cases {
        let error = merger.merge_buffer(&given, &MergeOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    }
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let given = GpuBoxes { buffer: &on_gpu, rows: 3, count: None };
    let own = merger.encode(&mut encoder, &given, &MergeOptions::default()).unwrap();
    let given = GpuBoxes { count: Some((&own.header, 4)), ..given };
    assert_eq!(merger.merge_buffer(&given, &MergeOptions::default()).unwrap_err().kind(), ErrorKind::Input);
    let none = GpuBoxes { buffer: &on_gpu, rows: 0, count: None };
    assert!(merger.merge_buffer(&none, &MergeOptions::default()).unwrap().boxes.is_empty());
}
