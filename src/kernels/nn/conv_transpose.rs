//! Transposed convolution.

use super::conv_pointwise::ConvArgs;
use super::{Launch, MapParams, activation_name, groups_folded, with_residual};
use crate::error::Result;
use crate::gpu::{Bind, KernelSpec, Recorder, Variant};
use crate::model::Tensor;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "conv_transpose",
    source: include_str!("../../../shaders/nn/conv_transpose.wgsl"),
    workgroup: [64, 1, 1],
    bindings: super::conv_pointwise::KERNEL.bindings,
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    super::activation_variants(false)
}

/// The first vec4 of input channels that reaches the outputs of a vec4, and the first that no longer does.
fn reach(group: usize, out: usize, out_per_group: usize, in_per_group: usize) -> (usize, usize) {
    let last = (group * 4 + 3).min(out - 1);
    let first = group * 4 / out_per_group * in_per_group;
    (first / 4, ((last / out_per_group + 1) * in_per_group).div_ceil(4))
}

/// Most vec4s of input channels that reach the outputs of one vec4.
fn span(out: usize, out_per_group: usize, in_per_group: usize) -> usize {
    let reaches = (0..out.div_ceil(4)).map(|group| reach(group, out, out_per_group, in_per_group));
    reaches.map(|(first, end)| end - first).max().unwrap_or(0)
}

/// Weights `[in, out / groups, kh, kw]` as `[out / 4, kh, kw, span, 4]` of vec4 over output channels, padded with 0.
pub(crate) fn pack(weight: &Tensor, groups: u32) -> Vec<f32> {
    let [input, per_group, kernel_h, kernel_w] = [0, 1, 2, 3].map(|axis| weight.shape[axis]);
    let (groups, taps) = (groups as usize, kernel_h * kernel_w);
    let (in_per_group, out) = (input / groups, per_group * groups);
    let span = span(out, per_group, in_per_group);
    let mut packed = vec![0.0; out.div_ceil(4) * taps * span * 16];
    for i in 0..input {
        for part in 0..per_group {
            let o = i / in_per_group * per_group + part;
            let (first, _) = reach(o / 4, out, per_group, in_per_group);
            for tap in 0..taps {
                let block = ((o / 4) * taps + tap) * span + i / 4 - first;
                packed[block * 16 + (i % 4) * 4 + o % 4] = weight.data[(i * per_group + part) * taps + tap];
            }
        }
    }
    packed
}

/// Records the convolution in `groups` groups; there is no residual.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &ConvArgs<'_>,
    groups: u32,
) -> Result<()> {
    let shape = args.dst.shape;
    let mut params = MapParams::new(launch, args.src, args.dst, args.window, args.activation);
    params.in_per_group = args.src.shape.channels / groups;
    params.out_per_group = shape.channels / groups;
    let [out, out_per_group, in_per_group] =
        [shape.channels, params.out_per_group, params.in_per_group].map(|count| count as usize);
    params.span = u32::try_from(span(out, out_per_group, in_per_group)).unwrap_or(u32::MAX);
    super::check_iterations(args.window, params.span)?;
    let variant = Variant::storage(launch.f16).with("activation", activation_name(args.activation));
    let variant = with_residual(variant, None, args.dst);
    let kernel = recorder.context.kernel(&KERNEL, &variant)?;
    let params = recorder.uniform(&params)?;
    let binds = [&params, args.src.buffer, args.weights, args.bias, args.src.buffer, args.dst.buffer];
    let stride = args.window.stride[1];
    let row_quads = u64::from(shape.width.div_ceil(4 * stride)) * u64::from(stride);
    let quads = row_quads * u64::from(shape.height) * u64::from(launch.tiles);
    let groups = groups_folded(quads, KERNEL.workgroup[0], shape.groups_of_4());
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        // One group: all inputs reach all outputs.
        assert_eq!(span(8, 8, 10), 3);
        // Depthwise: four inputs reach four outputs.
        assert_eq!(span(9, 1, 1), 1);
        // Groups of 3: outputs 0 to 3 belong to groups 0 and 1, with inputs 0 to 5.
        assert_eq!((reach(0, 6, 3, 3), reach(1, 6, 3, 3)), ((0, 2), (0, 2)));
        assert_eq!(reach(1, 12, 2, 6), (3, 6));
    }
}
