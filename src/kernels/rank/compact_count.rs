//! Counts the flags of each block of slots.

use super::CompactParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant, groups_1d};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "compact_count",
    source: include_str!("../../../shaders/rank/compact_count.wgsl"),
    workgroup: [super::COMPACT_BLOCK, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("flags"), Binding::write("counts")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    [false, true].map(variant).to_vec()
}

fn variant(subgroups: bool) -> Variant {
    Variant::default().with("subgroups", subgroups)
}

/// Records `counts[block] = flags set in the block`.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: CompactParams,
    flags: &wgpu::Buffer,
    counts: &wgpu::Buffer,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(recorder.context.has_subgroups()))?;
    let uniform = recorder.uniform(&params)?;
    let groups = groups_1d(u64::from(params.slots), KERNEL.workgroup[0]);
    recorder.dispatch(&kernel, &[&uniform, flags, counts].map(Bind::Buffer), groups)
}
