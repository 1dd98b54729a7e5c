//! Adds a chunk's candidates to the counters.

use super::CompactParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "compact_advance",
    source: include_str!("../../../shaders/rank/compact_advance.wgsl"),
    workgroup: [1, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("offsets"), Binding::write("header")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Records the addition.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: CompactParams,
    offsets: &wgpu::Buffer,
    header: &wgpu::Buffer,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let uniform = recorder.uniform(&params)?;
    recorder.dispatch(&kernel, &[&uniform, offsets, header].map(Bind::Buffer), Groups::Direct([1, 1, 1]))
}
