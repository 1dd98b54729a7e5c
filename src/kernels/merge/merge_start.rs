//! Counters of a merge at its start.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "merge_start",
    source: include_str!("../../../shaders/merge/merge_start.wgsl"),
    workgroup: [1, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("live"), Binding::write("tally")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Resets `tally` (36 bytes).
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: &MatchParams,
    live: &wgpu::Buffer,
    tally: &wgpu::Buffer,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(params)?;
    recorder.dispatch(&kernel, &[&params, live, tally].map(Bind::Buffer), Groups::Direct([1, 1, 1]))
}
