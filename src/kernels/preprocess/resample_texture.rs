//! Crop, resize, letterbox and normalise from the caller's texture.

use super::ResampleArgs;
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::kernels::nn::Launch;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "resample_texture",
    source: include_str!("../../../shaders/preprocess/resample_texture.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("r"),
        Binding::read("tiles"),
        Binding::texture("frame"),
        Binding::write("dst"),
    ],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let stored = [false, true].map(Variant::storage);
    stored.into_iter().flat_map(|v| [false, true].map(|srgb| v.clone().with("srgb", srgb))).collect()
}

/// Records the resampling of a chunk from `frame`; `srgb` tells that loads from it decode sRGB.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &ResampleArgs<'_>,
    (frame, srgb): (&wgpu::TextureView, bool),
) -> Result<()> {
    let variant = Variant::storage(launch.f16).with("srgb", srgb);
    super::record(recorder, launch, args, (&KERNEL, &variant), Bind::View(frame))
}
