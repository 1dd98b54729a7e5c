//! Sums, means and extremes along axes.

use super::{Launch, Map, MapsParams};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant, groups_1d};
use crate::model::{Axis, ReduceKind};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "reduce",
    source: include_str!("../../../shaders/nn/reduce.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[Binding::uniform("p"), Binding::read("src"), Binding::write("dst")],
};

/// A workgroup for each vec4 of the result.
pub(crate) const KERNEL_WIDE: KernelSpec =
    KernelSpec { name: "reduce_wide", workgroup: [super::WIDE, 1, 1], ..KERNEL };

fn name(kind: ReduceKind) -> &'static str {
    match kind {
        ReduceKind::Sum => "sum",
        ReduceKind::Mean => "mean",
        ReduceKind::Maximum => "maximum",
        ReduceKind::Minimum => "minimum",
    }
}

fn variant(f16: bool, kind: &'static str, channels: bool, wide: bool) -> Variant {
    Variant::storage(f16).with("kind", kind).with("channels", channels).with("wide", wide)
}

#[cfg(test)]
fn all(wide: bool) -> Vec<Variant> {
    let both = [false, true];
    let kinds = ["sum", "mean", "maximum", "minimum"];
    let one =
        |f16| kinds.into_iter().flat_map(move |kind| both.map(|channels| variant(f16, kind, channels, wide)));
    both.into_iter().flat_map(one).collect()
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    all(false)
}

#[cfg(test)]
pub(crate) fn variants_wide() -> Vec<Variant> {
    all(true)
}

/// Records the reduction of `src` along `axes`.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    [src, dst]: [Map<'_>; 2],
    kind: ReduceKind,
    axes: &[Axis],
) -> Result<()> {
    let channels = axes.contains(&Axis::Channel);
    let results = dst.shape.padded_len() / 4;
    let len = src.shape.padded_len() / 4 / results;
    let wide = super::is_wide(len, results, !axes.contains(&Axis::Column), 1)?;
    let spec = if wide { &KERNEL_WIDE } else { &KERNEL };
    let kernel = recorder.context.kernel(spec, &variant(launch.f16, name(kind), channels, wide))?;
    let mut params = MapsParams::new(launch, [src, src, dst]);
    let elements = |map: Map<'_>| u64::from(map.shape.channels) * u64::from(map.shape.pixels());
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^24 need not be exact")]
    let count = (elements(src) / elements(dst)) as f32;
    params.x = count.to_bits();
    let params = recorder.uniform(&params)?;
    let groups = groups_1d(u64::from(launch.tiles) * results, if wide { 1 } else { spec.workgroup[0] });
    recorder.dispatch(&kernel, &[&params, src.buffer, dst.buffer].map(Bind::Buffer), groups)
}
