//! Rearranged channels.

use super::{Launch, Map, MapParams, Window, groups_folded};
use crate::error::{Error, Result};
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::model::Activation;
use std::ops::Range;

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "channels",
    source: include_str!("../../../shaders/nn/channels.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("table"),
        Binding::read("src0"),
        Binding::read("src1"),
        Binding::read("src2"),
        Binding::read("src3"),
        Binding::write("dst"),
    ],
};

/// Different source buffers one dispatch can read.
pub(crate) const MAX_SOURCES: usize = 4;

#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let sources = 1..=MAX_SOURCES;
    sources.flat_map(|n| [false, true].map(|f16| Variant::storage(f16).with("sources", n))).collect()
}

/// Records `dst[c][y][x] = src[i][k][y * step + dy][x * step + dx]` with `[i, k, dy, dx] = map[c]` for the `c` of a range, which
/// begins at a vec4.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    sources: &[Map<'_>],
    dst: Map<'_>,
    step: u32,
    (map, range): (&[[u32; 4]], Range<u32>),
) -> Result<()> {
    let map = map.get(range.start as usize..range.end as usize).unwrap_or_default();
    let dst = dst.channels(range);
    let mut buffers: Vec<&wgpu::Buffer> = Vec::new();
    for &[input, ..] in map {
        let buffer = sources[input as usize].buffer;
        if !buffers.contains(&buffer) {
            buffers.push(buffer);
        }
    }
    if buffers.len() > MAX_SOURCES || step > 255 {
        return Err(Error::unsupported(format!(
            "a channel map over {} buffers with step {step} is beyond {MAX_SOURCES} and 255",
            buffers.len()
        )));
    }
    let table = table(sources, &buffers, map);
    let variant = Variant::storage(launch.f16).with("sources", buffers.len());
    let kernel = recorder.context.kernel(&KERNEL, &variant)?;
    let usage = wgpu::BufferUsages::STORAGE;
    let table = recorder.context.buffer_with("channel table", bytemuck::cast_slice(&table), usage)?;
    let window = Window { stride: [step, step], ..Window::POINT };
    let params = recorder.uniform(&MapParams::new(launch, sources[0], dst, window, Activation::None))?;
    let source = |index: usize| *buffers.get(index).unwrap_or(&buffers[0]);
    let binds = [&params, &table, source(0), source(1), source(2), source(3), dst.buffer];
    let blocks =
        u64::from(dst.shape.width.div_ceil(4)) * u64::from(dst.shape.height) * u64::from(launch.tiles);
    let groups = groups_folded(blocks, KERNEL.workgroup[0], dst.shape.groups_of_4());
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), groups)
}

/// One entry per output channel, as the shader's header describes; unused channels of the last group are 0.
fn table(sources: &[Map<'_>], buffers: &[&wgpu::Buffer], map: &[[u32; 4]]) -> Vec<[u32; 4]> {
    let mut table: Vec<[u32; 4]> = map
        .iter()
        .map(|&[input, channel, dy, dx]| {
            let source = sources[input as usize];
            let binding = buffers.iter().position(|&b| b == source.buffer).unwrap_or(0);
            let pixels = source.shape.pixels();
            [
                u32::try_from(binding).unwrap_or(0) | (channel % 4) << 2 | dy << 8 | dx << 16,
                source.base + channel / 4 * pixels,
                source.tile,
                1,
            ]
        })
        .collect();
    table.resize(map.len().next_multiple_of(4), [0; 4]);
    for group in table.chunks_exact_mut(4) {
        let first = group[0];
        let lane = |k: u32| [first[0] | k << 2, first[1], first[2], 1];
        if first[3] == 1 && (first[0] >> 2) & 3 == 0 && (0..4).zip(group.iter()).all(|(k, e)| *e == lane(k)) {
            group[0][3] = 2;
        }
    }
    table
}
