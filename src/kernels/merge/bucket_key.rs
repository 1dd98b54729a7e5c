//! Bucket of each ranked box.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "bucket_key",
    source: include_str!("../../../shaders/merge/bucket_key.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("candidates"),
        Binding::read("order"),
        Binding::write("tally"),
        Binding::write("keys"),
        Binding::write("values"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) candidates: &'a wgpu::Buffer,
    pub(crate) order: &'a wgpu::Buffer,
    pub(crate) tally: &'a wgpu::Buffer,
    pub(crate) keys: &'a wgpu::Buffer,
    pub(crate) values: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes bucket and rank of each box as pairs to sort; `groups` covers the live boxes.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(params)?;
    let Buffers { live, candidates, order, tally, keys, values } = *buffers;
    recorder.dispatch(
        &kernel,
        &[&params, live, candidates, order, tally, keys, values].map(Bind::Buffer),
        groups,
    )
}
