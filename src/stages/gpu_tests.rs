//! Preprocessing, decoding and compaction on the device against their CPU oracles.

use super::decode::{self, DecodeBuffers, DecodeTargets};
use super::frame::Frame;
use super::infer::{Arenas, Network, NetworkWeights, unpack};
use super::preprocess::{self, PixelSource};
use super::{Candidate, Header, ImageView, PixelFormat};
use crate::geom::{GridOptions, IRectPx, ResizeMode, Tile, TileGrid, TileSize, TileTransform};
use crate::gpu::{Context, ContextOptions, Recorder, encode, map_read};
use crate::heads::{GflHead, GflLevel, Head, YoloxHead, YoloxLevel};
use crate::kernels::nn::Launch;
use crate::kernels::rank::begin;
use crate::model::{
    Activation, ArenaPlan, ChannelOrder, FORMAT_VERSION, Graph, InputSpec, Model, ModelInfo, Node, Op,
    Weights,
};
use crate::reference::{decode as oracle, resample};
use safetensors::SafeTensors;
use wgpu::util::DeviceExt;

fn context() -> Option<Context> {
    match Context::new(&ContextOptions::default()) {
        Ok(context) => Some(context),
        Err(error) => {
            let required = std::env::var_os("TILEHAWK_REQUIRE_GPU").is_some_and(|value| value == "1");
            assert!(!required, "a GPU is required: {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

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
    ModelInfo {
        version: FORMAT_VERSION,
        name: "test".into(),
        licence: String::new(),
        source: String::new(),
        input: spec,
        classes: (0..classes).map(|c| c.to_string()).collect(),
        head,
        graph,
    }
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
    let weights = NetworkWeights::new(context, &model, false).unwrap();
    let network = Network { model: &model, plan: &plan, weights: &weights, arenas: &arenas };
    let frame = Frame::new(context, [width, height], format, max_band_bytes).unwrap();
    frame.upload(context, &ImageView::new(width, height, format, pixels).unwrap());
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

/// A model whose head reads channels of the input directly: [3, h, w] cannot hold a head, so constant convolutions
/// make its maps from bias alone and the test overwrites them.
fn head_model(head: Head, maps: &[(&str, u32, u32)], classes: usize) -> Model {
    let mut weights = Weights::default();
    let mut nodes = Vec::new();
    for &(name, channels, stride) in maps {
        let data = vec![0.0; (channels * 3) as usize];
        let shape = vec![channels as usize, 3, 1, 1];
        weights.insert(name, crate::model::Tensor { shape, data }).unwrap();
        nodes.push(Node {
            name: name.into(),
            inputs: vec!["input".into()],
            op: Op::Conv {
                weight: name.into(),
                bias: None,
                stride: [stride; 2],
                padding: [0; 4],
                dilation: [1; 2],
                groups: 1,
                activation: Activation::None,
                residual: crate::model::Residual::None,
            },
        });
    }
    let graph = Graph { input: "input".into(), nodes, outputs: Vec::new() };
    Model::new(info(input([64, 64], ResizeMode::LetterboxTopLeft), graph, Some(head), classes), weights)
        .unwrap()
}

/// Values in a range, seeded.
fn random(seed: u64, count: usize, low: f32, high: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            low + (high - low) * ((state >> 40) as f32 / (1u64 << 24) as f32)
        })
        .collect()
}

/// Puts `values` `[channels, h, w]` of a tile into a map on the device.
fn write_map(context: &Context, network: &Network<'_>, name: &str, tile: u32, values: &[f32]) {
    let map = network.map(name).unwrap();
    let pixels = map.shape.pixels() as usize;
    let mut packed = vec![0.0f32; map.shape.padded_len() as usize];
    for (at, value) in values.iter().enumerate() {
        let (channel, pixel) = (at / pixels, at % pixels);
        packed[(channel / 4 * pixels + pixel) * 4 + channel % 4] = *value;
    }
    let offset = u64::from(map.base) * 16 + u64::from(tile) * map.shape.padded_len() * 4;
    context.queue().write_buffer(map.buffer, offset, bytemuck::cast_slice(&packed));
}

/// Decodes random maps of five tiles in chunks of two and compares with the oracle.
fn check_decode(model: &Model, make: impl Fn(&str, u64, usize) -> Vec<f32>, confidence: f32, capacity: u32) {
    let Some(context) = context() else { return };
    let head = model.info().head.clone().unwrap();
    let plan = ArenaPlan::new(&model.info().graph, model.shapes(), &head.maps()).unwrap();
    let arenas = Arenas::new(&context, &plan, false, 2).unwrap();
    let weights = NetworkWeights::new(&context, model, false).unwrap();
    let network = Network { model, plan: &plan, weights: &weights, arenas: &arenas };
    let options = GridOptions { tile: TileSize::square(50), overlap: [0.3; 2], full_image: true };
    let grid = TileGrid::new(80, 70, &options).unwrap();
    assert_eq!(grid.tiles.len(), 5);
    let tiles = context.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: bytemuck::cast_slice(&preprocess::source_tiles(&grid, &model.info().input).unwrap()),
        usage: wgpu::BufferUsages::STORAGE,
    });
    let header = context.storage("header", size_of::<Header>() as u64).unwrap();
    let candidates = context.storage("candidates", u64::from(capacity) * 32).unwrap();
    let buffers = DecodeBuffers::new(&context, &network, &head, 2).unwrap();
    let targets = DecodeTargets { tiles: &tiles, header: &header, candidates: &candidates, confidence };
    let mut expected = oracle::Decoded::default();
    let mut bytes = Vec::new();
    for (chunk, range) in [(0u32, 0..2u32), (1, 2..4), (2, 4..5)] {
        let mut recorder = Recorder::new(&context);
        if chunk == 0 {
            begin::record(&mut recorder, &header, capacity).unwrap();
        }
        for tile in range.clone() {
            let mut maps = oracle::Maps::new();
            for name in head.maps() {
                let shape = model.shapes().get(name).unwrap();
                let seed = u64::from(tile) * 100 + name.len() as u64 + u64::from(name.as_bytes()[0]);
                let values = make(name, seed, (shape.channels * shape.pixels()) as usize);
                write_map(&context, &network, name, tile - range.start, &values);
                maps.insert(name.to_owned(), values);
            }
            let spec = &model.info().input;
            let rect = grid.tiles[tile as usize].rect;
            let transform = TileTransform::new(rect, [spec.width, spec.height], spec.resize);
            let found = oracle::decode(model, &maps, &transform, tile, confidence);
            expected.candidates.extend(found.candidates);
            expected.not_finite += found.not_finite;
            expected.empty += found.empty;
        }
        decode::record(&mut recorder, &network, &buffers, &targets, (range.start, range.end - range.start))
            .unwrap();
        bytes = run(&context, recorder, &header);
    }
    let found: Header = bytemuck::pod_read_unaligned(&bytes[..size_of::<Header>()]);
    let total = expected.candidates.len() as u32;
    assert!(total > 4, "{total} candidates are too few to tell");
    assert_eq!((found.candidates, found.kept_candidates), (total, total.min(capacity)));
    assert_eq!((found.not_finite, found.empty), (expected.not_finite, expected.empty));
    let list = run(&context, Recorder::new(&context), &candidates);
    for (row, (bytes, wanted)) in list.chunks_exact(32).zip(&expected.candidates).enumerate() {
        let got: Candidate = bytemuck::pod_read_unaligned(bytes);
        assert_eq!(
            (got.class_id, got.tile, got.anchor),
            (wanted.class_id, wanted.tile, wanted.anchor),
            "row {row}"
        );
        let close = |a: f32, b: f32| (a - b).abs() <= 1e-5 * b.abs().max(1.0) * 10.0;
        assert!(close(got.score, wanted.score), "row {row}: {got:?} {wanted:?}");
        let pairs = got.rect.to_array().into_iter().zip(wanted.rect.to_array());
        assert!(pairs.into_iter().all(|(a, b)| close(a, b)), "row {row}: {got:?} {wanted:?}");
    }
}

