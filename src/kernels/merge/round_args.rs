//! The list of the next round and its workgroup counts.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "round_args",
    source: include_str!("../../../shaders/merge/round_args.wgsl"),
    workgroup: [1, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::write("tally"), Binding::write("args")],
};

/// Most iterations of one invocation: software drivers stop at 65,535.
pub(super) const LOOP_LIMIT: u32 = 30_000;

/// Byte offset of the workgroups of `visit` in the arguments.
pub(crate) const VISIT: u64 = 0;
/// Byte offset of the workgroups of `visit` among larger levels.
pub(crate) const VISIT_UP: u64 = 12;
/// Byte offset of the workgroups of `resolve`.
pub(crate) const RESOLVE: u64 = 24;

/// Byte offset of the workgroups of `soft_visit`.
pub(crate) const VISIT_SOFT: u64 = 36;
#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant(true), variant(false)]
}

fn variant(start: bool) -> Variant {
    Variant::default().with("start", start).with("loop_limit", LOOP_LIMIT)
}

/// Writes `args` (48 bytes); `start` is for the first round of a merge.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    start: bool,
    params: &MatchParams,
    tally: &wgpu::Buffer,
    args: &wgpu::Buffer,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(start))?;
    let params = recorder.uniform(params)?;
    recorder.dispatch(&kernel, &[&params, tally, args].map(Bind::Buffer), Groups::Direct([1, 1, 1]))
}
