//! Workgroups of what makes groups.

use super::{MatchParams, round_args};
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "group_args",
    source: include_str!("../../../shaders/merge/group_args.wgsl"),
    workgroup: [1, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("live"), Binding::read("tally"), Binding::write("args")],
};

/// Byte offset of the workgroups over all boxes.
pub(crate) const ELEMENTS: u64 = 0;
/// Byte offset of those over blocks of a sort.
pub(crate) const BLOCKS: u64 = 12;
/// Byte offset of a single workgroup.
pub(crate) const ONE: u64 = 24;
/// Byte offset of the workgroups of a visit of all boxes.
pub(crate) const VISIT: u64 = 36;
/// Byte offset of those of a visit among larger levels.
pub(crate) const VISIT_UP: u64 = 48;

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant(true), variant(false)]
}

fn variant(always: bool) -> Variant {
    Variant::default().with("always", always).with("loop_limit", round_args::LOOP_LIMIT)
}

/// Writes `args` (60 bytes): none while boxes are open, unless `always`.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    always: bool,
    params: &MatchParams,
    (live, tally): (&wgpu::Buffer, &wgpu::Buffer),
    args: &wgpu::Buffer,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(always))?;
    let params = recorder.uniform(params)?;
    recorder.dispatch(&kernel, &[&params, live, tally, args].map(Bind::Buffer), Groups::Direct([1, 1, 1]))
}
