//! Preprocessing fused with the first convolution gives the bytes of the two dispatches, on shapes that nothing divides.

use super::{context, input, run};
use crate::geom::{GridOptions, ResizeMode, TileGrid, TileSize};
use crate::gpu::{Context, ContextOptions, Recorder};
use crate::kernels::nn::Launch;
use crate::model::{
    Activation, ArenaPlan, ChannelOrder, Graph, InputSpec, Model, ModelInfo, Node, Op, Residual, Tensor,
    Weights,
};
use crate::stages::frame::Frame;
use crate::stages::infer::{Arenas, Network};
use crate::stages::preprocess::{self, PixelSource};
use crate::stages::weights::NetworkWeights;
use crate::stages::{ImageView, PixelFormat};
use wgpu::util::DeviceExt;

/// The first convolution and the picture before it.
#[derive(Clone, Copy, Debug)]
struct Case {
    kernel: [usize; 2],
    stride: [u32; 2],
    /// Top, left, bottom, right.
    padding: [u32; 4],
    to: usize,
    format: PixelFormat,
    resize: ResizeMode,
}

const CASE: Case = Case {
    kernel: [3, 3],
    stride: [2, 2],
    padding: [1; 4],
    to: 9,
    format: PixelFormat::Rgb8,
    resize: ResizeMode::LetterboxCentre,
};
/// Columns and rows.
const PICTURE: [u32; 2] = [83, 61];

fn model(case: Case) -> Model {
    let [height, width] = case.kernel;
    let shape = vec![case.to, 3, height, width];
    let data = (0..shape.iter().product()).map(|i: usize| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let bias = (0..case.to).map(|i| i as f32 / 3.0).collect();
    let mut weights = Weights::default();
    weights.insert("w", Tensor { shape, data }).unwrap();
    weights.insert("b", Tensor { shape: vec![case.to], data: bias }).unwrap();
    let op = Op::Conv {
        weight: "w".into(),
        bias: Some("b".into()),
        stride: case.stride,
        padding: case.padding,
        dilation: [1, 1],
        groups: 1,
        activation: Activation::HardSwish,
        residual: Residual::None,
    };
    let nodes = vec![Node { name: "stem".into(), inputs: vec!["input".into()], op }];
    let graph = Graph { input: "input".into(), nodes, outputs: Vec::new() };
    let spec = InputSpec {
        order: ChannelOrder::Bgr,
        mean: [10.0, 20.0, 30.0],
        std: [20.0, 30.0, 40.0],
        ..input([45, 37], case.resize)
    };
    Model::new(ModelInfo::new("test", spec, graph), weights).unwrap()
}

/// The bytes of all arenas after the picture went through, in one dispatch or in two.
fn maps(context: &Context, case: Case, f16: bool, source: PixelSource<'_>, fused: bool) -> Vec<u8> {
    let model = model(case);
    let mut plan = ArenaPlan::new(&model.info().graph, model.shapes(), &["stem"]).unwrap();
    // As if the map were some channels of another.
    let place = plan.places.get_mut("stem").unwrap();
    (place.inside, place.stride) = (3, place.len + 5);
    let arena = place.arena;
    plan.arena_len[arena] += 8;
    let weights = NetworkWeights::new(context, &model, &plan, f16).unwrap();
    let [width, height] = PICTURE;
    let options = GridOptions { tile: TileSize::square(40), overlap: [0.3; 2], full_image: true };
    let grid = TileGrid::new(width, height, &options).unwrap();
    let count = u32::try_from(grid.tiles.len()).unwrap();
    let arenas = Arenas::new(context, &plan, f16, count).unwrap();
    arenas.fill(context, f16).unwrap();
    let network = Network { model: &model, plan: &plan, weights: &weights, arenas: &arenas };
    let info = model.info();
    let tiles = context.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: bytemuck::cast_slice(&preprocess::source_tiles(&grid, &info.input).unwrap()),
        usage: wgpu::BufferUsages::STORAGE,
    });
    // Not the first tile of the list: a chunk may begin anywhere.
    let (launch, chunk) = (Launch { f16, tiles: count - 1 }, (&grid, &tiles, 1..count));
    let stem = network.stem().expect("a stem");
    let mut recorder = Recorder::new(context);
    if fused {
        let target = (&info.input, &stem.conv);
        preprocess::record_stem(&mut recorder, launch, source, chunk, target).unwrap();
    } else {
        let target = (&info.input, network.map("input").unwrap());
        preprocess::record(&mut recorder, launch, source, chunk, target).unwrap();
        network.record(&mut recorder, launch.tiles, None).unwrap();
    }
    run(context, recorder, stem.conv.dst.buffer)
}

