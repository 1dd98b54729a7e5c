//! Dense convolution of any window; weights as `conv_pointwise::pack`.

use super::conv_pointwise::{ConvArgs, record_conv};
use super::{Launch, groups_folded};
use crate::error::Result;
use crate::gpu::{KernelSpec, Recorder};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "conv",
    source: include_str!("../../../shaders/nn/conv.wgsl"),
    workgroup: [64, 1, 1],
    bindings: super::conv_pointwise::KERNEL.bindings,
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<crate::gpu::Variant> {
    super::activation_variants(true)
}

/// Records the convolution.
pub(crate) fn record(recorder: &mut Recorder<'_>, launch: Launch, args: &ConvArgs<'_>) -> Result<()> {
    super::check_iterations(args.window, args.src.shape.groups_of_4())?;
    let shape = args.dst.shape;
    let quads = u64::from(shape.width.div_ceil(4)) * u64::from(shape.height) * u64::from(launch.tiles);
    let groups = groups_folded(quads, KERNEL.workgroup[0], shape.channels.div_ceil(8));
    record_conv(recorder, launch, args, &KERNEL, |variant| variant, groups)
}
