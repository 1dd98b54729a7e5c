//! Resets the counters of a picture.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "begin",
    source: include_str!("../../../shaders/rank/begin.wgsl"),
    workgroup: [1, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::write("header")],
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

/// Records the reset; `capacity` is that of the candidate buffer.
pub(crate) fn record(recorder: &mut Recorder<'_>, header: &wgpu::Buffer, capacity: u32) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(&Params { capacity, pad: [0; 3] })?;
    recorder.dispatch(&kernel, &[&params, header].map(Bind::Buffer), Groups::Direct([1, 1, 1]))
}
