//! A tensor of the file as a map.

use super::{Launch, Map, MapsParams};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::model::Tensor;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "constant",
    source: include_str!("../../../shaders/nn/constant.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("tensor"), Binding::write("dst")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    [false, true].map(Variant::storage).to_vec()
}

/// A tensor `[channels, height, width]` as `[channels / 4, height, width]` of vec4, padded with 0.
pub(crate) fn pack(tensor: &Tensor) -> Vec<f32> {
    let (channels, pixels) = (tensor.shape[0], tensor.shape[1] * tensor.shape[2]);
    let mut packed = vec![0.0; channels.div_ceil(4) * pixels * 4];
    for (channel, plane) in tensor.data.chunks_exact(pixels).enumerate() {
        for (pixel, &value) in plane.iter().enumerate() {
            packed[(channel / 4 * pixels + pixel) * 4 + channel % 4] = value;
        }
    }
    packed
}

/// Records the copy of a packed tensor to every tile.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    tensor: &wgpu::Buffer,
    dst: Map<'_>,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::storage(launch.f16))?;
    let params = recorder.uniform(&MapsParams::new(launch, [dst; 3]))?;
    let binds = [&params, tensor, dst.buffer].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, super::groups_of_map(launch, dst, &KERNEL))
}
