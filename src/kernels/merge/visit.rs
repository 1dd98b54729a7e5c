//! What each active box finds in a round.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "visit",
    source: include_str!("../../../shaders/merge/visit.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("tally"),
        Binding::read("active_boxes"),
        Binding::read("entries"),
        Binding::read("table"),
        Binding::read("state"),
        Binding::write("pulled"),
        Binding::write("blockers"),
        Binding::write("waiters"),
    ],
};

/// The same among boxes of larger levels.
pub(crate) const KERNEL_UP: KernelSpec = KernelSpec {
    name: "visit_up",
    source: include_str!("../../../shaders/merge/visit.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("tally"),
        Binding::read("active_boxes"),
        Binding::read("entries"),
        Binding::read("table"),
        Binding::read("state"),
        Binding::read("pulled"),
        Binding::write("pushed"),
    ],
};

/// Buffers of the kernels.
pub(crate) struct Buffers<'a> {
    pub(crate) tally: &'a wgpu::Buffer,
    pub(crate) active: &'a wgpu::Buffer,
    pub(crate) entries: &'a wgpu::Buffer,
    pub(crate) table: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) pulled: &'a wgpu::Buffer,
    pub(crate) pushed: &'a wgpu::Buffer,
    pub(crate) blockers: &'a wgpu::Buffer,
    pub(crate) waiters: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant(false)]
}

#[cfg(test)]
pub(crate) fn variants_up() -> Vec<Variant> {
    vec![variant(true)]
}

fn variant(up: bool) -> Variant {
    Variant::default().with("up", up)
}

/// Marks in `pulled` what the active boxes find among those of their own level.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(false))?;
    let params = recorder.uniform(params)?;
    let Buffers { tally, active, entries, table, state, pulled, blockers, waiters, .. } = *buffers;
    let binds = [&params, tally, active, entries, table, state, pulled, blockers, waiters].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, groups)
}

/// Marks in `pushed` what the active boxes and those of larger levels find of each other.
pub(crate) fn record_up(
    recorder: &mut Recorder<'_>,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL_UP, &variant(true))?;
    let params = recorder.uniform(params)?;
    let Buffers { tally, active, entries, table, state, pulled, pushed, .. } = *buffers;
    let binds = [&params, tally, active, entries, table, state, pulled, pushed].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, groups)
}
