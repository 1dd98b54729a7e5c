//! Depthwise convolution with an unrolled square window.

use super::conv_pointwise::{ConvArgs, record_conv};
use super::tiling::Class;
use super::{Launch, Window, groups_folded};
use crate::error::Result;
use crate::gpu::{KernelSpec, Recorder, Variant};
use crate::model::Tensor;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "conv_depthwise",
    source: include_str!("../../../shaders/nn/conv_depthwise.wgsl"),
    workgroup: [64, 1, 1],
    bindings: super::conv_pointwise::KERNEL.bindings,
};

const KERNELS: [u32; 3] = [3, 5, 7];
const STRIDES: [u32; 2] = [1, 2];

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let sizes = KERNELS.iter().flat_map(|&kernel| STRIDES.map(|stride| (kernel, stride)));
    sizes
        .flat_map(|(kernel, stride)| {
            super::tiled_variants(true)
                .into_iter()
                .map(move |variant| variant.with("kernel", kernel).with("stride", stride))
        })
        .collect()
}

/// Whether a window is unrolled here; others go to `conv_grouped`.
pub(crate) fn fits(window: Window) -> bool {
    let [kernel_h, kernel_w] = window.kernel;
    kernel_h == kernel_w
        && KERNELS.contains(&kernel_h)
        && window.stride[0] == window.stride[1]
        && STRIDES.contains(&window.stride[0])
        && window.dilation == [1, 1]
}

/// Weights `[c, 1, kh, kw]` as `[c / 4, kh, kw]` of vec4, padded with 0.
pub(crate) fn pack(weight: &Tensor) -> Vec<f32> {
    let (channels, taps) = (weight.shape[0], weight.shape[2] * weight.shape[3]);
    let mut packed = vec![0.0; channels.div_ceil(4) * taps * 4];
    for c in 0..channels {
        for tap in 0..taps {
            packed[((c / 4) * taps + tap) * 4 + c % 4] = weight.data[c * taps + tap];
        }
    }
    packed
}

/// What decides the tiling.
pub(crate) fn class(launch: Launch, args: &ConvArgs<'_>) -> Class {
    Class::new(KERNEL.name, launch, args, true)
}

/// Records the convolution; the window must [`fits`].
pub(crate) fn record(recorder: &mut Recorder<'_>, launch: Launch, args: &ConvArgs<'_>) -> Result<()> {
    let shape = args.dst.shape;
    let Window { kernel, stride, .. } = args.window;
    let tiling = args.tiling.unwrap_or_else(|| class(launch, args).tiling(recorder.context));
    let blocks =
        u64::from(shape.width.div_ceil(tiling.pixels)) * u64::from(shape.height.div_ceil(tiling.rows));
    let groups = groups_folded(blocks * u64::from(launch.tiles), KERNEL.workgroup[0], shape.groups_of_4());
    let complete =
        |variant: Variant| tiling.fill(variant).with("kernel", kernel[0]).with("stride", stride[0]);
    record_conv(recorder, launch, args, &KERNEL, complete, groups)
}
