//! Scores that soft suppression starts from.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "soft_reset",
    source: include_str!("../../../shaders/merge/soft_reset.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("entries"),
        Binding::write("state"),
        Binding::write("scores"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) entries: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) scores: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes the scores of all boxes and drops those below the floor.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(params)?;
    let Buffers { live, entries, state, scores } = *buffers;
    recorder.dispatch(&kernel, &[&params, live, entries, state, scores].map(Bind::Buffer), groups)
}
