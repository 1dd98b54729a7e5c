//! The order of the output.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "output_order",
    source: include_str!("../../../shaders/merge/output_order.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::read("live"),
        Binding::read("ranks"),
        Binding::read("order"),
        Binding::read("places"),
        Binding::write("order_out"),
        Binding::write("places_out"),
    ],
};

/// Buffers of the kernel.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) ranks: &'a wgpu::Buffer,
    pub(crate) order: &'a wgpu::Buffer,
    pub(crate) places: &'a wgpu::Buffer,
    pub(crate) order_out: &'a wgpu::Buffer,
    pub(crate) places_out: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Writes candidates and entries in the order of `ranks`.
pub(crate) fn record(recorder: &mut Recorder<'_>, buffers: &Buffers<'_>, groups: Groups) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let Buffers { live, ranks, order, places, order_out, places_out } = *buffers;
    recorder.dispatch(&kernel, &[live, ranks, order, places, order_out, places_out].map(Bind::Buffer), groups)
}
