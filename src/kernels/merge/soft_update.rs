//! Scores after a round of soft suppression.

use super::MatchParams;
use crate::error::Result;
use crate::geom::soft::EXP2_COEFFICIENTS;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "soft_update",
    source: include_str!("../../../shaders/merge/soft_update.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("active_in"),
        Binding::read("entries"),
        Binding::read("fades"),
        Binding::read("marks"),
        Binding::write("tally"),
        Binding::write("state"),
        Binding::write("scores"),
        Binding::write("active_out"),
    ],
};

fn variant() -> Variant {
    Variant::default().with("exp2_coefficients", EXP2_COEFFICIENTS.to_vec())
}

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) active_in: &'a wgpu::Buffer,
    pub(crate) entries: &'a wgpu::Buffer,
    pub(crate) fades: &'a wgpu::Buffer,
    pub(crate) marks: &'a wgpu::Buffer,
    pub(crate) tally: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) scores: &'a wgpu::Buffer,
    pub(crate) active_out: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant()]
}

/// Fades the open boxes of `active_in` and lists the next round in `active_out`.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant())?;
    let params = recorder.uniform(params)?;
    let Buffers { active_in, entries, fades, marks, tally, state, scores, active_out } = *buffers;
    recorder.dispatch(
        &kernel,
        &[&params, active_in, entries, fades, marks, tally, state, scores, active_out].map(Bind::Buffer),
        groups,
    )
}
