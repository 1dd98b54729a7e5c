//! 1x1 convolution, stride 1.

use super::conv_gathered::{self, Segments};
use super::tiling::{Class, Tiling};
use super::{Launch, Map, MapParams, Window, activation_name, conv_matrix, groups_folded, with_residual};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::model::{Activation, Residual, Tensor};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "conv_pointwise",
    source: include_str!("../../../shaders/nn/conv_pointwise.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("src"),
        Binding::read("weights"),
        Binding::read("bias"),
        Binding::read("residual"),
        Binding::write("dst"),
    ],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    super::tiled_variants(false).into_iter().map(|variant| variant.with("sources", 0)).collect()
}

/// Operands of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvArgs<'a> {
    pub(crate) src: Map<'a>,
    /// What a 1x1 convolution reads instead of `src`, which then has their channels.
    pub(crate) segments: Option<Segments<'a>>,
    pub(crate) dst: Map<'a>,
    /// Packed by the kernel's `pack`.
    pub(crate) weights: &'a wgpu::Buffer,
    /// Packed by [`pack_bias`].
    pub(crate) bias: &'a wgpu::Buffer,
    pub(crate) window: Window,
    pub(crate) activation: Activation,
    /// A smaller map is repeated to the size of `dst`, nearest pixels.
    pub(crate) residual: Option<(Residual, Map<'a>)>,
    /// For a trial; `None`: what is chosen for the device.
    pub(crate) tiling: Option<Tiling>,
}

/// Weights `[out, in, kh, kw]` as `[out / 8, kh, kw, in / 4, 4, 2]` of vec4 over output channels, padded with 0.
pub(crate) fn pack(weight: &Tensor) -> Vec<f32> {
    let [out, input, kernel_h, kernel_w] = [0, 1, 2, 3].map(|axis| weight.shape[axis]);
    let (pairs, in_c4, taps) = (out.div_ceil(8), input.div_ceil(4), kernel_h * kernel_w);
    let mut packed = vec![0.0; pairs * taps * in_c4 * 32];
    for o in 0..out {
        for i in 0..input {
            for tap in 0..taps {
                let block = ((o / 8) * taps + tap) * in_c4 + i / 4;
                packed[block * 32 + (i % 4) * 8 + o % 8] = weight.data[(o * input + i) * taps + tap];
            }
        }
    }
    packed
}

/// Bias `[out]` padded with 0 to a multiple of 8.
pub(crate) fn pack_bias(bias: Option<&Tensor>, out: usize) -> Vec<f32> {
    let mut packed = bias.map_or_else(Vec::new, |tensor| tensor.data.clone());
    packed.resize(out.next_multiple_of(8), 0.0);
    packed
}

/// What decides the tiling.
pub(crate) fn class(launch: Launch, args: &ConvArgs<'_>) -> Class {
    let kernel = if args.segments.is_some() { conv_gathered::KERNEL.name } else { KERNEL.name };
    Class::new(kernel, launch, args, false)
}

/// Records the convolution.
pub(crate) fn record(recorder: &mut Recorder<'_>, launch: Launch, args: &ConvArgs<'_>) -> Result<()> {
    super::check_iterations(args.window, args.src.shape.groups_of_4())?;
    let shape = args.dst.shape;
    let tiling = args.tiling.unwrap_or_else(|| class(launch, args).tiling(recorder.context));
    if tiling.matrix > 0 {
        return conv_matrix::record(recorder, launch, args, tiling);
    }
    let blocks = u64::from(shape.pixels().div_ceil(tiling.pixels)) * u64::from(launch.tiles);
    let groups = groups_folded(blocks, KERNEL.workgroup[0], shape.groups_of_4().div_ceil(tiling.outputs));
    let fill = |variant| tiling.fill(variant);
    match &args.segments {
        Some(segments) => conv_gathered::record(recorder, launch, (args, segments), fill, groups),
        None => {
            record_conv(recorder, launch, args, &KERNEL, |variant| fill(variant).with("sources", 0), groups)
        }
    }
}

/// The part that all convolution kernels share.
pub(super) fn record_conv(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &ConvArgs<'_>,
    spec: &'static KernelSpec,
    complete: impl FnOnce(Variant) -> Variant,
    groups: crate::gpu::Groups,
) -> Result<()> {
    let other = args.residual.map_or(args.src, |(_, other)| other);
    let variant = Variant::storage(launch.f16).with("activation", activation_name(args.activation));
    let variant = with_residual(variant, args.residual, args.dst);
    let kernel = recorder.context.kernel(spec, &complete(variant))?;
    let params = MapParams::new(launch, args.src, args.dst, args.window, args.activation).adding(other);
    let params = recorder.uniform(&params)?;
    let binds = [&params, args.src.buffer, args.weights, args.bias, other.buffer, args.dst.buffer];
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), groups)
}
