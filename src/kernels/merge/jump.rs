//! Pointer jumping.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "jump",
    source: include_str!("../../../shaders/merge/jump.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[Binding::read("live"), Binding::read("parents"), Binding::write("roots")],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) parents: &'a wgpu::Buffer,
    pub(crate) roots: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes ancestors of `parents` to `roots`; five passes reach the roots of chains of 4 million.
pub(crate) fn record(recorder: &mut Recorder<'_>, buffers: &Buffers<'_>, groups: Groups) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let Buffers { live, parents, roots } = *buffers;
    recorder.dispatch(&kernel, &[live, parents, roots].map(Bind::Buffer), groups)
}
