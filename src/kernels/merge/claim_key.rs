//! Pairs to sort by claimer.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "claim_key",
    source: include_str!("../../../shaders/merge/claim_key.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::read("live"),
        Binding::read("order"),
        Binding::read("places"),
        Binding::read("claimed"),
        Binding::read("roots"),
        Binding::read("entries"),
        Binding::write("keys"),
        Binding::write("values"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) order: &'a wgpu::Buffer,
    pub(crate) places: &'a wgpu::Buffer,
    pub(crate) claimed: &'a wgpu::Buffer,
    pub(crate) roots: &'a wgpu::Buffer,
    pub(crate) entries: &'a wgpu::Buffer,
    pub(crate) keys: &'a wgpu::Buffer,
    pub(crate) values: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes claimer and rank of each box in input order.
pub(crate) fn record(recorder: &mut Recorder<'_>, buffers: &Buffers<'_>, groups: Groups) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let Buffers { live, order, places, claimed, roots, entries, keys, values } = *buffers;
    recorder.dispatch(
        &kernel,
        &[live, order, places, claimed, roots, entries, keys, values].map(Bind::Buffer),
        groups,
    )
}
