//! How much of a convolution one invocation computes. It changes what is loaded how often, and never the order of a sum but on
//! cooperative matrices.

use super::conv_pointwise::ConvArgs;
use super::{Launch, Window, conv_gathered, conv_matrix};
use crate::geom::Shape;
use crate::gpu::{Context, Variant};

/// The share of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tiling {
    /// Neighbouring pixels.
    pub(crate) pixels: u32,
    /// Rows of them; 1 but for depthwise convolutions.
    pub(crate) rows: u32,
    /// Vec4s of output channels, even; 1 for depthwise convolutions.
    pub(crate) outputs: u32,
    /// Invocations of a subgroup, if they share the loading of weights; else 0.
    pub(crate) subgroup: u32,
    /// Rows and columns of the cooperative matrices that subgroups of that size compute together, each of them `pixels` and
    /// `outputs`; else 0.
    pub(crate) matrix: u32,
}

/// What a convolution is as far as the choice of a tiling goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    kernel: &'static str,
    /// Height and width of the window, stride along the row.
    window: [u32; 3],
    src_c4: u32,
    dst_c4: u32,
    dst_h: u32,
    /// Pixels of all tiles, as a power of two.
    pixels_log2: u32,
    f16: bool,
    depthwise: bool,
}

impl Class {
    pub(crate) fn new(kernel: &'static str, launch: Launch, args: &ConvArgs<'_>, depthwise: bool) -> Self {
        Self::of_shapes(kernel, launch, [args.src.shape, args.dst.shape], args.window, depthwise)
    }

    /// The class of a window over `src` that makes `dst`.
    pub(crate) fn of_shapes(
        kernel: &'static str,
        launch: Launch,
        [src, dst]: [Shape; 2],
        window: Window,
        depthwise: bool,
    ) -> Self {
        let pixels = u64::from(dst.pixels()) * u64::from(launch.tiles);
        Self {
            kernel,
            window: [window.kernel[0], window.kernel[1], window.stride[1]],
            src_c4: src.groups_of_4(),
            dst_c4: dst.groups_of_4(),
            dst_h: dst.height,
            pixels_log2: pixels.max(1).ilog2(),
            f16: launch.f16,
            depthwise,
        }
    }

    /// The name under which a choice is kept.
    pub(crate) fn key(&self) -> String {
        let Self { kernel, window: [height, width, stride], src_c4, dst_c4, pixels_log2, f16, .. } = self;
        let storage = if *f16 { "f16" } else { "f32" };
        let (src, dst) = (src_c4 * 4, dst_c4 * 4);
        format!(
            "{kernel} {width}x{height}, stride {stride}, {src} to {dst} channels, 2^{pixels_log2} pixels, {storage}"
        )
    }

    fn takes_matrices(&self) -> bool {
        self.f16 && !self.depthwise && self.kernel != conv_gathered::KERNEL.name
    }

    /// What is worth a trial, the default first.
    pub(crate) fn candidates(&self, context: &Context) -> Vec<Tiling> {
        let mut found = vec![self.default_tiling(context)];
        let others = candidates(self.depthwise, shareable(context));
        found.extend(others.into_iter().filter(|other| *other != found[0]).collect::<Vec<_>>());
        if let Some(matrices) = context.matrices().filter(|_| self.takes_matrices()) {
            found.extend(conv_matrix::tilings(matrices, self.dst_c4));
        }
        found
    }

    /// What was found to be fastest on the device.
    pub(crate) fn chosen(&self, context: &Context) -> Option<Tiling> {
        let chosen = Tiling::from_numbers(&context.tuned(&self.key())?)?;
        // A file may say anything.
        self.candidates(context).contains(&chosen).then_some(chosen)
    }

    /// What was found to be fastest on the device, or what mostly is.
    pub(super) fn tiling(&self, context: &Context) -> Tiling {
        self.chosen(context).unwrap_or_else(|| self.default_tiling(context))
    }

    /// A software driver loads each component of each invocation on its own, for the price of some 20 multiplications,
    /// and hands values round in a subgroup for that of two: there weights are shared. Eight vec4s of outputs are hardly
    /// faster than four, and take long to compile.
    pub(crate) fn default_tiling(&self, context: &Context) -> Tiling {
        self.default_of(shareable(context).filter(|_| context.is_software()).unwrap_or(0))
    }

