//! Crop, resize, letterbox and normalise fused with the first convolution; weights as `conv_pointwise::pack`.

use super::ResampleArgs;
use crate::error::Result;
use crate::geom::Shape;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::kernels::nn::conv_pointwise::ConvArgs;
use crate::kernels::nn::tiling::{Class, Tiling};
use crate::kernels::nn::{Launch, MapParams, Window, activation_name, groups_folded};
use crate::model::PATCH_BYTES;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "stem",
    source: include_str!("../../../shaders/preprocess/stem.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &bindings(Binding::read("frame")),
};

/// The same from a texture.
pub(crate) const KERNEL_TEXTURE: KernelSpec =
    KernelSpec { name: "stem_texture", bindings: &bindings(Binding::texture("frame")), ..KERNEL };

const fn bindings(frame: Binding) -> [Binding; 7] {
    [
        Binding::uniform("p"),
        Binding::uniform("r"),
        Binding::read("tiles"),
        frame,
        Binding::read("weights"),
        Binding::read("bias"),
        Binding::write("dst"),
    ]
}

/// Pixels of the output that a workgroup computes: columns, rows of an invocation, and rows.
const COLUMNS: u32 = 16;
const PIXELS: u32 = 2;
const ROWS: u32 = KERNEL.workgroup[0] / COLUMNS * PIXELS;
/// The columns of a window are unrolled.
const MAX_COLUMNS: u32 = 7;

/// Whether a convolution can read pixels that are made on the way: its window's inputs for a workgroup must fit there.
pub(crate) fn fits(window: Window, src: Shape, f16: bool) -> bool {
    let Window { kernel: [kernel_h, kernel_w], stride: [stride_y, stride_x], .. } = window;
    let sides = [(ROWS, stride_y, kernel_h), (COLUMNS, stride_x, kernel_w)];
    let span =
        sides.map(|(outputs, stride, kernel)| (outputs - 1).saturating_mul(stride).saturating_add(kernel));
    let bytes = span[0].saturating_mul(span[1]).saturating_mul(if f16 { 8 } else { 16 });
    src.channels <= 4 && window.dilation == [1, 1] && kernel_w <= MAX_COLUMNS && bytes <= PATCH_BYTES
}

/// What decides whether preprocessing and convolution are one dispatch.
pub(crate) fn class(launch: Launch, conv: &ConvArgs<'_>) -> Class {
    Class::new(KERNEL.name, launch, conv, false)
}

fn complete(variant: Variant, window: Window, channels: u32, tiling: Tiling) -> Variant {
    let [kernel_h, kernel] = window.kernel;
    let [stride_y, stride_x] = window.stride;
    [
        ("kernel", kernel),
        ("kernel_h", kernel_h),
        ("stride_x", stride_x),
        ("stride_y", stride_y),
        ("channels", channels),
        ("patch_w", COLUMNS),
        ("patch_h", ROWS),
        ("pixels", PIXELS),
        ("outputs", tiling.outputs),
        ("subgroup", tiling.subgroup),
    ]
    .into_iter()
    .fold(variant, |variant, (key, value)| variant.with(key, value))
}

/// Records preprocessing and convolution of a chunk from the picture in `frame`, a buffer or, if `srgb` is given, a texture; it
/// tells that loads from the texture decode sRGB. The convolution must [`fits`], have one group and no residual. The map of the
/// network's input is not touched.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    (pixels, conv): (&ResampleArgs<'_>, &ConvArgs<'_>),
    frame: Bind<'_>,
    srgb: Option<bool>,
) -> Result<()> {
    let shape = conv.dst.shape;
    let tiling = class(launch, conv).default_tiling(recorder.context);
    let variant = Variant::storage(launch.f16)
        .with("activation", activation_name(conv.activation))
        .with("texture", srgb.is_some())
        .with("srgb", srgb.unwrap_or(false));
    let variant = complete(variant, conv.window, conv.src.shape.channels, tiling);
    let spec = if srgb.is_some() { &KERNEL_TEXTURE } else { &KERNEL };
    let kernel = recorder.context.kernel(spec, &variant)?;
    let params =
        recorder.uniform(&MapParams::new(launch, conv.src, conv.dst, conv.window, conv.activation))?;
    let sampling = recorder.uniform(&pixels.params(launch))?;
    let patches = u64::from(shape.width.div_ceil(COLUMNS)) * u64::from(shape.height.div_ceil(ROWS));
    let groups = groups_folded(patches * u64::from(launch.tiles), 1, 1);
    let [params, sampling, tiles] = [&params, &sampling, pixels.tiles].map(Bind::Buffer);
    let [weights, bias, dst] = [conv.weights, conv.bias, conv.dst.buffer].map(Bind::Buffer);
    recorder.dispatch(&kernel, &[params, sampling, tiles, frame, weights, bias, dst], groups)
}

#[cfg(test)]
fn all_variants(texture: bool) -> Vec<Variant> {
    use crate::kernels::nn::tiling;
    let mut variants = Vec::new();
    for (kernel, stride, f16, channels) in
        [(3, 2, false, 3), (3, 1, true, 1), (6, 2, true, 3), (1, 1, false, 4)]
    {
        let window = Window { kernel: [kernel; 2], stride: [stride; 2], ..Window::POINT };
        assert!(fits(window, Shape::new(channels, 64, 64), f16));
        let base =
            Variant::storage(f16).with("activation", "clip").with("texture", texture).with("srgb", f16);
        let tilings = tiling::all(false).into_iter().filter(|tiling| tiling.pixels == 4);
        variants.extend(tilings.map(|tiling| complete(base.clone(), window, channels, tiling)));
    }
    variants
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    all_variants(false)
}

#[cfg(test)]
pub(crate) fn variants_texture() -> Vec<Variant> {
    all_variants(true)
}
