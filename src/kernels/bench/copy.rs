//! Copies a buffer, to measure the bandwidth of memory.

use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant, groups_1d};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "copy",
    source: include_str!("../../../shaders/bench/copy.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[Binding::read("src"), Binding::write("dst")],
};

/// Vec4s that an invocation copies.
const EACH: u32 = 4;

fn variant() -> Variant {
    Variant::default().with("each", EACH)
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![variant()]
}

/// Records the copy of all vec4s that both buffers hold.
pub(crate) fn record(recorder: &mut Recorder<'_>, src: &wgpu::Buffer, dst: &wgpu::Buffer) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant())?;
    let vec4s = src.size().min(dst.size()) / 16;
    let groups = groups_1d(vec4s.div_ceil(u64::from(EACH)), KERNEL.workgroup[0]);
    recorder.dispatch(&kernel, &[src, dst].map(Bind::Buffer), groups)
}
