//! Which rows of a buffer of boxes can be merged.

use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant, groups_1d};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "admit",
    source: include_str!("../../../shaders/rank/admit.wgsl"),
    workgroup: [256, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("boxes"),
        Binding::read("count"),
        Binding::write("flags"),
        Binding::write("header"),
    ],
};

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Params {
    rows: u32,
    counted: u32,
    count_word: u32,
    weighs: u32,
}

/// Rows of candidates.
pub(crate) struct Rows<'a> {
    pub(crate) boxes: &'a wgpu::Buffer,
    pub(crate) rows: u32,
    /// A buffer, and the byte offset of the number of rows in it.
    pub(crate) count: Option<(&'a wgpu::Buffer, u64)>,
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    vec![Variant::default()]
}

/// Flags the rows that can be merged and counts the others in `header`; `weighs`: scores must lie in 0 to 1.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    rows: &Rows<'_>,
    weighs: bool,
    flags: &wgpu::Buffer,
    header: &wgpu::Buffer,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::default())?;
    let (count, offset) = rows.count.unwrap_or((rows.boxes, 0));
    let params = recorder.uniform(&Params {
        rows: rows.rows,
        counted: u32::from(rows.count.is_some()),
        count_word: u32::try_from(offset / 4).unwrap_or(u32::MAX),
        weighs: u32::from(weighs),
    })?;
    let groups = groups_1d(u64::from(rows.rows), KERNEL.workgroup[0]);
    recorder.dispatch(&kernel, &[&params, rows.boxes, count, flags, header].map(Bind::Buffer), groups)
}
