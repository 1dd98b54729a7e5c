//! Workgroup counts of the sort by every field.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "rank_chain_args",
    source: include_str!("../../../shaders/rank/rank_chain_args.wgsl"),
    workgroup: [1, 1, 1],
    bindings: &[Binding::read("live"), Binding::read("long_run"), Binding::write("args")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes `args` (36 bytes): all zero workgroups unless `long_run` is set.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    live: &wgpu::Buffer,
    long_run: &wgpu::Buffer,
    args: &wgpu::Buffer,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    recorder.dispatch(&kernel, &[live, long_run, args].map(Bind::Buffer), Groups::Direct([1, 1, 1]))
}
