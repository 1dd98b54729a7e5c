//! Exclusive prefix sum of a list whose length is known only on the GPU.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "scan_live",
    source: include_str!("../../../shaders/rank/scan_live.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("lengths"), Binding::write("values")],
};

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    word: u32,
    pad: [u32; 3],
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Scans `values[0..len]` in place and writes the total to `values[len]`, where `len` is word `word` of
/// `lengths`. `groups` is one workgroup or none.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    lengths: &wgpu::Buffer,
    word: u32,
    values: &wgpu::Buffer,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(&Params { word, pad: [0; 3] })?;
    recorder.dispatch(&kernel, &[Bind::Buffer(&params), Bind::Buffer(lengths), Bind::Buffer(values)], groups)
}
