//! Workgroups of the next slice of a fold.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "fold_args",
    source: include_str!("../../../shaders/merge/fold_args.wgsl"),
    workgroup: [1, 1, 1],
    bindings: &[
        Binding::read("live"),
        Binding::write("folding"),
        Binding::write("args"),
        Binding::read("tally"),
    ],
};

fn variant(start: bool) -> Variant {
    Variant::default().with("start", start).with("size", super::fold::KERNEL.workgroup[0])
}

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) folding: &'a wgpu::Buffer,
    pub(crate) args: &'a wgpu::Buffer,
    pub(crate) tally: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant(true), variant(false)]
}

/// Writes `args` (12 bytes); `start` is for the first slice.
pub(crate) fn record(recorder: &mut Recorder<'_>, start: bool, buffers: &Buffers<'_>) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(start))?;
    let Buffers { live, folding, args, tally } = *buffers;
    recorder.dispatch(&kernel, &[live, folding, args, tally].map(Bind::Buffer), Groups::Direct([1, 1, 1]))
}
