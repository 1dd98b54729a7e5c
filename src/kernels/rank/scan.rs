//! Exclusive prefix sum of `u32` in one workgroup.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "scan",
    source: include_str!("../../../shaders/rank/scan.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::write("values")],
};

/// Longest array: keeps every invocation far below the loop limit of software drivers.
pub(crate) const MAX_LEN: u32 = 1 << 22;

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    len: u32,
    pad: [u32; 3],
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Scans `values[0..len]` in place and writes the total to `values[len]`; `len` is at most [`MAX_LEN`].
pub(crate) fn record(recorder: &mut Recorder<'_>, values: &wgpu::Buffer, len: u32) -> Result<()> {
    debug_assert!(len <= MAX_LEN);
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(&Params { len, pad: [0; 3] })?;
    recorder.dispatch(&kernel, &[Bind::Buffer(&params), Bind::Buffer(values)], Groups::Direct([1, 1, 1]))
}
