//! Which box takes each box.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "claim",
    source: include_str!("../../../shaders/merge/claim.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("tally"),
        Binding::read("entries"),
        Binding::read("table"),
        Binding::read("state"),
        Binding::write("claimed"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) tally: &'a wgpu::Buffer,
    pub(crate) entries: &'a wgpu::Buffer,
    pub(crate) table: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) claimed: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    [(false, false), (false, true), (true, false), (true, true)].map(|(t, up)| variant(t, up)).to_vec()
}

fn variant(transitive: bool, up: bool) -> Variant {
    Variant::default().with("transitive", transitive).with("up", up)
}

/// Lowers `claimed` to the best claimer among boxes of the same level, or of others (`up`). `transitive`: every box
/// claims, else those that are kept.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    (transitive, up): (bool, bool),
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(transitive, up))?;
    let params = recorder.uniform(params)?;
    let Buffers { live, tally, entries, table, state, claimed } = *buffers;
    recorder.dispatch(
        &kernel,
        &[&params, live, tally, entries, table, state, claimed].map(Bind::Buffer),
        groups,
    )
}
