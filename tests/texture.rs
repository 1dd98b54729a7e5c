//! Detection of a texture on a device of the caller's: the same boxes as from host memory, and nothing of the
//! caller's is disturbed.

mod common;

use common::shared;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tilehawk::geom::{GridOptions, TileSize};
use tilehawk::gpu::Context;
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::Model;
use tilehawk::stages::{Candidate, Header};
use tilehawk::{
    DetectOptions, Detection, Detector, DetectorOptions, ErrorKind, ImageView, PixelFormat, wgpu,
};

const WIDTH: u32 = 700;
const HEIGHT: u32 = 416;

/// The caller's device: WebGPU's default limits, no features, an error handler that counts.
struct Host {
    device: wgpu::Device,
    queue: wgpu::Queue,
    errors: Arc<AtomicU32>,
}

fn host() -> Option<Host> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let wanted = std::env::var("WGPU_ADAPTER_NAME").unwrap_or_default().to_lowercase();
    let backends = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::all()) - wgpu::Backends::GL;
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    let Some(adapter) = adapters.into_iter().find(|a| a.get_info().name.to_lowercase().contains(&wanted))
    else {
        let required = std::env::var_os("TILEHAWK_REQUIRE_GPU").is_some_and(|value| value == "1");
        assert!(!required, "a GPU is required");
        eprintln!("skipped: no adapter");
        return None;
    };
    let descriptor = wgpu::DeviceDescriptor {
        required_features: wgpu::Features::empty(),
        required_limits: wgpu::Limits::default(),
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).expect("works");
    let errors = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&errors);
    device.on_uncaptured_error(Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    Some(Host { device, queue, errors })
}

/// A part of a street with cars, RGBA.
fn picture() -> Option<Vec<u8>> {
    let image = libjpeg_turbo_rs::decompress_to(
        &shared("images/small-vehicles1.jpeg")?,
        libjpeg_turbo_rs::PixelFormat::Rgb,
    )
    .expect("works");
    let [x0, y0] = [300, 150];
    let mut pixels = Vec::new();
    for y in 0..HEIGHT as usize {
        let row = ((y0 + y) * image.width + x0) * 3;
        let rgb = &image.data[row..row + 3 * WIDTH as usize];
        pixels.extend(rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]));
    }
    Some(pixels)
}

fn model() -> Option<Model> {
    Some(import(&shared("models/yolox_nano_416.onnx")?, &ImportOptions::default()).expect("works"))
}

fn texture(host: &Host, format: wgpu::TextureFormat, pixels: &[u8]) -> wgpu::TextureView {
    let size = wgpu::Extent3d { width: WIDTH, height: HEIGHT, depth_or_array_layers: 1 };
    let texture = host.device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let layout =
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * WIDTH), rows_per_image: None };
    host.queue.write_texture(texture.as_image_copy(), pixels, layout, size);
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

fn options() -> DetectOptions {
    let grid = GridOptions { tile: TileSize::square(416), overlap: [0.2; 2], full_image: false };
    DetectOptions { grid, confidence: 0.3, ..DetectOptions::default() }
}

/// Submits an encoder after copies of header and boxes, and reads both.
fn read_back(
    host: &Host,
    mut encoder: wgpu::CommandEncoder,
    found: &tilehawk::DetectionBuffers,
) -> (Header, Vec<Detection>) {
    let bytes = found.header.size() + found.boxes.size();
    let target = host.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    encoder.copy_buffer_to_buffer(&found.header, 0, &target, 0, found.header.size());
    encoder.copy_buffer_to_buffer(&found.boxes, 0, &target, found.header.size(), found.boxes.size());
    host.queue.submit([encoder.finish()]);
    target.map_async(wgpu::MapMode::Read, .., |result| result.expect("works"));
    host.device.poll(wgpu::PollType::wait_indefinitely()).expect("works");
    let view = target.get_mapped_range(..).expect("works");
    let header: Header = bytemuck::pod_read_unaligned(&view[..size_of::<Header>()]);
    let boxes = view[usize::try_from(found.header.size()).expect("works")..]
        .chunks_exact(size_of::<Candidate>())
        .take(header.boxes as usize)
        .map(|bytes| Detection::from(&bytemuck::pod_read_unaligned::<Candidate>(bytes)))
        .collect();
    (header, boxes)
}

/// The worst difference in pixels and in scores, or what else differs.
fn difference(found: &[Detection], expected: &[Detection]) -> Result<(f32, f32), String> {
    if found.len() != expected.len() {
        return Err(format!("{} boxes, expected {}", found.len(), expected.len()));
    }
    let (mut px, mut score) = (0.0f32, 0.0f32);
    for (a, b) in found.iter().zip(expected) {
        if a.class_id != b.class_id {
            return Err(format!("{a:?} for {b:?}"));
        }
        score = score.max((a.score - b.score).abs());
        for (x, y) in a.rect.to_array().into_iter().zip(b.rect.to_array()) {
            px = px.max((x - y).abs());
        }
    }
    if px > 1e-3 || score > 1e-4 {
        return Err(format!("off by {px} px, {score} in score"));
    }
    Ok((px, score))
}

