//! Live sizes of a picture's list and the workgroup counts over it.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "rank_args",
    source: include_str!("../../../shaders/rank/rank_args.wgsl"),
    workgroup: [1, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("header"),
        Binding::write("live"),
        Binding::write("long_run"),
        Binding::write("args"),
    ],
};

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    capacity: u32,
    pad: [u32; 3],
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Reads `kept_candidates` of `header`, at most `capacity`; writes `live` (16 bytes), `long_run` (4) and `args` (24).
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    capacity: u32,
    header: &wgpu::Buffer,
    live: &wgpu::Buffer,
    long_run: &wgpu::Buffer,
    args: &wgpu::Buffer,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(&Params { capacity, pad: [0; 3] })?;
    let binds = [&params, header, live, long_run, args].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, Groups::Direct([1, 1, 1]))
}
