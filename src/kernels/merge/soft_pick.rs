//! Decisions of a round of soft suppression.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "soft_pick",
    source: include_str!("../../../shaders/merge/soft_pick.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::read("tally"),
        Binding::read("active_boxes"),
        Binding::write("state"),
        Binding::write("marks"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) tally: &'a wgpu::Buffer,
    pub(crate) active_boxes: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) marks: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Marks the open boxes of `active_boxes` that nothing blocks.
pub(crate) fn record(recorder: &mut Recorder<'_>, buffers: &Buffers<'_>, groups: Groups) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let Buffers { tally, active_boxes, state, marks } = *buffers;
    recorder.dispatch(&kernel, &[tally, active_boxes, state, marks].map(Bind::Buffer), groups)
}
