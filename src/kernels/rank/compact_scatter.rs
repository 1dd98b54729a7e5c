//! Appends the flagged candidates of a chunk to the picture's list.

use super::CompactParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant, groups_1d};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "compact_scatter",
    source: include_str!("../../../shaders/rank/compact_scatter.wgsl"),
    workgroup: [super::COMPACT_BLOCK, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("flags"),
        Binding::read("offsets"),
        Binding::read("found"),
        Binding::read("header"),
        Binding::write("candidates"),
    ],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Records the append; `buffers` are flags, offsets, found, header, candidates.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: CompactParams,
    [flags, offsets, found, header, candidates]: [&wgpu::Buffer; 5],
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let uniform = recorder.uniform(&params)?;
    let groups = groups_1d(u64::from(params.slots), KERNEL.workgroup[0]);
    let binds = [&uniform, flags, offsets, found, header, candidates];
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), groups)
}
