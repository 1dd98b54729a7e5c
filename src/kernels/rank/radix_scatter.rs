//! One stable pass of a radix sort of (key, value) pairs.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "radix_scatter",
    source: include_str!("../../../shaders/rank/radix_scatter.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("counts"),
        Binding::read("keys_in"),
        Binding::read("values_in"),
        Binding::write("keys_out"),
        Binding::write("values_out"),
    ],
};

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    shift: u32,
    pad: [u32; 3],
}

/// Buffers of the kernel; `counts` was scanned.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) counts: &'a wgpu::Buffer,
    pub(crate) keys_in: &'a wgpu::Buffer,
    pub(crate) values_in: &'a wgpu::Buffer,
    pub(crate) keys_out: &'a wgpu::Buffer,
    pub(crate) values_out: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Moves the pairs by the digit at bit `shift`; `groups` is one workgroup per block.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    shift: u32,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(&Params { shift, pad: [0; 3] })?;
    let Buffers { live, counts, keys_in, values_in, keys_out, values_out } = *buffers;
    let binds = [&params, live, counts, keys_in, values_in, keys_out, values_out].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, groups)
}
