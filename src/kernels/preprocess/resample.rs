//! Crop, resize, letterbox and normalise from a buffer of packed 8-bit pixels.

use super::ResampleArgs;
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::kernels::nn::Launch;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "resample",
    source: include_str!("../../../shaders/preprocess/resample.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("r"), Binding::read("tiles"), Binding::read("frame"), Binding::write("dst")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    [false, true].map(Variant::storage).to_vec()
}

/// Records the resampling of a chunk from the band of rows in `frame`.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &ResampleArgs<'_>,
    frame: &wgpu::Buffer,
) -> Result<()> {
    super::record(recorder, launch, args, (&KERNEL, &Variant::storage(launch.f16)), Bind::Buffer(frame))
}
