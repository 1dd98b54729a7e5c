//! Pairs to sort by keeper.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "group_key",
    source: include_str!("../../../shaders/merge/group_key.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::read("live"),
        Binding::read("roots"),
        Binding::write("keys"),
        Binding::write("values"),
    ],
};

/// The same in the order of a list.
pub(crate) const KERNEL_LISTED: KernelSpec = KernelSpec {
    name: "group_key_listed",
    source: include_str!("../../../shaders/merge/group_key.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::read("live"),
        Binding::read("roots"),
        Binding::write("keys"),
        Binding::write("values"),
        Binding::read("list"),
    ],
};

/// Buffers of the kernels.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) roots: &'a wgpu::Buffer,
    pub(crate) keys: &'a wgpu::Buffer,
    pub(crate) values: &'a wgpu::Buffer,
    /// Ranks in the order to keep within a group; `None`: rank order.
    pub(crate) list: Option<&'a wgpu::Buffer>,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant(false)]
}

#[cfg(test)]
pub(crate) fn variants_listed() -> Vec<Variant> {
    vec![variant(true)]
}

fn variant(listed: bool) -> Variant {
    Variant::default().with("listed", listed)
}

/// Writes keeper and rank of each box.
pub(crate) fn record(recorder: &mut Recorder<'_>, buffers: &Buffers<'_>, groups: Groups) -> Result<()> {
    let Buffers { live, roots, keys, values, list } = *buffers;
    let spec = if list.is_some() { &KERNEL_LISTED } else { &KERNEL };
    let kernel = recorder.context.kernel(spec, &variant(list.is_some()))?;
    let binds: Vec<Bind<'_>> =
        [live, roots, keys, values].into_iter().chain(list).map(Bind::Buffer).collect();
    recorder.dispatch(&kernel, &binds, groups)
}
