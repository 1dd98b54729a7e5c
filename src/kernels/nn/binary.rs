//! Arithmetic of two maps, sides of 1 repeated.

use super::{Launch, Map, MapsParams};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::model::BinaryKind;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "binary",
    source: include_str!("../../../shaders/nn/binary.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("src_a"), Binding::read("src_b"), Binding::write("dst")],
};

fn name(kind: BinaryKind) -> &'static str {
    match kind {
        BinaryKind::Add => "add",
        BinaryKind::Subtract => "subtract",
        BinaryKind::Multiply => "multiply",
        BinaryKind::Divide => "divide",
        BinaryKind::Maximum => "maximum",
        BinaryKind::Minimum => "minimum",
    }
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let kinds = ["add", "subtract", "multiply", "divide", "maximum", "minimum"];
    kinds.iter().flat_map(|&k| [false, true].map(|f16| Variant::storage(f16).with("kind", k))).collect()
}

/// Records `dst = a kind b`.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    [a, b, dst]: [Map<'_>; 3],
    kind: BinaryKind,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::storage(launch.f16).with("kind", name(kind)))?;
    let params = recorder.uniform(&MapsParams::new(launch, [a, b, dst]))?;
    let binds = [&params, a.buffer, b.buffer, dst.buffer].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, super::groups_of_map(launch, dst, &KERNEL))
}
