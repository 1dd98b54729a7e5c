//! Digit counts per block of a radix sort pass.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "radix_count",
    source: include_str!("../../../shaders/rank/radix_count.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("keys"),
        Binding::write("counts"),
    ],
};

/// Keys per block.
pub(crate) const BLOCK: u32 = 1024;

/// Values of a digit.
pub(crate) const DIGITS: u32 = 16;

/// Bits of a digit.
pub(crate) const DIGIT_BITS: u32 = 4;

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    shift: u32,
    pad: [u32; 3],
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes `counts[digit][block]` for the digit at bit `shift`; `groups` is one workgroup per block.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    shift: u32,
    live: &wgpu::Buffer,
    keys: &wgpu::Buffer,
    counts: &wgpu::Buffer,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(&Params { shift, pad: [0; 3] })?;
    recorder.dispatch(&kernel, &[&params, live, keys, counts].map(Bind::Buffer), groups)
}
