//! Kept boxes in rank order.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "kept_scatter",
    source: include_str!("../../../shaders/merge/kept_scatter.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::read("live"),
        Binding::read("places"),
        Binding::read("state"),
        Binding::read("counts"),
        Binding::read("order"),
        Binding::read("candidates"),
        Binding::write("boxes"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) places: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) counts: &'a wgpu::Buffer,
    pub(crate) order: &'a wgpu::Buffer,
    pub(crate) candidates: &'a wgpu::Buffer,
    pub(crate) boxes: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Copies the kept candidates to `boxes`; `groups` is one workgroup per block.
pub(crate) fn record(recorder: &mut Recorder<'_>, buffers: &Buffers<'_>, groups: Groups) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let Buffers { live, places, state, counts, order, candidates, boxes } = *buffers;
    recorder.dispatch(
        &kernel,
        &[live, places, state, counts, order, candidates, boxes].map(Bind::Buffer),
        groups,
    )
}
