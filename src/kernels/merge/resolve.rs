//! Decisions of a round.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "resolve",
    source: include_str!("../../../shaders/merge/resolve.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::read("active_in"),
        Binding::write("tally"),
        Binding::write("state"),
        Binding::write("pulled"),
        Binding::write("pushed"),
        Binding::write("active_out"),
        Binding::read("blockers"),
        Binding::write("waiters"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) active_in: &'a wgpu::Buffer,
    pub(crate) tally: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) pulled: &'a wgpu::Buffer,
    pub(crate) pushed: &'a wgpu::Buffer,
    pub(crate) active_out: &'a wgpu::Buffer,
    pub(crate) blockers: &'a wgpu::Buffer,
    pub(crate) waiters: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Decides the boxes of `active_in`, clears their marks and lists the next round in `active_out`.
pub(crate) fn record(recorder: &mut Recorder<'_>, buffers: &Buffers<'_>, groups: Groups) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let Buffers { active_in, tally, state, pulled, pushed, active_out, blockers, waiters } = *buffers;
    let binds = [active_in, tally, state, pulled, pushed, active_out, blockers, waiters].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, groups)
}
