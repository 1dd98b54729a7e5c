//! Maps of equal channels, flattened, one after the other.

use super::{Launch, Map, MapsParams};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "join",
    source: include_str!("../../../shaders/nn/join.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("src"), Binding::write("dst")],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    [false, true].map(Variant::storage).to_vec()
}

/// Records the join, a dispatch for each source.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    sources: &[Map<'_>],
    dst: Map<'_>,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::storage(launch.f16))?;
    let mut position = 0;
    for &src in sources {
        let mut params = MapsParams::new(launch, [src, src, dst]);
        params.x = position;
        let params = recorder.uniform(&params)?;
        let binds = [&params, src.buffer, dst.buffer].map(Bind::Buffer);
        recorder.dispatch(&kernel, &binds, super::groups_of_map(launch, src, &KERNEL))?;
        position += src.shape.pixels();
    }
    Ok(())
}
