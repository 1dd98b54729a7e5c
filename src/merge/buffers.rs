//! The buffers of merges of up to some number of boxes, and how a recording runs.

use super::{MergeOptions, MergeStats};
use crate::error::{Error, Result};
use crate::gpu::{Context, Recorder, Recording, map_read};
use crate::stages::merge::Merger;
use crate::stages::rank::Ranker;
use crate::stages::{Candidate, Header};
use wgpu::{Buffer, BufferUsages};

const HEADER_BYTES: u64 = size_of::<Header>() as u64;
const COOKIE_OFFSET: u64 = std::mem::offset_of!(Header, cookie) as u64;
pub(super) const BOX_BYTES: u64 = size_of::<Candidate>() as u64;
const SMALLEST_CAPACITY: u32 = 1024;

/// A merge from the start, and its further rounds.
pub(super) type Recordings = (Recording, Recording);

#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) ranker: Ranker,
    pub(super) merger: Merger,
    pub(super) candidates: Buffer,
    pub(super) header: Buffer,
    readback: Buffer,
    recorded: Option<(MergeOptions, Recordings)>,
}

impl Buffers {
    pub(super) fn new(context: &Context, count: u32) -> Result<Self> {
        let capacity = count.max(SMALLEST_CAPACITY).checked_next_power_of_two().unwrap_or(count);
        let ranker = Ranker::new(context, capacity)?;
        let bytes = u64::from(capacity) * BOX_BYTES;
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        Ok(Self {
            merger: Merger::new(context, &ranker)?,
            ranker,
            candidates: context.storage("boxes to merge", bytes)?,
            header: context.buffer("merge header", HEADER_BYTES, usage | BufferUsages::INDIRECT)?,
            readback: context.buffer(
                "merged boxes",
                HEADER_BYTES + bytes,
                BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            )?,
            recorded: None,
        })
    }

    pub(super) fn capacity(&self) -> u32 {
        self.ranker.capacity()
    }

    fn bytes(&self) -> u64 {
        let own = [&self.candidates, &self.header, &self.readback].map(Buffer::size);
        self.ranker.bytes() + self.merger.bytes() + own.iter().sum::<u64>()
    }

    /// Records ranking and merging of the candidates after what `first` holds.
    pub(super) fn record(
        &self,
        context: &Context,
        mut first: Recorder<'_>,
        options: &MergeOptions,
    ) -> Result<Recordings> {
        let input = options.input(&self.ranker, &self.candidates, &self.header);
        self.ranker.record(&mut first, &self.candidates, &self.header, !options.class_agnostic)?;
        self.merger.record(&mut first, &input)?;
        let mut more = Recorder::new(context);
        self.merger.record_more(&mut more, &input)?;
        Ok((first.finish(), more.finish()))
    }

    /// Records the merge of the candidates anew if the options changed.
    pub(super) fn prepare(&mut self, context: &Context, options: &MergeOptions) -> Result<()> {
        if self.recorded.as_ref().is_some_and(|(known, _)| known == options) {
            return Ok(());
        }
        let recordings =
            context.checked("merge", || self.record(context, Recorder::new(context), options))??;
        self.recorded = Some((*options, recordings));
        Ok(())
    }

    /// What [`Buffers::prepare`] recorded.
    pub(super) fn recordings(&self) -> Result<&Recordings> {
        self.recorded
            .as_ref()
            .map(|(_, recordings)| recordings)
            .ok_or_else(|| Error::device("the merge was not recorded"))
    }

    /// Runs recordings until all is decided and reads header and boxes, `count` at most. `start` is the header to
    /// begin with, where the recording does not write it.
    pub(super) fn run(
        &self,
        context: &Context,
        (first, more): &Recordings,
        start: Option<&Header>,
        count: u32,
    ) -> Result<(Header, Vec<Candidate>, MergeStats)> {
        let mut submissions = 0;
        let mut recording = first;
        let mut undecided = u32::MAX;
        loop {
            let (header, boxes) = self.submit(context, recording, start, count)?;
            submissions += 1;
            if header.cookie != Header::COOKIE || header.boxes > count {
                return Err(Error::device("the merge did not finish: the device stopped it"));
            }
            if header.undecided == 0 {
                let stats = MergeStats { rounds: header.rounds, submissions, gpu_bytes: self.bytes() };
                return Ok((header, boxes, stats));
            }
            if header.undecided >= undecided {
                return Err(Error::device(format!(
                    "the merge made no progress with {undecided} boxes undecided: the driver is faulty"
                )));
            }
            undecided = header.undecided;
            recording = more;
        }
    }

    /// Runs a recording and reads the header and, if all is decided, the boxes.
    fn submit(
        &self,
        context: &Context,
        recording: &Recording,
        start: Option<&Header>,
        count: u32,
    ) -> Result<(Header, Vec<Candidate>)> {
        let bytes = HEADER_BYTES + u64::from(count) * BOX_BYTES;
        let submission = context.checked("merge", || {
            if let Some(start) = start {
                context.queue().write_buffer(&self.header, 0, bytemuck::bytes_of(start));
            }
            let mut encoder = context
                .device()
                .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("merge boxes") });
            // A killed continuation must not pass for a finished one.
            encoder.clear_buffer(&self.header, COOKIE_OFFSET, Some(4));
            crate::gpu::encode(&mut encoder, &[recording], None);
            encoder.copy_buffer_to_buffer(&self.header, 0, &self.readback, 0, HEADER_BYTES);
            if count > 0 {
                let boxes = self.merger.boxes();
                encoder.copy_buffer_to_buffer(boxes, 0, &self.readback, HEADER_BYTES, bytes - HEADER_BYTES);
            }
            context.queue().submit([encoder.finish()])
        })?;
        map_read(context, &self.readback, submission)?.wait()?;
        let result = {
            let view = self
                .readback
                .get_mapped_range(..)
                .map_err(|e| Error::device(format!("merged boxes: {e}")))?;
            let (head, rest) = view.split_at(size_of::<Header>());
            let header: Header = bytemuck::pod_read_unaligned(head);
            let kept = if header.undecided == 0 { header.boxes.min(count) as usize } else { 0 };
            let read = |bytes: &[u8]| bytemuck::pod_read_unaligned::<Candidate>(bytes);
            (header, rest.chunks_exact(size_of::<Candidate>()).take(kept).map(read).collect())
        };
        self.readback.unmap();
        Ok(result)
    }
}
