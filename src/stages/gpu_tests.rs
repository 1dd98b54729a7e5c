//! Preprocessing on the device against its CPU oracle, and what the tests of decoding share with it.

mod decode_tests;
mod dense_tests;
mod matrix_tests;
mod separable_tests;
mod stem_tests;
mod tiling_tests;
mod view_tests;

use super::frame::Frame;
use super::infer::{Arenas, Network, unpack};
use super::preprocess::{self, PixelSource};
use super::weights::NetworkWeights;
use super::{ImageView, PixelFormat};
use crate::geom::{IRectPx, ResizeMode, Tile, TileGrid};
use crate::gpu::testing::context;
use crate::gpu::{Context, Recorder, encode, map_read};
use crate::heads::Head;
use crate::kernels::nn::Launch;
use crate::model::{
    Activation, ArenaPlan, ChannelOrder, Graph, InputSpec, Model, ModelInfo, Node, Op, Weights,
};
use crate::reference::resample;
use safetensors::SafeTensors;
use wgpu::util::DeviceExt;

/// Bytes of a buffer after the recordings ran.
fn run(context: &Context, recorder: Recorder<'_>, source: &wgpu::Buffer) -> Vec<u8> {
    let target = context
        .buffer("download", source.size(), wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ)
        .unwrap();
    let submission = context
        .checked("test", || {
            let mut encoder =
                context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encode(&mut encoder, &[&recorder.finish()], None);
            encoder.copy_buffer_to_buffer(source, 0, &target, 0, source.size());
            context.queue().submit([encoder.finish()])
        })
        .unwrap();
    map_read(context, &target, submission).unwrap().wait().unwrap();
    target.get_mapped_range(..).unwrap().to_vec()
}

fn input(size: [u32; 2], resize: ResizeMode) -> InputSpec {
    InputSpec {
        width: size[0],
        height: size[1],
        order: ChannelOrder::Rgb,
        mean: [0.0; 3],
        std: [1.0; 3],
        resize,
        pad: 114.0,
    }
}

/// A model that only has an input and copies it.
fn copying_model(spec: InputSpec) -> Model {
    let node = Node {
        name: "copy".into(),
        inputs: vec!["input".into()],
        op: Op::Activate { activation: Activation::None },
    };
    let graph = Graph { input: "input".into(), nodes: vec![node], outputs: Vec::new() };
    Model::new(info(spec, graph, None, 0), Weights::default()).unwrap()
}

fn info(spec: InputSpec, graph: Graph, head: Option<Head>, classes: usize) -> ModelInfo {
    let classes = (0..classes).map(|c| c.to_string()).collect();
    ModelInfo { classes, head, ..ModelInfo::new("test", spec, graph) }
}

/// The network's input `[tiles, 3, h, w]` that the device makes of some tiles of a picture.
fn preprocess_tiles(
    context: &Context,
    (width, format, pixels): (u32, PixelFormat, &[u8]),
    tiles: &[IRectPx],
    spec: &InputSpec,
    max_band_bytes: Option<u64>,
) -> Vec<Vec<f32>> {
    let height = pixels.len() as u32 / width / format.bytes();
    let grid = TileGrid {
        image_width: width,
        image_height: height,
        tiles: tiles.iter().map(|&rect| Tile { rect }).collect(),
    };
    let model = copying_model(spec.clone());
    let plan = ArenaPlan::new(&model.info().graph, model.shapes(), &["copy"]).unwrap();
    let count = tiles.len() as u32;
    let arenas = Arenas::new(context, &plan, false, count).unwrap();
    let weights = NetworkWeights::new(context, &model, &plan, false).unwrap();
    let network = Network { model: &model, plan: &plan, weights: &weights, arenas: &arenas };
    let frame = Frame::new(context, [width, height], format, max_band_bytes).unwrap();
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let image = ImageView::new(width, height, format, pixels).unwrap();
    let staged = frame.upload(context, &mut encoder, &image).unwrap();
    context.queue().submit([encoder.finish()]);
    frame.sent(staged);
    let tile_buffer = context.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: bytemuck::cast_slice(&preprocess::source_tiles(&grid, spec).unwrap()),
        usage: wgpu::BufferUsages::STORAGE,
    });
    let target = network.map("input").unwrap();
    // Poison: every pixel must be written.
    let poison = vec![f32::NAN; target.buffer.size() as usize / 4];
    context.queue().write_buffer(target.buffer, 0, bytemuck::cast_slice(&poison));
    let mut recorder = Recorder::new(context);
    let launch = Launch { f16: false, tiles: count };
    let chunk = (&grid, &tile_buffer, 0..count);
    preprocess::record(&mut recorder, launch, PixelSource::Frame(&frame), chunk, (spec, target)).unwrap();
    let bytes = run(context, recorder, target.buffer);
    let values: &[f32] = bytemuck::cast_slice(&bytes);
    let per_tile = target.shape.padded_len() as usize;
    values.chunks_exact(per_tile).take(tiles.len()).map(|map| unpack(map, target.shape)).collect()
}

