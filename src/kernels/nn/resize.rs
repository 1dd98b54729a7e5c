//! Resampling of maps.

use super::{Launch, Map, MapParams, Window, groups_folded};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::model::{Activation, ResizeKind};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "resize",
    source: include_str!("../../../shaders/nn/resize.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("src"), Binding::write("dst")],
};

#[cfg(test)]
const KINDS: [ResizeKind; 4] = [
    ResizeKind::NearestAsymmetricFloor,
    ResizeKind::LinearHalfPixel,
    ResizeKind::LinearAsymmetric,
    ResizeKind::LinearAlignCorners,
];

fn name(kind: ResizeKind) -> &'static str {
    match kind {
        ResizeKind::NearestAsymmetricFloor => "nearest_asymmetric_floor",
        ResizeKind::LinearHalfPixel => "linear_half_pixel",
        ResizeKind::LinearAsymmetric => "linear_asymmetric",
        ResizeKind::LinearAlignCorners => "linear_align_corners",
    }
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    KINDS
        .iter()
        .flat_map(|&kind| [false, true].map(|f16| Variant::storage(f16).with("kind", name(kind))))
        .collect()
}

/// Records the resampling of `src` to the size of `dst`.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    [src, dst]: [Map<'_>; 2],
    kind: ResizeKind,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::storage(launch.f16).with("kind", name(kind)))?;
    let params = recorder.uniform(&MapParams::new(launch, src, dst, Window::POINT, Activation::None))?;
    let pixels = u64::from(dst.shape.pixels()) * u64::from(launch.tiles);
    let groups = groups_folded(pixels, KERNEL.workgroup[0], dst.shape.groups_of_4());
    recorder.dispatch(&kernel, &[&params, src.buffer, dst.buffer].map(Bind::Buffer), groups)
}
