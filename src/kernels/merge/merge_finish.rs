//! The merge's part of the header.

use super::MatchParams;
use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};
use crate::stages::Header;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "merge_finish",
    source: include_str!("../../../shaders/merge/merge_finish.wgsl"),
    workgroup: [1, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("counts"),
        Binding::read("tally"),
        Binding::write("header"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) counts: &'a wgpu::Buffer,
    pub(crate) tally: &'a wgpu::Buffer,
    pub(crate) header: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant()]
}

fn variant() -> Variant {
    Variant::default().with("cookie", Header::COOKIE)
}

/// Writes box count, undecided, rounds and the cookie.
pub(crate) fn record(recorder: &mut Recorder<'_>, params: &MatchParams, buffers: &Buffers<'_>) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant())?;
    let params = recorder.uniform(params)?;
    let Buffers { live, counts, tally, header } = *buffers;
    recorder.dispatch(
        &kernel,
        &[&params, live, counts, tally, header].map(Bind::Buffer),
        Groups::Direct([1, 1, 1]),
    )
}
