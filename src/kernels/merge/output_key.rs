//! Pairs to sort into the order of the output.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "output_key",
    source: include_str!("../../../shaders/merge/output_key.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::read("live"),
        Binding::read("order"),
        Binding::read("places"),
        Binding::read("state"),
        Binding::read("scores"),
        Binding::read("candidates"),
        Binding::write("keys"),
        Binding::write("values"),
    ],
};

fn variant(scored: bool) -> Variant {
    Variant::default().with("scored", scored)
}

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) order: &'a wgpu::Buffer,
    pub(crate) places: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) scores: &'a wgpu::Buffer,
    pub(crate) candidates: &'a wgpu::Buffer,
    pub(crate) keys: &'a wgpu::Buffer,
    pub(crate) values: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant(true), variant(false)]
}

/// Writes keys of the new scores (`scored`) or of the classes.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    scored: bool,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(scored))?;
    let Buffers { live, order, places, state, scores, candidates, keys, values } = *buffers;
    recorder.dispatch(
        &kernel,
        &[live, order, places, state, scores, candidates, keys, values].map(Bind::Buffer),
        groups,
    )
}
