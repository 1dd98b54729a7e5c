//! Order inside short runs of equal scores.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "rank_ties",
    source: include_str!("../../../shaders/rank/rank_ties.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("live"),
        Binding::read("candidates"),
        Binding::read("keys"),
        Binding::read("order_in"),
        Binding::write("order"),
        Binding::write("long_run"),
    ],
};

/// Longest run that is ordered here.
pub(crate) const RUN_LIMIT: u32 = 256;

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    class_aware: u32,
    pad: [u32; 3],
}

/// Buffers of the kernel; `keys` and `order_in` are sorted by score.
pub(crate) struct Buffers<'a> {
    pub(crate) live: &'a wgpu::Buffer,
    pub(crate) candidates: &'a wgpu::Buffer,
    pub(crate) keys: &'a wgpu::Buffer,
    pub(crate) order_in: &'a wgpu::Buffer,
    pub(crate) order: &'a wgpu::Buffer,
    pub(crate) long_run: &'a wgpu::Buffer,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant()]
}

fn variant() -> Variant {
    Variant::default().with("run_limit", RUN_LIMIT)
}

/// Writes `order`; where a run is longer than [`RUN_LIMIT`] sets `long_run`, and that run's part is undefined.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    class_aware: bool,
    buffers: &Buffers<'_>,
    groups: Groups,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant())?;
    let params = recorder.uniform(&Params { class_aware: u32::from(class_aware), pad: [0; 3] })?;
    let Buffers { live, candidates, keys, order_in, order, long_run } = *buffers;
    let binds = [&params, live, candidates, keys, order_in, order, long_run].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, groups)
}
