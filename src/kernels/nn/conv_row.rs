//! Dense convolution with the columns of its window unrolled; weights as `conv_pointwise::pack`.

use super::conv_pointwise::{ConvArgs, record_conv};
use super::tiling::Class;
use super::{Launch, Window, conv_matrix, groups_folded};
use crate::error::Result;
use crate::gpu::{KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "conv_row",
    source: include_str!("../../../shaders/nn/conv_row.wgsl"),
    workgroup: [64, 1, 1],
    bindings: super::conv_pointwise::KERNEL.bindings,
};

/// Width of the window and stride along the row.
const SIZES: [[u32; 2]; 4] = [[1, 2], [3, 1], [3, 2], [5, 1]];

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let sized =
        |variant: Variant, [kernel, stride]: [u32; 2]| variant.with("kernel", kernel).with("stride", stride);
    let tiled = SIZES
        .iter()
        .flat_map(|&size| super::tiled_variants(false).into_iter().map(move |variant| sized(variant, size)));
    tiled.collect()
}

/// Whether a window is unrolled here; others go to `conv`.
pub(crate) fn fits(window: Window) -> bool {
    SIZES.contains(&[window.kernel[1], window.stride[1]]) && window.dilation[1] == 1
}

/// What decides the tiling.
pub(crate) fn class(launch: Launch, args: &ConvArgs<'_>) -> Class {
    Class::new(KERNEL.name, launch, args, false)
}

/// Records the convolution; the window must [`fits`].
pub(crate) fn record(recorder: &mut Recorder<'_>, launch: Launch, args: &ConvArgs<'_>) -> Result<()> {
    super::check_iterations(args.window, args.src.shape.groups_of_4())?;
    let shape = args.dst.shape;
    let tiling = args.tiling.unwrap_or_else(|| class(launch, args).tiling(recorder.context));
    if tiling.matrix > 0 {
        return conv_matrix::record(recorder, launch, args, tiling);
    }
    let blocks = u64::from(shape.width.div_ceil(tiling.pixels)) * u64::from(shape.height);
    let outputs = shape.groups_of_4().div_ceil(tiling.outputs);
    let groups = groups_folded(blocks * u64::from(launch.tiles), KERNEL.workgroup[0], outputs);
    let Window { kernel, stride, .. } = args.window;
    let complete =
        |variant: Variant| tiling.fill(variant).with("kernel", kernel[1]).with("stride", stride[1]);
    record_conv(recorder, launch, args, &KERNEL, complete, groups)
}
