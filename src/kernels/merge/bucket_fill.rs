//! Boxes laid out by bucket.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "bucket_fill",
    source: include_str!("../../../shaders/merge/bucket_fill.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("candidates"),
        Binding::read("order"),
        Binding::read("keys"),
        Binding::read("ranks"),
        Binding::write("entries"),
        Binding::write("places"),
        Binding::write("table"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) candidates: &'a wgpu::Buffer,
    pub(crate) order: &'a wgpu::Buffer,
    pub(crate) keys: &'a wgpu::Buffer,
    pub(crate) ranks: &'a wgpu::Buffer,
    pub(crate) entries: &'a wgpu::Buffer,
    pub(crate) places: &'a wgpu::Buffer,
    pub(crate) table: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes `entries` (32 bytes each), `places` and `table` from the sorted pairs; `groups` covers the live boxes.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(params)?;
    let Buffers { live, candidates, order, keys, ranks, entries, places, table } = *buffers;
    recorder.dispatch(
        &kernel,
        &[&params, live, candidates, order, keys, ranks, entries, places, table].map(Bind::Buffer),
        groups,
    )
}
