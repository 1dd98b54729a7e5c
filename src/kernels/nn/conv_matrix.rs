//! Dense convolution on cooperative matrices; weights as `conv_pointwise::pack`. Only for f16 storage.

use super::conv_pointwise::{ConvArgs, record_conv};
use super::tiling::Tiling;
use super::{Launch, Window, groups_folded};
use crate::error::{Error, Result};
use crate::gpu::{KernelSpec, Matrices, Recorder, Variant};

/// By the size of subgroups: a workgroup is four of them.
pub(crate) static KERNELS: [KernelSpec; 4] = [
    kernel("conv_matrix_8", 8),
    kernel("conv_matrix_16", 16),
    kernel("conv_matrix", 32),
    kernel("conv_matrix_64", 64),
];

const SUBGROUPS: u32 = 4;

const fn kernel(name: &'static str, subgroup: u32) -> KernelSpec {
    KernelSpec {
        name,
        source: include_str!("../../../shaders/nn/conv_matrix.wgsl"),
        workgroup: [SUBGROUPS * subgroup, 1, 1],
        bindings: super::conv_pointwise::KERNEL.bindings,
    }
}

/// Pixels of a subgroup and vec4s of outputs that are worth a trial: 4 to 32 matrices of 8 x 8, or a quarter of that of 16 x 16.
const SHARES: [[u32; 2]; 4] = [[16, 4], [16, 8], [32, 8], [32, 16]];

/// What is worth a trial for `dst_c4` vec4s of output channels.
pub(super) fn tilings(matrices: Matrices, dst_c4: u32) -> Vec<Tiling> {
    let Matrices { side, subgroup, .. } = matrices;
    let tiling = |[pixels, outputs]: [u32; 2]| Tiling { pixels, rows: 1, outputs, subgroup, matrix: side };
    let is_filled = |[_, outputs]: &[u32; 2]| *outputs < dst_c4.next_multiple_of(4) + 4;
    SHARES.into_iter().filter(is_filled).map(tiling).collect()
}

/// The template's values. What `conv_pointwise` takes needs no places of taps.
fn fill(variant: Variant, tiling: Tiling, window: Window, emulated: bool) -> Variant {
    let Window { kernel, stride, padding, .. } = window;
    let point = kernel == [1, 1] && stride == [1, 1] && padding == [0, 0];
    tiling
        .fill(variant)
        .with("side", tiling.matrix)
        .with("kernel", kernel[1])
        .with("point", point)
        .with("emulated", emulated)
}

/// Records the convolution in a tiling of [`tilings`].
pub(super) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &ConvArgs<'_>,
    tiling: Tiling,
) -> Result<()> {
    let has_size = |kernel: &&KernelSpec| kernel.workgroup[0] == SUBGROUPS * tiling.subgroup;
    let Some(kernel) = KERNELS.iter().find(has_size) else {
        return Err(Error::unsupported(format!("matrices in subgroups of {}", tiling.subgroup)));
    };
    let shape = args.dst.shape;
    let pixels = u64::from(shape.pixels()) * u64::from(launch.tiles);
    let outputs = shape.groups_of_4().div_ceil(tiling.outputs);
    let groups = groups_folded(pixels, SUBGROUPS * tiling.pixels, outputs);
    let emulated = recorder.context.matrices().is_some_and(|matrices| matrices.emulated);
    let complete = |variant: Variant| fill(variant, tiling, args.window, emulated);
    record_conv(recorder, launch, args, kernel, complete, groups)
}

/// Every tiling for a kernel's subgroups, with windows and residuals in turns, emulated ones too.
#[cfg(test)]
pub(crate) fn variants(kernel: &KernelSpec) -> Vec<Variant> {
    let subgroup = kernel.workgroup[0] / SUBGROUPS;
    let windows = [Window::POINT, sized([3, 3]), sized([1, 5]), Window { stride: [1, 2], ..Window::POINT }];
    let mut found = Vec::new();
    for (side, emulated) in [(8, false), (16, false), (8, true), (16, true)] {
        let tilings = tilings(Matrices { side, subgroup, emulated }, 16);
        for (place, tiling) in tilings.into_iter().enumerate() {
            let turns = if emulated { 1 } else { 2 };
            for turn in 0..turns {
                let residual = ["none", "before", "after"][(place + turn) % 3];
                let variant = Variant::storage(true).with("activation", "sigmoid").with("residual", residual);
                let variant = variant.with("nearest", residual == "after");
                found.push(fill(variant, tiling, windows[(place + 2 * turn) % 4], emulated));
            }
        }
    }
    found
}

#[cfg(test)]
fn sized(kernel: [u32; 2]) -> Window {
    Window { kernel, ..Window::POINT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_at_most_what_there_is() {
        let outputs = |dst_c4| {
            let tilings = tilings(Matrices { side: 16, subgroup: 32, emulated: false }, dst_c4);
            tilings.iter().map(|tiling| tiling.outputs).collect::<Vec<_>>()
        };
        assert_eq!(outputs(1), [4]);
        assert_eq!(outputs(4), [4]);
        assert_eq!(outputs(5), [4, 8, 8]);
        assert_eq!(outputs(13), [4, 8, 8, 16]);
    }
}
