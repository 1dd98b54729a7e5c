//! Softmax along an axis.

use super::{Launch, Map, MapsParams};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant, groups_1d};
use crate::model::Axis;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "softmax",
    source: include_str!("../../../shaders/nn/softmax.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("src"), Binding::write("dst")],
};

/// A workgroup for each line.
pub(crate) const KERNEL_WIDE: KernelSpec =
    KernelSpec { name: "softmax_wide", workgroup: [super::WIDE, 1, 1], ..KERNEL };

#[cfg(test)]
fn all(wide: bool) -> Vec<Variant> {
    let one = |axis| [false, true].map(|f16| Variant::storage(f16).with("axis", axis).with("wide", wide));
    ["channel", "row", "column"].into_iter().flat_map(one).collect()
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    all(false)
}

#[cfg(test)]
pub(crate) fn variants_wide() -> Vec<Variant> {
    all(true)
}

/// Records the softmax of `src`.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    [src, dst]: [Map<'_>; 2],
    axis: Axis,
) -> Result<()> {
    let shape = src.shape;
    let (name, len) = match axis {
        Axis::Channel => ("channel", shape.groups_of_4()),
        Axis::Row => ("row", shape.height),
        Axis::Column => ("column", shape.width),
    };
    let lines = shape.padded_len() / 4 / u64::from(len);
    let wide = super::is_wide(u64::from(len), lines, axis != Axis::Column, 3)?;
    let spec = if wide { &KERNEL_WIDE } else { &KERNEL };
    let variant = Variant::storage(launch.f16).with("axis", name).with("wide", wide);
    let kernel = recorder.context.kernel(spec, &variant)?;
    let params = recorder.uniform(&MapsParams::new(launch, [src, src, dst]))?;
    let groups = groups_1d(u64::from(launch.tiles) * lines, if wide { 1 } else { spec.workgroup[0] });
    recorder.dispatch(&kernel, &[&params, src.buffer, dst.buffer].map(Bind::Buffer), groups)
}
