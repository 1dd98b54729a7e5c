//! Matrix products, one per channel.

use super::{Launch, MAX_ITERATIONS, Map, MapsParams};
use crate::error::{Error, Result};
use crate::gpu::{Bind, KernelSpec, Recorder, Variant, groups_1d};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "matmul",
    source: include_str!("../../../shaders/nn/matmul.wgsl"),
    workgroup: [64, 1, 1],
    bindings: super::binary::KERNEL.bindings,
};

fn variant(f16: bool, rows: u32, repeat: &'static str) -> Variant {
    Variant::storage(f16).with("rows", rows).with("repeat", repeat)
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let repeats = ["none", "a", "b"];
    let one = |repeat| [false, true].map(|f16| [1, 4].map(|rows| variant(f16, rows, repeat)));
    repeats.into_iter().flat_map(one).flatten().collect()
}

/// Records `dst = a x b`; an input of a single channel is repeated.
pub(crate) fn record(recorder: &mut Recorder<'_>, launch: Launch, [a, b, dst]: [Map<'_>; 3]) -> Result<()> {
    let sums = a.shape.width;
    if u64::from(sums) > MAX_ITERATIONS {
        return Err(Error::unsupported(format!("sums of {sums} products are too long for one pass")));
    }
    let repeat = match (a.shape.channels, b.shape.channels) {
        (a, b) if a == b => "none",
        (1, _) => "a",
        _ => "b",
    };
    let rows = if dst.shape.height < 4 { 1 } else { 4 };
    let kernel = recorder.context.kernel(&KERNEL, &variant(launch.f16, rows, repeat))?;
    let params = recorder.uniform(&MapsParams::new(launch, [a, b, dst]))?;
    let blocks = [dst.shape.groups_of_4(), dst.shape.height.div_ceil(rows), dst.shape.width.div_ceil(4)];
    let count = blocks.into_iter().map(u64::from).product::<u64>() * u64::from(launch.tiles);
    let binds = [&params, a.buffer, b.buffer, dst.buffer].map(Bind::Buffer);
    recorder.dispatch(&kernel, &binds, groups_1d(count, KERNEL.workgroup[0]))
}
