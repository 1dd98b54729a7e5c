//! One box of each group.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "fold",
    source: include_str!("../../../shaders/merge/fold.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("keepers"),
        Binding::read("ranks"),
        Binding::read("places"),
        Binding::read("entries"),
        Binding::read("positions"),
        Binding::write("boxes"),
        Binding::write("folding"),
    ],
};

/// Most members that an invocation folds: software drivers stop at 65,535 iterations.
pub(crate) const LIMIT: u32 = 1 << 15;

fn variant(mean: bool) -> Variant {
    Variant::default().with("mean", mean).with("limit", LIMIT)
}

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) keepers: &'a wgpu::Buffer,
    pub(crate) ranks: &'a wgpu::Buffer,
    pub(crate) places: &'a wgpu::Buffer,
    pub(crate) entries: &'a wgpu::Buffer,
    pub(crate) positions: &'a wgpu::Buffer,
    pub(crate) boxes: &'a wgpu::Buffer,
    pub(crate) folding: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant(true), variant(false)]
}

/// Folds the next [`LIMIT`] members of each group into `boxes`: their weighted `mean`, or the union of those that match.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    mean: bool,
    params: &MatchParams,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(mean))?;
    let params = recorder.uniform(params)?;
    let Buffers { live, keepers, ranks, places, entries, positions, boxes, folding } = *buffers;
    recorder.dispatch(
        &kernel,
        &[&params, live, keepers, ranks, places, entries, positions, boxes, folding].map(Bind::Buffer),
        groups,
    )
}
