//! YOLOX head, one level.

use super::{DecodeParams, LevelArgs, groups};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::kernels::nn::{Launch, Map};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "yolox",
    source: include_str!("../../../shaders/decode/yolox.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("tiles"),
        Binding::read("boxes"),
        Binding::read("objectness"),
        Binding::read("classes"),
        Binding::read("least_scores"),
        Binding::write("flags"),
        Binding::write("found"),
        Binding::write("header"),
    ],
};

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    [false, true].map(Variant::storage).to_vec()
}

/// Records the decoding of one level from its box, objectness and class maps.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &LevelArgs<'_>,
    [boxes, objectness, classes]: [Map<'_>; 3],
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &Variant::storage(launch.f16))?;
    let params = recorder.uniform(&DecodeParams {
        objectness_base: objectness.base,
        objectness_tile: objectness.tile,
        ..DecodeParams::new(launch, args, boxes, classes)
    })?;
    let binds = [
        &params,
        args.tiles,
        boxes.buffer,
        objectness.buffer,
        classes.buffer,
        args.least_scores,
        args.flags,
        args.found,
        args.header,
    ];
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), groups(launch, classes, KERNEL.workgroup[0]))
}
