//! Size of the fullest bucket.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "bucket_crowd",
    source: include_str!("../../../shaders/merge/bucket_crowd.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("keys"),
        Binding::read("table"),
        Binding::write("tally"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) keys: &'a wgpu::Buffer,
    pub(crate) table: &'a wgpu::Buffer,
    pub(crate) tally: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Raises `crowd` of `tally`; `groups` covers the live boxes.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(params)?;
    let Buffers { live, keys, table, tally } = *buffers;
    recorder.dispatch(&kernel, &[&params, live, keys, table, tally].map(Bind::Buffer), groups)
}
