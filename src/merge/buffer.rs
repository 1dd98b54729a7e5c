//! Merging of boxes that lie in a GPU buffer.

use super::buffers::{BOX_BYTES, Buffers, Recordings};
use super::{BoxMerger, MergeOptions, MergeStats};
use crate::error::{Error, Result};
use crate::gpu::{Context, Recorder, encode};
use crate::kernels::rank::{
    CompactParams, admit, begin, compact_advance, compact_count, compact_scatter, scan,
};
use crate::stages::Candidate;
use wgpu::{Buffer, BufferUsages};

/// Boxes in a buffer of the merger's device, rows of [`Candidate`].
#[derive(Clone, Copy, Debug)]
pub struct GpuBoxes<'a> {
    /// The rows, from the start; usable as `STORAGE`. The upper 4 bits of `tile` are the edges that `KeepBest` looks at.
    pub buffer: &'a Buffer,
    /// Rows to merge; with `count` the most there can be.
    pub rows: u32,
    /// A buffer usable as `STORAGE` and the byte offset of a `u32` in it, a multiple of 4: how many rows there
    /// are; more than `rows` are cut off.
    pub count: Option<(&'a Buffer, u64)>,
}

/// What is left of a buffer of boxes.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MergedBuffer {
    /// The remaining boxes, ordered as [`Merged::boxes`](super::Merged::boxes). Tile and anchor of a merged one are
    /// those of the box that took the others.
    pub boxes: Vec<Candidate>,
    /// Rows left out for a value that is NaN, infinite or beyond ±1e18, or a score that the algorithm cannot use.
    pub not_finite: u32,
    /// Rows left out for a negative size.
    pub negative: u32,
    /// What it cost.
    pub stats: MergeStats,
}

/// Where [`BoxMerger::encode`] leaves its result.
///
/// `header` starts with [`Header`](crate::stages::Header): its first four words are the arguments of an indirect
/// draw of four vertices (a triangle strip) per box.
#[derive(Clone, Debug)]
pub struct MergeBuffers {
    /// Counters; usable as `INDIRECT`, `STORAGE` and `COPY_SRC`. `empty` counts rows of negative size.
    pub header: Buffer,
    /// [`Candidate`]s; usable as `STORAGE`, `VERTEX` and `COPY_SRC`.
    pub boxes: Buffer,
}

impl BoxMerger {
    /// Merges boxes of a GPU buffer and reads back what is left. Rows that no merge can use are left out and counted.
    ///
    /// # Errors
    /// `Input` if an option or the buffer is not usable, `Capacity` if the device cannot hold the boxes, `Device` if
    /// the driver fails.
    pub fn merge_buffer(&mut self, boxes: &GpuBoxes<'_>, options: &MergeOptions) -> Result<MergedBuffer> {
        check(&self.context, boxes, options)?;
        let (context, buffers) = self.reserve(boxes.rows)?;
        check_apart(buffers, boxes)?;
        let recordings = record(context, buffers, boxes, options)?;
        let (header, boxes, stats) = buffers.run(context, &recordings, None, boxes.rows)?;
        Ok(MergedBuffer { boxes, not_finite: header.not_finite, negative: header.empty, stats })
    }

    /// Records the merge of boxes of a GPU buffer into the caller's encoder. Nothing is read back: if the header's
    /// `undecided` is not 0, the result is incomplete and needs more [`MergeOptions::rounds`]. The result is
    /// overwritten by the next merge of this merger.
    ///
    /// # Errors
    /// As [`BoxMerger::merge_buffer`].
    pub fn encode(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        boxes: &GpuBoxes<'_>,
        options: &MergeOptions,
    ) -> Result<MergeBuffers> {
        check(&self.context, boxes, options)?;
        let (context, buffers) = self.reserve(boxes.rows)?;
        check_apart(buffers, boxes)?;
        let (first, _) = record(context, buffers, boxes, options)?;
        context.checked("merge", || encode(encoder, &[&first], None))?;
        Ok(MergeBuffers { header: buffers.header.clone(), boxes: buffers.merger.boxes().clone() })
    }
}

fn check(context: &Context, boxes: &GpuBoxes<'_>, options: &MergeOptions) -> Result<()> {
    options.validate()?;
    let GpuBoxes { buffer, rows, count } = *boxes;
    if buffer.size() < u64::from(rows) * BOX_BYTES {
        return Err(Error::input(format!(
            "a buffer of {} bytes does not hold {rows} boxes of {BOX_BYTES} bytes",
            buffer.size()
        )));
    }
    if let Some((count, offset)) = count
        && (offset % 4 != 0 || offset.checked_add(4).is_none_or(|end| end > count.size()))
    {
        return Err(Error::input(format!(
            "offset {offset} of the count is not a multiple of 4 inside its buffer of {} bytes",
            count.size()
        )));
    }
    let usable = |buffer: &Buffer| buffer.usage().contains(BufferUsages::STORAGE);
    if !usable(buffer) || count.is_some_and(|(count, _)| !usable(count)) {
        return Err(Error::input("the buffer of the boxes or of their count was made without STORAGE usage"));
    }
    let limit = context.limits().max_storage_buffer_binding_size;
    for buffer in [Some(buffer), count.map(|(count, _)| count)].into_iter().flatten() {
        if buffer.size() % 4 != 0 || buffer.size() > limit {
            return Err(Error::input(format!(
                "a buffer of {} bytes cannot be bound: give a multiple of 4, at most {limit}",
                buffer.size()
            )));
        }
    }
    Ok(())
}

/// Refuses the merger's own result as its input.
fn check_apart(buffers: &Buffers, boxes: &GpuBoxes<'_>) -> Result<()> {
    let own = [&buffers.header, buffers.merger.boxes()];
    if own.contains(&boxes.buffer) || boxes.count.is_some_and(|(count, _)| own.contains(&count)) {
        return Err(Error::input("a merger cannot read its own result: use another merger or copy it"));
    }
    Ok(())
}

/// Checks the rows into the candidates of `buffers`, then ranks and merges these.
fn record(
    context: &Context,
    buffers: &Buffers,
    boxes: &GpuBoxes<'_>,
    options: &MergeOptions,
) -> Result<Recordings> {
    context.checked("merge", || {
        let mut recorder = Recorder::new(context);
        recorder.stage("admit");
        begin::record(&mut recorder, &buffers.header, buffers.capacity())?;
        if boxes.rows > 0 {
            let params = CompactParams::new(boxes.rows);
            let flags = context.storage("usable rows", 4 * u64::from(boxes.rows))?;
            let offsets = context.storage("usable rows before", 4 * (u64::from(params.blocks()) + 1))?;
            let rows = admit::Rows { boxes: boxes.buffer, rows: boxes.rows, count: boxes.count };
            admit::record(&mut recorder, &rows, options.weighs(), &flags, &buffers.header)?;
            compact_count::record(&mut recorder, params, &flags, &offsets)?;
            scan::record(&mut recorder, &offsets, params.blocks())?;
            let append = [&flags, &offsets, boxes.buffer, &buffers.header, &buffers.candidates];
            compact_scatter::record(&mut recorder, params, append)?;
            compact_advance::record(&mut recorder, params, &offsets, &buffers.header)?;
        }
        buffers.record(context, recorder, options)
    })?
}
