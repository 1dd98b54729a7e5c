//! Maximum and average pooling.

use super::{Launch, Map, MapParams, Window, groups_folded};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::model::{Activation, PoolKind};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "pool",
    source: include_str!("../../../shaders/nn/pool.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("src"), Binding::write("dst")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let kinds = ["max", "average", "average_padded"];
    kinds.iter().flat_map(|&k| [false, true].map(|f16| Variant::storage(f16).with("kind", k))).collect()
}

/// Records the pooling; `count_padding` counts padding as zeros in an average.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    [src, dst]: [Map<'_>; 2],
    window: Window,
    (kind, count_padding): (PoolKind, bool),
) -> Result<()> {
    super::check_iterations(window, 0)?;
    let name = match (kind, count_padding) {
        (PoolKind::Max, _) => "max",
        (PoolKind::Average, false) => "average",
        (PoolKind::Average, true) => "average_padded",
    };
    let kernel = recorder.context.kernel(&KERNEL, &Variant::storage(launch.f16).with("kind", name))?;
    let params = recorder.uniform(&MapParams::new(launch, src, dst, window, Activation::None))?;
    let pixels = u64::from(dst.shape.pixels()) * u64::from(launch.tiles);
    let groups = groups_folded(pixels, KERNEL.workgroup[0], dst.shape.groups_of_4());
    recorder.dispatch(&kernel, &[&params, src.buffer, dst.buffer].map(Bind::Buffer), groups)
}
