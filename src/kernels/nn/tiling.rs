//! How much of a convolution one invocation computes. It changes what is loaded how often, never the order of a sum.

use crate::gpu::Variant;

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
}

impl Tiling {
    /// For a dense convolution to `dst_c4` vec4s of channels, weights shared in subgroups of `shared_by` unless that is 0.
    ///
    /// A software driver loads each component of each invocation on its own, for the price of some 20 multiplications,
    /// and hands values round in a subgroup for that of two: there weights are shared.
    /// Eight vec4s of outputs are hardly faster than four, and take long to compile.
    pub(crate) fn dense(shared_by: u32, dst_c4: u32) -> Self {
        let plain = Self { pixels: 4, rows: 1, outputs: 2, subgroup: 0 };
        if shared_by == 0 {
            return plain;
        }
        // Loads of inputs weigh as much as three vec4s of outputs.
        let cost = |outputs: &u32| dst_c4.div_ceil(*outputs) * (outputs + 3);
        let outputs = [4, 2].into_iter().min_by_key(cost).unwrap_or(plain.outputs);
        Self { outputs, subgroup: shared_by, ..plain }
    }

    /// For a depthwise convolution with a square window of `kernel` pixels to maps of `dst_h` rows.
    pub(crate) fn depthwise(shared_by: u32, kernel: u32, dst_h: u32) -> Self {
        let rows = if shared_by == 0 || kernel > 5 || dst_h < 2 { 1 } else { 2 };
        Self { pixels: 4, rows, outputs: 1, subgroup: shared_by }
    }

    /// The template's values.
    pub(crate) fn fill(self, variant: Variant) -> Variant {
        let variant = variant.with("pixels", self.pixels).with("outputs", self.outputs);
        variant.with("rows", self.rows).with("subgroup", self.subgroup)
    }
}

/// Those that are tested of dense kernels: plain and shared, with and without a rest.
#[cfg(test)]
pub(crate) const DENSE: [Tiling; 4] = [
    Tiling { pixels: 4, rows: 1, outputs: 2, subgroup: 0 },
    Tiling { pixels: 4, rows: 1, outputs: 4, subgroup: 4 },
    Tiling { pixels: 4, rows: 1, outputs: 4, subgroup: 8 },
    Tiling { pixels: 4, rows: 1, outputs: 2, subgroup: 32 },
];

/// Those of depthwise ones.
#[cfg(test)]
pub(crate) const DEPTHWISE: [Tiling; 3] = [
    Tiling { pixels: 4, rows: 1, outputs: 1, subgroup: 0 },
    Tiling { pixels: 4, rows: 2, outputs: 1, subgroup: 8 },
    Tiling { pixels: 4, rows: 1, outputs: 1, subgroup: 32 },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_that_waste_least() {
        assert_eq!(Tiling::dense(0, 15), DENSE[0]);
        let outputs = [1, 2, 3, 4, 6, 8, 9, 15, 16].map(|c4| Tiling::dense(8, c4).outputs);
        assert_eq!(outputs, [2, 2, 4, 4, 4, 4, 4, 4, 4]);
        assert_eq!(Tiling::depthwise(8, 7, 40).rows, 1);
        assert_eq!(Tiling::depthwise(8, 5, 40).rows, 2);
    }
}
