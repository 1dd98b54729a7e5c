//! What overlapping boxes do to each other in a round of soft suppression.

use super::MatchParams;
use crate::error::Result;
use crate::geom::soft::EXP2_COEFFICIENTS;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

/// Which open boxes are blocked by better ones.
pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "soft_visit",
    source: include_str!("../../../shaders/merge/soft_visit.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("tally"),
        Binding::read("active_boxes"),
        Binding::read("entries"),
        Binding::read("table"),
        Binding::read("state"),
        Binding::read("scores"),
        Binding::write("marks"),
    ],
};

/// By how much the boxes just decided fade the open ones.
pub(crate) const KERNEL_FADES: KernelSpec = KernelSpec {
    name: "soft_visit_fades",
    source: include_str!("../../../shaders/merge/soft_visit.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("tally"),
        Binding::read("active_boxes"),
        Binding::read("entries"),
        Binding::read("table"),
        Binding::read("state"),
        Binding::write("fades"),
        Binding::write("marks"),
    ],
};

/// Buffers of the kernels.
pub(crate) struct Buffers<'a> {
    pub(crate) tally: &'a wgpu::Buffer,
    pub(crate) active: &'a wgpu::Buffer,
    pub(crate) entries: &'a wgpu::Buffer,
    pub(crate) table: &'a wgpu::Buffer,
    pub(crate) state: &'a wgpu::Buffer,
    pub(crate) scores: &'a wgpu::Buffer,
    pub(crate) fades: &'a wgpu::Buffer,
    pub(crate) marks: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant(false)]
}

#[cfg(test)]
pub(crate) fn variants_fades() -> Vec<Variant> {
    vec![variant(true)]
}

fn variant(fades: bool) -> Variant {
    Variant::default().with("fades", fades).with("exp2_coefficients", EXP2_COEFFICIENTS.to_vec())
}

/// Marks the blocked boxes among `active`, or fades them (`fades`).
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    fades: bool,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let spec = if fades { &KERNEL_FADES } else { &KERNEL };
    let kernel = recorder.context.kernel(spec, &variant(fades))?;
    let params = recorder.uniform(params)?;
    let Buffers { tally, active, entries, table, state, scores, fades: sums, marks } = *buffers;
    let third = if fades { sums } else { scores };
    recorder.dispatch(
        &kernel,
        &[&params, tally, active, entries, table, state, third, marks].map(Bind::Buffer),
        groups,
    )
}
