//! State of every box at the start of a merge.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "merge_reset",
    source: include_str!("../../../shaders/merge/merge_reset.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::write("state"),
        Binding::write("pulled"),
        Binding::write("pushed"),
        Binding::write("active_boxes"),
        Binding::write("table"),
        Binding::write("claimed"),
        Binding::write("waiters"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) pulled: &'a wgpu::Buffer,
    pub(crate) pushed: &'a wgpu::Buffer,
    pub(crate) active: &'a wgpu::Buffer,
    pub(crate) table: &'a wgpu::Buffer,
    pub(crate) claimed: &'a wgpu::Buffer,
    pub(crate) waiters: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Clears all and lists every live box in `active`; `groups` covers the live boxes.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(params)?;
    let Buffers { live, state, pulled, pushed, active, table, claimed, waiters } = *buffers;
    let binds = [&params, live, state, pulled, pushed, active, table, claimed, waiters].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, groups)
}
