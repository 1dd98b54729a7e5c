//! 1x1 convolution of channels that lie in several places; weights as `conv_pointwise::pack`.

use super::conv_pointwise::ConvArgs;
use super::{Launch, Map, MapParams, activation_name, with_residual};
use crate::error::Result;
use crate::geom::Shape;
use crate::gpu::{Bind, Binding, Groups, KernelSpec, Recorder, Variant};
use crate::model::{MAX_SEGMENTS, MAX_SOURCES};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "conv_gathered",
    source: include_str!("../../../shaders/nn/conv_pointwise.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("src"),
        Binding::read("weights"),
        Binding::read("bias"),
        Binding::read("residual"),
        Binding::write("dst"),
        Binding::read("src1"),
        Binding::read("src2"),
        Binding::read("src3"),
        Binding::uniform("gathered"),
    ],
};

/// Channels of some maps, in whole vec4s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segments<'a> {
    /// Its first segment with the channels of all.
    src: Map<'a>,
    /// One for each map.
    sources: [&'a wgpu::Buffer; MAX_SOURCES],
    len: usize,
    places: Gathered,
}

/// The twin of the shader's `Gathered`.
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Gathered {
    /// First vec4, vec4s from a tile to the next, vec4s of channels.
    segments: [[u32; 4]; MAX_SEGMENTS],
    /// By source, the end of its segments.
    ends: [u32; MAX_SOURCES],
}

impl<'a> Segments<'a> {
    /// Segments in order with the names of their maps; `None` if there are none or too many.
    pub(crate) fn new<'n>(segments: &[Map<'a>], names: impl Iterator<Item = &'n str>) -> Option<Self> {
        let first = *segments.first()?;
        if segments.len() > MAX_SEGMENTS {
            return None;
        }
        let mut found =
            Self { src: first, sources: [first.buffer; MAX_SOURCES], len: 0, places: Gathered::default() };
        let (mut channels, mut before) = (0, None);
        for (index, (map, name)) in segments.iter().zip(names).enumerate() {
            if before != Some(name) {
                *found.sources.get_mut(found.len)? = map.buffer;
                (found.len, before) = (found.len + 1, Some(name));
            }
            let groups = map.shape.groups_of_4();
            found.places.segments[index] = [map.base, map.tile, groups, 0];
            found.places.ends[found.len - 1] = u32::try_from(index + 1).ok()?;
            channels += groups * 4;
        }
        found.src.shape = Shape { channels, ..first.shape };
        Some(found)
    }

    /// What stands for them all as far as shapes go.
    pub(crate) fn src(&self) -> Map<'a> {
        self.src
    }
}

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let sources = (1..=MAX_SOURCES).cycle();
    let variants = super::tiled_variants(false).into_iter();
    variants.zip(sources).map(|(variant, n)| variant.with("sources", n)).collect()
}

/// Records the convolution as `conv_pointwise` does, with its tiling.
pub(super) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    (args, segments): (&ConvArgs<'_>, &Segments<'_>),
    fill: impl FnOnce(Variant) -> Variant,
    groups: Groups,
) -> Result<()> {
    let other = args.residual.map_or(args.src, |(_, other)| other);
    let variant = Variant::storage(launch.f16).with("activation", activation_name(args.activation));
    let variant = fill(with_residual(variant, args.residual, args.dst)).with("sources", segments.len);
    let kernel = recorder.context.kernel(&KERNEL, &variant)?;
    let params = MapParams::new(launch, args.src, args.dst, args.window, args.activation).adding(other);
    let (params, gathered) = (recorder.uniform(&params)?, recorder.uniform(&segments.places)?);
    let [src, src1, src2, src3] = segments.sources;
    let binds =
        [&params, src, args.weights, args.bias, other.buffer, args.dst.buffer, src1, src2, src3, &gathered];
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), groups)
}