    fn default_of(&self, shared_by: u32) -> Tiling {
        let plain = Tiling { pixels: 4, rows: 1, outputs: 2, subgroup: shared_by, matrix: 0 };
        if self.depthwise {
            let rows = if shared_by == 0 || self.window[1] > 5 || self.dst_h < 2 { 1 } else { 2 };
            return Tiling { rows, outputs: 1, ..plain };
        }
        // Loads of inputs weigh as much as three vec4s of outputs.
        let cost = |outputs: &u32| self.dst_c4.div_ceil(*outputs) * (outputs + 3);
        match [4, 2].into_iter().min_by_key(cost) {
            Some(outputs) if shared_by > 0 => Tiling { outputs, ..plain },
            _ => plain,
        }
    }
}

impl Tiling {
    /// As numbers of [`Tunings`](crate::gpu::Tunings).
    pub(crate) fn numbers(self) -> Vec<u32> {
        let matrix = Some(self.matrix).filter(|side| *side > 0);
        [self.pixels, self.rows, self.outputs, self.subgroup].into_iter().chain(matrix).collect()
    }

    fn from_numbers(numbers: &[u32]) -> Option<Self> {
        let &[pixels, rows, outputs, subgroup, ref matrix @ ..] = numbers else { return None };
        let matrix = match *matrix {
            [] => 0,
            [side] => side,
            _ => return None,
        };
        Some(Self { pixels, rows, outputs, subgroup, matrix })
    }

    /// The template's values.
    pub(super) fn fill(self, variant: Variant) -> Variant {
        let variant = variant.with("pixels", self.pixels).with("outputs", self.outputs);
        variant.with("rows", self.rows).with("subgroup", self.subgroup)
    }
}

/// Subgroup sizes that can share weights.
const SHAREABLE: std::ops::RangeInclusive<u32> = 4..=64;

/// Size of the subgroups in which weights can be shared.
fn shareable(context: &Context) -> Option<u32> {
    context.subgroup().filter(|size| SHAREABLE.contains(size))
}

/// All that can be chosen where subgroups, if all are alike, have `subgroup` invocations.
fn candidates(depthwise: bool, subgroup: Option<u32>) -> Vec<Tiling> {
    let tiling =
        |[pixels, rows, outputs]: [u32; 3], subgroup| Tiling { pixels, rows, outputs, subgroup, matrix: 0 };
    let (plain, shared) = if depthwise {
        (&[[4, 1, 1], [4, 2, 1], [2, 2, 1]][..], &[[4, 1, 1], [4, 2, 1]][..])
    } else {
        (&[[4, 1, 2], [8, 1, 2], [2, 1, 2], [4, 1, 4]][..], &[[4, 1, 2], [4, 1, 4]][..])
    };
    let shared = subgroup.into_iter().flat_map(|size| shared.iter().map(move |&share| tiling(share, size)));
    plain.iter().map(|&share| tiling(share, 0)).chain(shared).collect()
}

/// What can be chosen without subgroups, with small and with large ones, for the shader tests.
#[cfg(test)]
pub(crate) fn all(depthwise: bool) -> Vec<Tiling> {
    let plain = candidates(depthwise, None);
    let shared =
        [4, 32].into_iter().flat_map(|size| candidates(depthwise, Some(size)).split_off(plain.len()));
    plain.iter().copied().chain(shared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(dst_c4: u32, window: u32, depthwise: bool) -> Class {
        Class {
            kernel: "conv",
            window: [window, window, 1],
            src_c4: 4,
            dst_c4,
            dst_h: 40,
            pixels_log2: 12,
            f16: false,
            depthwise,
        }
    }

    #[test]
    fn outputs_that_waste_least() {
        assert_eq!(class(15, 3, false).default_of(0), candidates(false, None)[0]);
        let outputs = [1, 2, 3, 4, 6, 9, 16].map(|c4| class(c4, 3, false).default_of(8).outputs);
        assert_eq!(outputs, [2, 2, 4, 4, 4, 4, 4]);
        assert_eq!(class(4, 7, true).default_of(8).rows, 1);
        assert_eq!(class(4, 5, true).default_of(8).rows, 2);
    }

    #[test]
    fn defaults_can_be_chosen() {
        for (size, depthwise) in [(0, false), (0, true), (8, false), (8, true)] {
            let known = candidates(depthwise, Some(size).filter(|size| *size > 0));
            let class = |c4, window| class(c4, window, depthwise).default_of(size);
            assert!((1..20).all(|c4| known.contains(&class(c4, 3)) && known.contains(&class(c4, 7))));
        }
        assert_eq!(all(true).len(), 3 + 2 * 2);
    }

    #[test]
    fn a_key_says_what_is_alike() {
        let key = "conv 3x3, stride 1, 16 to 60 channels, 2^12 pixels, f32";
        assert_eq!(class(15, 3, false).key(), key);
    }
}
