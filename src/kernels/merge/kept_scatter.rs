//! Kept boxes in the order of the output.

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
        Binding::write("words"),
    ],
};

/// The same with new scores.
pub(crate) const KERNEL_SCORED: KernelSpec = KernelSpec {
    name: "kept_scatter_scored",
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
        Binding::read("words"),
    ],
};

/// Buffers of the kernels.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) places: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) counts: &'a wgpu::Buffer,
    pub(crate) order: &'a wgpu::Buffer,
    pub(crate) candidates: &'a wgpu::Buffer,
    pub(crate) boxes: &'a wgpu::Buffer,
    /// Where each entry's box went; with `scored` the new scores of the entries.
    pub(crate) words: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant(false)]
}

#[cfg(test)]
pub(crate) fn variants_scored() -> Vec<Variant> {
    vec![variant(true)]
}

fn variant(scored: bool) -> Variant {
    Variant::default().with("scored", scored)
}

/// Copies the kept candidates to `boxes`, in the order of `order` and `places`; `groups` is one workgroup per block.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    scored: bool,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let spec = if scored { &KERNEL_SCORED } else { &KERNEL };
    let kernel = recorder.context.kernel(spec, &variant(scored))?;
    let Buffers { live, places, state, counts, order, candidates, boxes, words } = *buffers;
    recorder.dispatch(
        &kernel,
        &[live, places, state, counts, order, candidates, boxes, words].map(Bind::Buffer),
        groups,
    )
}
