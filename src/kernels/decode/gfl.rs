//! Generalised focal loss head, one level.

use super::{DecodeParams, LevelArgs, groups};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::kernels::nn::{Launch, Map};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "gfl",
    source: include_str!("../../../shaders/decode/gfl.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("tiles"),
        Binding::read("boxes"),
        Binding::read("classes"),
        Binding::read("least_scores"),
        Binding::write("flags"),
        Binding::write("found"),
        Binding::write("header"),
    ],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let with_storage = |f16| [false, true].map(|sigmoid| Variant::storage(f16).with("sigmoid", sigmoid));
    [false, true].into_iter().flat_map(with_storage).collect()
}

/// Records the decoding of one level from its distance and class maps.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &LevelArgs<'_>,
    [distances, classes]: [Map<'_>; 2],
    (bins, centre, sigmoid): (u32, f32, bool),
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::storage(launch.f16).with("sigmoid", sigmoid))?;
    let params = recorder.uniform(&DecodeParams {
        bins,
        offset: [centre; 2],
        ..DecodeParams::new(launch, args, distances, classes)
    })?;
    let binds = [
        &params,
        args.tiles,
        distances.buffer,
        classes.buffer,
        args.least_scores,
        args.flags,
        args.found,
        args.header,
    ];
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), groups(launch, classes, KERNEL.workgroup[0]))
}
