//! Sum of two maps, or one alone, then activation.

use super::{Launch, Map, MapParams, Window, activation_name, with_residual};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant, groups_1d};
use crate::model::{Activation, Residual};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "add",
    source: include_str!("../../../shaders/nn/add.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("src"),
        Binding::read("residual"),
        Binding::write("dst"),
    ],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    super::activation_variants(true)
}

/// Records `dst = activation(src + other)`, or `activation(src)` without `other`; a smaller `other` is repeated to the size of
/// `dst`, nearest pixels.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    [src, dst]: [Map<'_>; 2],
    other: Option<Map<'_>>,
    activation: Activation,
) -> Result<()> {
    let variant = Variant::storage(launch.f16).with("activation", activation_name(activation));
    let variant = with_residual(variant, other.map(|other| (Residual::BeforeActivation, other)), dst);
    let kernel = recorder.context.kernel(&KERNEL, &variant)?;
    let other = other.unwrap_or(src);
    let params = MapParams::new(launch, src, dst, Window::POINT, activation).adding(other);
    let params = recorder.uniform(&params)?;
    let count = u64::from(launch.tiles) * dst.shape.padded_len() / 4;
    let binds = [&params, src.buffer, other.buffer, dst.buffer].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, groups_1d(count, KERNEL.workgroup[0]))
}
