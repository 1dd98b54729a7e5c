//! Convolution with any number of groups: the general, slower path.

use super::conv_pointwise::ConvArgs;
use super::{Launch, MapParams, Window, activation_name, groups_folded, with_residual};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::model::Tensor;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "conv_grouped",
    source: include_str!("../../../shaders/nn/conv_grouped.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("src"),
        Binding::read("weights"),
        Binding::read("bias"),
        Binding::read("residual"),
        Binding::write("dst"),
        Binding::uniform("grouping"),
    ],
};

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Grouping {
    in_per_group: u32,
    out_per_group: u32,
    out: u32,
    pad: u32,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    super::activation_variants(true)
}

/// Weights as they are, padded with 0 to whole vec4s.
pub(crate) fn pack(weight: &Tensor) -> Vec<f32> {
    let mut packed = weight.data.clone();
    packed.resize(packed.len().next_multiple_of(4), 0.0);
    packed
}

/// Records the convolution in `groups` groups.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &ConvArgs<'_>,
    groups: u32,
) -> Result<()> {
    let grouping = Grouping {
        in_per_group: args.src.shape.channels / groups,
        out_per_group: args.dst.shape.channels / groups,
        out: args.dst.shape.channels,
        pad: 0,
    };
    let [kernel_h, kernel_w] = args.window.kernel;
    // Four sums, one after another, each over the group's channels and all taps.
    let steps = grouping.in_per_group.saturating_mul(kernel_h.saturating_mul(kernel_w).saturating_add(1));
    super::check_iterations(Window::POINT, steps.saturating_mul(4))?;
    let other = args.residual.map_or(args.src, |(_, other)| other);
    let variant = Variant::storage(launch.f16).with("activation", activation_name(args.activation));
    let variant = with_residual(variant, args.residual, args.dst);
    let kernel = recorder.context.kernel(&KERNEL, &variant)?;
    let params = MapParams::new(launch, args.src, args.dst, args.window, args.activation).adding(other);
    let (params, grouping) = (recorder.uniform(&params)?, recorder.uniform(&grouping)?);
    let binds = [&params, args.src.buffer, args.weights, args.bias, other.buffer, args.dst.buffer, &grouping];
    let pixels = u64::from(args.dst.shape.pixels()) * u64::from(launch.tiles);
    let count = groups_folded(pixels, KERNEL.workgroup[0], args.dst.shape.groups_of_4());
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), count)
}
