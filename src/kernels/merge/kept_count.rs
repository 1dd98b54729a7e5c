//! Kept boxes per block of ranks.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "kept_count",
    source: include_str!("../../../shaders/merge/kept_count.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::read("live"),
        Binding::read("places"),
        Binding::read("state"),
        Binding::write("counts"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) places: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) counts: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes one count per block; `groups` is one workgroup per block.
pub(crate) fn record(recorder: &mut Recorder<'_>, buffers: &Buffers<'_>, groups: Groups) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let Buffers { live, places, state, counts } = *buffers;
    recorder.dispatch(&kernel, &[live, places, state, counts].map(Bind::Buffer), groups)
}