fn pixels(format: PixelFormat) -> Vec<u8> {
    let count = PICTURE[0] * PICTURE[1] * format.bytes();
    (0..count).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn check(context: &Context, case: Case, f16: bool) {
    let frame = Frame::new(context, PICTURE, case.format, None).unwrap();
    let pixels = pixels(case.format);
    let image = ImageView::new(PICTURE[0], PICTURE[1], case.format, &pixels).unwrap();
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let staged = frame.upload(context, &mut encoder, &image).unwrap();
    context.queue().submit([encoder.finish()]);
    frame.sent(staged);
    let [one, two] = [true, false].map(|fused| maps(context, case, f16, PixelSource::Frame(&frame), fused));
    assert!(one == two, "{case:?}, f16 {f16}: {} of {} bytes differ", differing(&one, &two), one.len());
}

fn differing(one: &[u8], two: &[u8]) -> usize {
    one.iter().zip(two).filter(|(a, b)| a != b).count()
}

#[test]
fn a_fused_stem_gives_the_same_bytes() {
    let Some(context) = context() else { return };
    let cases = [
        CASE,
        Case { to: 33, format: PixelFormat::Gray8, ..CASE },
        Case {
            kernel: [3, 3],
            stride: [1, 1],
            format: PixelFormat::Bgra8,
            resize: ResizeMode::Stretch,
            ..CASE
        },
        Case { kernel: [6, 6], padding: [2; 4], to: 4, ..CASE },
        Case { kernel: [1, 1], stride: [1, 1], padding: [0; 4], ..CASE },
        Case { kernel: [2, 5], stride: [1, 2], padding: [0, 3, 2, 1], ..CASE },
    ];
    let plain = ContextOptions { default_limits: true, ..ContextOptions::default() };
    let plain = Context::new(&plain).unwrap();
    for (number, case) in cases.into_iter().enumerate() {
        check(&context, case, false);
        if number % 3 == 0 {
            check(&plain, case, false);
        }
        if number % 3 == 1 && context.has_f16() {
            check(&context, case, true);
        }
    }
    let [one, other] = [CASE, Case { padding: [1, 0, 1, 2], ..CASE }].map(|case| {
        maps(&context, case, false, PixelSource::Texture(&texture(&context, false), false), true)
    });
    assert!(differing(&one, &other) > 0, "another padding is not noticed");
}

fn texture(context: &Context, srgb: bool) -> wgpu::TextureView {
    let format = if srgb { wgpu::TextureFormat::Rgba8UnormSrgb } else { wgpu::TextureFormat::Rgba8Unorm };
    texture_of(context, format, &pixels(PixelFormat::Rgba8))
}

fn texture_of(context: &Context, format: wgpu::TextureFormat, texels: &[u8]) -> wgpu::TextureView {
    let descriptor = wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: PICTURE[0], height: PICTURE[1], depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    };
    let order = wgpu::util::TextureDataOrder::LayerMajor;
    let texture = context.device().create_texture_with_data(context.queue(), &descriptor, order, texels);
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

#[test]
fn texels_below_zero_count_as_zero() {
    let Some(context) = context() else { return };
    let view = |least: f32| {
        let values = (0..PICTURE[0] * PICTURE[1] * 4).map(|i| ((i % 7) as f32 / 4.0 - 0.75).max(least));
        let texels: Vec<u8> = values.flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect();
        texture_of(&context, wgpu::TextureFormat::Rgba16Float, &texels)
    };
    let of = |least, fused| maps(&context, CASE, false, PixelSource::Texture(&view(least), false), fused);
    let expected = of(0.0, false);
    assert!(of(-1.0, false) == expected && of(-1.0, true) == expected);
    assert!(differing(&of(0.25, false), &expected) > 0, "another value is not noticed");
}

#[test]
fn a_fused_stem_reads_textures() {
    let Some(context) = context() else { return };
    for srgb in [false, true] {
        let view = texture(&context, srgb);
        let [one, two] =
            [true, false].map(|fused| maps(&context, CASE, false, PixelSource::Texture(&view, srgb), fused));
        assert!(one == two, "sRGB {srgb}: {} of {} bytes differ", differing(&one, &two), one.len());
    }
}

#[test]
fn what_cannot_be_fused_is_left_alone() {
    let Some(context) = context() else { return };
    let is_stem = |case: Case, f16: bool| {
        let model = model(case);
        let plan = ArenaPlan::new(&model.info().graph, model.shapes(), &["stem"]).unwrap();
        let weights = NetworkWeights::new(&context, &model, &plan, f16).unwrap();
        let arenas = Arenas::new(&context, &plan, f16, 1).unwrap();
        Network { model: &model, plan: &plan, weights: &weights, arenas: &arenas }.stem().is_some()
    };
    assert!(is_stem(CASE, false));
    // Its window's inputs exceed the workgroup memory; in f16 they do not.
    let wide = Case { kernel: [7, 7], stride: [3, 3], padding: [3; 4], ..CASE };
    assert!(!is_stem(wide, false) && (!context.has_f16() || is_stem(wide, true)));
    assert!(!is_stem(Case { kernel: [1, 8], padding: [0; 4], ..CASE }, false));
}