fn worst(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let difference = |(a, b): (&f32, &f32)| if a.is_nan() { f32::INFINITY } else { (a - b).abs() };
    found.iter().zip(expected).map(difference).fold(0.0, f32::max)
}

#[derive(serde::Deserialize)]
struct ResizeCase {
    name: String,
    rect: [u32; 4],
    size: u32,
    mode: ResizeMode,
    pad_value: f32,
}

#[derive(serde::Deserialize)]
struct ResizeCases {
    cases: Vec<ResizeCase>,
}

/// Largest difference from OpenCV allowed, of 255.
const RESIZE_TOLERANCE: f32 = 0.255;

#[test]
fn resize_equals_opencv() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance");
    if !folder.exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is missing", folder.display());
        eprintln!("skipped: {} is missing", folder.display());
        return;
    }
    let Some(context) = context() else { return };
    let cases: ResizeCases =
        serde_json::from_slice(&std::fs::read(folder.join("resize.json")).unwrap()).unwrap();
    let bytes = std::fs::read(folder.join("resize.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let image = file.tensor("image").unwrap();
    let width = image.shape()[1];
    assert!(!cases.cases.is_empty());
    let mut overall = 0.0f32;
    for case in &cases.cases {
        let mut spec = input([case.size; 2], case.mode);
        spec.pad = case.pad_value;
        let [x0, y0, x1, y1] = case.rect;
        let tile = IRectPx::new(x0, y0, x1, y1);
        let expected: Vec<f32> = bytemuck::pod_collect_to_vec(file.tensor(&case.name).unwrap().data());
        let pixels = case.size as usize * case.size as usize;
        let planar: Vec<f32> = (0..3 * pixels).map(|i| expected[(i % pixels) * 3 + i / pixels]).collect();
        let oracle = resample::resample(resample::Rgb { width, pixels: image.data() }, tile, &spec);
        assert!(worst(&oracle, &planar) <= RESIZE_TOLERANCE, "oracle, {}", case.name);
        for band in [None, Some(20_000)] {
            let picture = (width as u32, PixelFormat::Rgb8, image.data());
            let found = preprocess_tiles(&context, picture, &[tile], &spec, band);
            let difference = worst(&found[0], &planar);
            assert!(difference <= RESIZE_TOLERANCE, "{}: {difference}", case.name);
            overall = overall.max(difference);
        }
    }
    println!("{} resize cases, worst difference {overall:.2e} of 255", cases.cases.len());
}

#[test]
fn formats_bands_and_orders_agree() {
    let Some(context) = context() else { return };
    let (width, height) = (61u32, 47u32);
    let rgb: Vec<u8> = (0..width * height * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let tiles = [IRectPx::new(0, 0, 61, 47), IRectPx::new(3, 5, 20, 44), IRectPx::new(60, 46, 61, 47)];
    let mut spec = input([40, 24], ResizeMode::LetterboxCentre);
    spec.order = ChannelOrder::Bgr;
    spec.mean = [10.0, 20.0, 30.0];
    spec.std = [2.0, 3.0, 4.0];
    let convert = |format: PixelFormat| -> Vec<u8> {
        let pixel = |p: &[u8]| match format {
            PixelFormat::Rgb8 => p.to_vec(),
            PixelFormat::Bgr8 => vec![p[2], p[1], p[0]],
            PixelFormat::Rgba8 => vec![p[0], p[1], p[2], 77],
            PixelFormat::Bgra8 => vec![p[2], p[1], p[0], 77],
            PixelFormat::Gray8 => vec![p[0]],
        };
        rgb.chunks_exact(3).flat_map(pixel).collect()
    };
    let grey: Vec<u8> = rgb.chunks_exact(3).flat_map(|p| [p[0]; 3]).collect();
    for format in
        [PixelFormat::Rgb8, PixelFormat::Bgr8, PixelFormat::Rgba8, PixelFormat::Bgra8, PixelFormat::Gray8]
    {
        let pixels = if format == PixelFormat::Gray8 { &grey } else { &rgb };
        for band in [None, Some(32 + 2 * u64::from(width * format.bytes())), Some(2_000)] {
            let found = preprocess_tiles(&context, (width, format, &convert(format)), &tiles, &spec, band);
            for (tile, values) in tiles.iter().zip(&found) {
                let expected =
                    resample::resample(resample::Rgb { width: width as usize, pixels }, *tile, &spec);
                let difference = worst(values, &expected);
                assert!(difference < 1e-4, "{format:?} {band:?} {tile:?}: {difference}");
            }
        }
    }
    assert!(worst(&[f32::NAN], &[0.0]) > 1.0 && worst(&[1.0], &[2.0]) > 0.5);
}