#[test]
fn a_texture_gives_the_boxes_of_its_pixels() {
    let (Some(host), Some(pixels), Some(model)) = (host(), picture(), model()) else { return };
    let context = Context::from_device(host.device.clone(), host.queue.clone()).unwrap();
    let detector = Detector::new(&context, &model, DetectorOptions::default()).unwrap();
    let options = options();
    let image = ImageView::new(WIDTH, HEIGHT, PixelFormat::Rgba8, &pixels).unwrap();
    let expected = detector.detect(&image, &options).unwrap();
    assert!(expected.items.len() > 5, "{} boxes are too few to tell", expected.items.len());
    assert_eq!(expected.stats.tiles, 2);
    for format in [wgpu::TextureFormat::Rgba8Unorm, wgpu::TextureFormat::Rgba8UnormSrgb] {
        let view = texture(&host, format, &pixels);
        let submitted = detector.submit_texture(&view, &options).unwrap().wait().unwrap();
        let worst = difference(&submitted.items, &expected.items);
        println!("{format:?} submitted: {worst:?}");
        assert!(worst.is_ok(), "{format:?}: {worst:?}");
        assert_eq!((submitted.stats.submissions, submitted.stats.maps, submitted.stats.bytes_up), (1, 1, 0));

        let mut encoder = host.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let found = detector.encode(&mut encoder, &view, &options).unwrap();
        let (header, boxes) = read_back(&host, encoder, &found);
        assert_eq!(boxes, submitted.items, "{format:?}: encoding and submitting differ");
        assert_eq!(header.cookie, Header::COOKIE);
        assert_eq!((header.vertex_count, header.first_vertex, header.first_instance), (4, 0, 0));
        assert_eq!((header.undecided, header.capacity), (0, found.capacity));
        assert_eq!(header.candidates, expected.stats.candidates);
        assert_eq!(header.kept_candidates, header.candidates);
    }
    assert_eq!(host.errors.load(Ordering::Relaxed), 0, "the caller's error handler was called");
}

#[test]
fn an_overflow_of_encode_is_told_in_the_header() {
    let (Some(host), Some(pixels), Some(model)) = (host(), picture(), model()) else { return };
    let context = Context::from_device(host.device.clone(), host.queue.clone()).unwrap();
    let small = DetectorOptions { candidate_capacity: 4, ..DetectorOptions::default() };
    let detector = Detector::new(&context, &model, small).unwrap();
    let view = texture(&host, wgpu::TextureFormat::Rgba8Unorm, &pixels);
    let run = || {
        let mut encoder = host.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let found = detector.encode(&mut encoder, &view, &options()).unwrap();
        read_back(&host, encoder, &found)
    };
    let (header, _) = run();
    assert_eq!((header.capacity, header.kept_candidates), (4, 4));
    assert!(header.candidates > 4);
    detector.reserve(header.candidates).unwrap();
    let (grown, boxes) = run();
    assert_eq!((grown.candidates, grown.kept_candidates), (header.candidates, header.candidates));
    assert!(boxes.len() > 4);
    assert_eq!(host.errors.load(Ordering::Relaxed), 0);
}

#[test]
fn the_callers_error_handler_is_left_alone() {
    let (Some(host), Some(model)) = (host(), model()) else { return };
    let context = Context::from_device(host.device.clone(), host.queue.clone()).unwrap();
    let detector = Detector::new(&context, &model, DetectorOptions::default()).unwrap();
    // Our own errors come back as such.
    assert_eq!(detector.reserve(u32::MAX).unwrap_err().kind(), ErrorKind::Capacity);
    let sampled = host.device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: 8, height: 8, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Uint,
        usage: wgpu::TextureUsages::TEXTURE_BINDING,
        view_formats: &[],
    });
    let view = sampled.create_view(&wgpu::TextureViewDescriptor::default());
    let error = detector.submit_texture(&view, &options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("Rgba8Uint"), "{error}");
    assert_eq!(host.errors.load(Ordering::Relaxed), 0);
    // The caller's go where they went before.
    drop(host.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::MAX,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    }));
    assert_eq!(host.errors.load(Ordering::Relaxed), 1);
}

#[test]
fn the_comparison_can_fail() {
    let one = Detection { rect: tilehawk::geom::RectPx::new(1.0, 1.0, 2.0, 2.0), score: 0.5, class_id: 1 };
    assert!(difference(&[one], &[one]).is_ok());
    assert!(difference(&[one], &[]).is_err());
    let rect = tilehawk::geom::RectPx::new(1.0, 1.0, 2.0, 2.01);
    assert!(difference(&[Detection { rect, ..one }], &[one]).is_err());
    assert!(difference(&[Detection { class_id: 2, ..one }], &[one]).is_err());
    assert!(difference(&[Detection { score: 0.501, ..one }], &[one]).is_err());
}