fn yolox_model() -> Model {
    let level = |stride: u32, n: &str| YoloxLevel {
        stride,
        boxes: format!("box{n}"),
        objectness: format!("obj{n}"),
        classes: format!("cls{n}"),
    };
    let head = Head::Yolox(YoloxHead { levels: vec![level(8, "0"), level(16, "1")] });
    let maps =
        [("box0", 4, 8), ("obj0", 1, 8), ("cls0", 7, 8), ("box1", 4, 16), ("obj1", 1, 16), ("cls1", 7, 16)];
    head_model(head, &maps, 7)
}

#[test]
fn yolox_decoding_equals_the_oracle() {
    let make = |name: &str, seed: u64, count: usize| match &name[..3] {
        "box" => {
            let mut values = random(seed, count, -3.0, 3.0);
            values[5] = f32::NAN;
            values[count - 2] = f32::INFINITY;
            values
        }
        _ => {
            let mut values = random(seed, count, 0.0, 1.0);
            values[count / 2] = f32::NAN;
            values
        }
    };
    check_decode(&yolox_model(), make, 0.4, 1 << 10);
    check_decode(&yolox_model(), make, 0.4, 7);
}

#[test]
fn a_score_equal_to_the_confidence_passes() {
    let make = |name: &str, seed: u64, count: usize| match &name[..3] {
        "box" => random(seed, count, -1.0, 1.0),
        "obj" => vec![1.0; count],
        // Ties between classes as well: the first must win.
        _ => (0..count).map(|i| if i % 3 == 0 { 0.25 } else { 0.125 }).collect(),
    };
    check_decode(&yolox_model(), make, 0.25, 1 << 12);
}

#[test]
fn gfl_decoding_equals_the_oracle() {
    let level =
        |stride: u32, n: &str| GflLevel { stride, classes: format!("cls{n}"), distances: format!("dis{n}") };
    let head = Head::Gfl(GflHead { bins: 8, centre: 0.5, levels: vec![level(8, "0"), level(32, "1")] });
    let maps = [("cls0", 5, 8), ("dis0", 32, 8), ("cls1", 5, 32), ("dis1", 32, 32)];
    let make = |name: &str, seed: u64, count: usize| match &name[..3] {
        "dis" => random(seed, count, -6.0, 6.0),
        _ => random(seed, count, 0.0, 1.0),
    };
    check_decode(&head_model(head, &maps, 5), make, 0.6, 1 << 10);
}
