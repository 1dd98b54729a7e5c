//! Multiplies and adds, to measure the rate of arithmetic.

use crate::error::Result;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "fma",
    source: include_str!("../../../shaders/bench/fma.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::write("values")],
};

/// Chains of an invocation: enough to fill any pipeline, few enough for the registers of a full device.
const CHAINS: u32 = 8;
/// Links of a chain written out in the loop, which counts and bounds its iterations at some cost.
const STEPS: u32 = 8;
/// Far below the 65,535 at which software drivers end a loop.
const ITERATIONS: u32 = 128;
/// Operations of a workgroup: two for each multiply-add of four lanes.
pub(crate) const FLOP_PER_GROUP: u64 =
    KERNEL.workgroup[0] as u64 * ITERATIONS as u64 * STEPS as u64 * CHAINS as u64 * 4 * 2;

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    factor: f32,
    term: f32,
    iterations: u32,
    pad: u32,
}

fn variant(f16: bool) -> Variant {
    Variant::storage(f16).with("chains", CHAINS).with("steps", STEPS)
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    [false, true].map(variant).to_vec()
}

/// Bytes that `groups` workgroups read and write.
pub(crate) fn bytes(groups: u32, f16: bool) -> u64 {
    u64::from(groups) * u64::from(KERNEL.workgroup[0]) * if f16 { 8 } else { 16 }
}

/// Records `groups` workgroups, at most 65,535, over `values` of as many [`bytes`].
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    f16: bool,
    values: &wgpu::Buffer,
    groups: u32,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(f16))?;
    // Each chain tends to term / (1 - factor), which stays small in f16 too.
    let params = recorder.uniform(&Params { factor: 0.875, term: 0.125, iterations: ITERATIONS, pad: 0 })?;
    recorder.dispatch(&kernel, &[&params, values].map(Bind::Buffer), Groups::Direct([groups, 1, 1]))
}
