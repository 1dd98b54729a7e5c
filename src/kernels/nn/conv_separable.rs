//! Depthwise convolution and the 1x1 convolution of its result, which stays in workgroup memory.

use super::conv_pointwise::ConvArgs;
use super::tiling::Class;
use super::{Launch, MapParams, Window, activation_name, groups_folded, with_residual};
use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::model::patch_pixels;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "conv_separable",
    source: include_str!("../../../shaders/nn/conv_separable.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("src"),
        Binding::read("weights"),
        Binding::read("bias"),
        Binding::read("residual"),
        Binding::write("dst"),
        Binding::uniform("q"),
        Binding::read("window_weights"),
        Binding::read("window_bias"),
    ],
};

/// Widths of a patch.
const WIDTHS: [u32; 3] = [8, 4, 16];

/// The pixels that a workgroup computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patch {
    width: u32,
    height: u32,
}

impl Patch {
    /// The shape of `pixels` pixels that covers a map with the fewest patches, and of these the squarest.
    fn best(pixels: u32, map: Shape) -> Option<Self> {
        let shapes = WIDTHS.map(|width| Self { width, height: pixels / width });
        shapes.into_iter().min_by_key(|patch| (patch.count(map), patch.width.abs_diff(patch.height)))
    }

    /// Patches of a map.
    fn count(self, map: Shape) -> u64 {
        u64::from(map.width.div_ceil(self.width)) * u64::from(map.height.div_ceil(self.height))
    }

    /// The template's values for the window and `c4` vec4s of channels between the convolutions.
    fn fill(self, variant: Variant, [kernel, stride]: [u32; 2], c4: u32) -> Variant {
        let variant = variant.with("patch_w", self.width).with("patch_h", self.height);
        variant.with("kernel", kernel).with("stride", stride).with("c4", c4)
    }
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let square = Patch { width: 8, height: 8 };
    let first = super::activation_variants(true).into_iter().zip(super::ACTIVATIONS.iter().cycle());
    let mut variants: Vec<Variant> =
        first.map(|(variant, inner)| square.fill(variant.with("inner", *inner), [3, 1], 16)).collect();
    let windows = [3, 5].into_iter().flat_map(|kernel| [[kernel, 1], [kernel, 2]]);
    for (window, turn) in windows.zip(0..) {
        for (pixels, c4) in [(64, 1), (64, 32), (32, 64), (16, 128)] {
            for width in WIDTHS {
                let (patch, f16) = (Patch { width, height: pixels / width }, c4 > 1 || turn % 2 == 0);
                let residual = ["none", "before", "after"][turn % 3];
                let variant = Variant::storage(f16).with("activation", "silu").with("residual", residual);
                let variant = variant.with("nearest", residual == "before");
                variants.push(patch.fill(variant.with("inner", "sigmoid"), window, c4));
            }
        }
    }
    variants
}

/// What decides whether both are one dispatch.
pub(crate) fn class(launch: Launch, window: Window, [between, dst]: [Shape; 2]) -> Class {
    Class::of_shapes(KERNEL.name, launch, [between, dst], window, false)
}

/// Records both convolutions; they must be a pair of [`Model::separable_pairs`](crate::model::Model::separable_pairs). The
/// map between them is not written.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    depthwise: &ConvArgs<'_>,
    pointwise: &ConvArgs<'_>,
) -> Result<()> {
    let (between, dst) = (depthwise.dst.shape, pointwise.dst.shape);
    let patch = patch_pixels(between.groups_of_4(), launch.f16).and_then(|pixels| Patch::best(pixels, dst));
    let patch = patch.ok_or_else(|| Error::unsupported("too many channels between two convolutions"))?;
    let other = pointwise.residual.map_or(depthwise.src, |(_, other)| other);
    let variant = Variant::storage(launch.f16)
        .with("activation", activation_name(pointwise.activation))
        .with("inner", activation_name(depthwise.activation));
    let variant = with_residual(variant, pointwise.residual, pointwise.dst);
    let window = [depthwise.window.kernel[0], depthwise.window.stride[0]];
    let kernel = recorder.context.kernel(&KERNEL, &patch.fill(variant, window, between.groups_of_4()))?;
    let params =
        |args: &ConvArgs<'_>| MapParams::new(launch, args.src, args.dst, args.window, args.activation);
    let second = recorder.uniform(&params(pointwise).adding(other))?;
    let first = recorder.uniform(&params(depthwise))?;
    let binds = [
        &second,
        depthwise.src.buffer,
        pointwise.weights,
        pointwise.bias,
        other.buffer,
        pointwise.dst.buffer,
        &first,
        depthwise.weights,
        depthwise.bias,
    ];
    let groups = groups_folded(patch.count(dst) * u64::from(launch.tiles), 1, 1);
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_that_waste_least() {
        let best = |pixels, width, height| {
            let patch = Patch::best(pixels, Shape::new(4, height, width)).unwrap();
            [patch.width, patch.height]
        };
        assert_eq!(best(64, 52, 52), [8, 8]);
        assert_eq!(best(64, 12, 16), [4, 16]);
        assert_eq!(best(64, 16, 4), [16, 4]);
        assert_eq!(best(32, 13, 13), [16, 2]);
        assert_eq!(best(16, 13, 13), [16, 1]);
        assert_eq!(best(16, 8, 8), [4, 4]);
    }
}
