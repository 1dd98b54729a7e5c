//! Rows and columns taken by number.

use super::{Launch, Map, MapsParams};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "sample",
    source: include_str!("../../../shaders/nn/sample.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("table"), Binding::read("src"), Binding::write("dst")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    [false, true].map(Variant::storage).to_vec()
}

/// Records `dst[c][y][x] = src[c][rows[y]][columns[x]]`, and `fill` where either is -1.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    [src, dst]: [Map<'_>; 2],
    [rows, columns]: [&[i32]; 2],
    fill: f32,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::storage(launch.f16))?;
    let table = [rows, columns].concat();
    let usage = wgpu::BufferUsages::STORAGE;
    let table = recorder.context.buffer_with("sample table", bytemuck::cast_slice(&table), usage)?;
    let mut params = MapsParams::new(launch, [src, src, dst]);
    params.x = fill.to_bits();
    let params = recorder.uniform(&params)?;
    let binds = [&params, &table, src.buffer, dst.buffer].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, super::groups_of_map(launch, dst, &KERNEL))
}
