//! Sort key of one field of each candidate.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "rank_key",
    source: include_str!("../../../shaders/rank/rank_key.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("candidates"),
        Binding::write("order"),
        Binding::write("keys"),
    ],
};

/// What a key is made of; all ascend but the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    X0 = 0,
    Y0 = 1,
    X1 = 2,
    Y1 = 3,
    Score = 4,
    Class = 5,
}

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    field: u32,
    first: u32,
    pad: [u32; 2],
}

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) candidates: &'a wgpu::Buffer,
    pub(crate) order: &'a wgpu::Buffer,
    pub(crate) keys: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes the keys of `candidates[order[i]]`; `first` starts from the identity order, which it writes.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    field: Field,
    first: bool,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let params = recorder.uniform(&Params { field: field as u32, first: u32::from(first), pad: [0; 2] })?;
    let Buffers { live, candidates, order, keys } = *buffers;
    recorder.dispatch(&kernel, &[&params, live, candidates, order, keys].map(Bind::Buffer), groups)
}
