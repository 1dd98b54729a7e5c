//! A picture in flight, and what happens when it lands.

use super::detections::{Detection, Detections, Stats};
use super::work::{SourceKind, Work};
use super::{DetectOptions, Detector, texture, unfinished};
use crate::error::{Error, Result};
use crate::gpu::{Context, MapSignal, Mark, Marks, Profile, Recording, encode, map_read};
use crate::stages::merge::MERGE_STAGE;
use crate::stages::{Candidate, Header, ImageView};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;
use wgpu::BufferUsages;

/// Where a picture comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Image(ImageView<'a>),
    Texture(&'a wgpu::TextureView),
}

impl Source<'_> {
    fn size(&self) -> [u32; 2] {
        match self {
            Self::Image(image) => [image.width(), image.height()],
            Self::Texture(view) => [view.texture().width(), view.texture().height()],
        }
    }

    fn kind(&self) -> SourceKind {
        match self {
            Self::Image(image) => SourceKind::Frame(image.format()),
            Self::Texture(_) => SourceKind::Texture,
        }
    }
}

const HEADER_BYTES: u64 = size_of::<Header>() as u64;
const BOX_BYTES: u64 = size_of::<Candidate>() as u64;
/// The copy of the picture from memory that the host writes.
const UPLOAD_STAGE: &str = "upload";
/// Copies of header and boxes into the buffer that is mapped.
const READBACK_STAGE: &str = "readback";
const COOKIE_OFFSET: u64 = std::mem::offset_of!(Header, cookie) as u64;

/// A buffer to read a result back, and the timestamps that go with it.
#[derive(Debug)]
pub(super) struct Slot {
    buffer: wgpu::Buffer,
    boxes: u32,
    profile: Option<Profile>,
    marks: Marks,
}

impl Slot {
    fn new(context: &Context, boxes: u32, marks: Marks) -> Result<Self> {
        let profile = Profile::new(context, marks)?;
        let times = profile.as_ref().map_or(0, Profile::bytes);
        let size = HEADER_BYTES + u64::from(boxes) * BOX_BYTES + times;
        let buffer = context.buffer("read-back", size, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?;
        Ok(Self { buffer, boxes, profile, marks })
    }

    fn times_offset(&self) -> u64 {
        HEADER_BYTES + u64::from(self.boxes) * BOX_BYTES
    }
}

/// A submission whose result is being mapped.
#[derive(Debug)]
pub(super) struct Flight {
    slot: Slot,
    signal: MapSignal,
    /// [`Work::generation`] of its submission.
    generation: u64,
}

/// Uploads, encodes and submits a picture.
pub(super) fn launch(
    detector: &Detector,
    work: &mut Work,
    source: Source<'_>,
    options: &DetectOptions,
    stats: &mut Stats,
) -> Result<Flight> {
    let fixed = &detector.fixed;
    let context = &fixed.context;
    let chunks = work.prepare(fixed, source.size(), source.kind(), options)?.1.chunks();
    let textures: Vec<Recording> = match source {
        Source::Image(_) => Vec::new(),
        Source::Texture(view) => context.checked("preprocessing", || {
            let srgb = texture::is_srgb(view);
            (0..chunks).map(|chunk| work.record_texture(fixed, chunk, (view, srgb))).collect::<Result<_>>()
        })??,
    };
    let gpu_bytes = work.bytes(fixed);
    work.generation += 1;
    let (generation, most_boxes) = (work.generation, work.most_boxes);
    let (lists, plan) = work.prepare(fixed, source.size(), source.kind(), options)?;
    let groups = plan.groups(&textures, fixed.options.tiles_per_submission);
    let marks = count_marks(&groups, fixed.options.profile_layers);
    let mut slot =
        take_slot(detector, fixed.options.readback_boxes.max(most_boxes).min(lists.capacity), marks)?;
    stats.runs += 1;
    stats.tiles = u32::try_from(plan.grid.tiles.len()).unwrap_or(u32::MAX);
    stats.chunks = u32::try_from(chunks).unwrap_or(u32::MAX);
    stats.gpu_bytes = gpu_bytes + slot.buffer.size();
    let times_offset = slot.times_offset();
    let submission = context.checked("submitting a picture", || {
        let mut submission = None;
        for (index, group) in groups.iter().enumerate() {
            let mut encoder = context
                .device()
                .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("tilehawk") });
            let mut staged = None;
            if let (0, Source::Image(image), Some(frame)) = (index, &source, &plan.frame) {
                let started = Instant::now();
                if let Some(profile) = &mut slot.profile {
                    profile.mark_outside(&mut encoder, Mark::Stage(UPLOAD_STAGE));
                }
                staged = Some((frame, frame.upload(context, &mut encoder, image)?));
                stats.bytes_up += frame.upload_bytes(image);
                stats.upload_ms += started.elapsed().as_secs_f64() * 1e3;
            }
            encode(&mut encoder, group, slot.profile.as_mut());
            if index + 1 == groups.len() {
                let boxes = u64::from(slot.boxes) * BOX_BYTES;
                if let Some(profile) = &mut slot.profile {
                    profile.mark_outside(&mut encoder, Mark::Stage(READBACK_STAGE));
                }
                encoder.copy_buffer_to_buffer(&lists.header, 0, &slot.buffer, 0, HEADER_BYTES);
                encoder.copy_buffer_to_buffer(lists.boxes(), 0, &slot.buffer, HEADER_BYTES, boxes);
                if let Some(profile) = &mut slot.profile {
                    profile.mark_outside(&mut encoder, Mark::End);
                    profile.resolve(&mut encoder, &slot.buffer, times_offset);
                }
            }
            submission = Some(context.queue().submit([encoder.finish()]));
            stats.submissions += 1;
            if let Some((frame, staged)) = staged {
                frame.sent(staged);
            }
        }
        Ok::<_, Error>(submission)
    })??;
    let submission = submission.ok_or_else(|| Error::device("nothing was submitted"))?;
    let signal = map_read(context, &slot.buffer, submission)?;
    Ok(Flight { slot, signal, generation })
}

/// Those of the recordings, the end of each pass, the upload, and the two of the read-back.
fn count_marks(groups: &[Vec<&Recording>], layers: bool) -> Marks {
    let mut marks = Marks { stages: u32::try_from(groups.len()).unwrap_or(0) + 3, layers: 0 };
    for recording in groups.iter().flatten().map(|recording| recording.marks()) {
        marks.stages = marks.stages.saturating_add(recording.stages);
        marks.layers = marks.layers.saturating_add(if layers { recording.layers } else { 0 });
    }
    marks
}

fn take_slot(detector: &Detector, boxes: u32, marks: Marks) -> Result<Slot> {
    let mut slots = detector.lock_slots();
    while let Some(mut slot) = slots.pop() {
        if slot.boxes == boxes && slot.marks.hold(marks) {
            if let Some(profile) = &mut slot.profile {
                profile.restart();
            }
            return Ok(slot);
        }
    }
    Slot::new(&detector.fixed.context, boxes, marks)
}

/// A picture in flight: [`Pending::wait`] for it, or await it. Dropping it drops the result.
#[derive(Debug)]
#[must_use = "the detections come from wait() or .await"]
pub struct Pending<'a> {
    detector: &'a Detector,
    source: Source<'a>,
    options: DetectOptions,
    flight: Option<Flight>,
    stats: Stats,
}

/// What a mapped result says.
struct Landed {
    header: Header,
    /// As many boxes as the slot holds.
    boxes: Vec<Detection>,
}

impl<'a> Pending<'a> {
    pub(super) fn new(
        detector: &'a Detector,
        source: Source<'a>,
        options: DetectOptions,
        flight: Flight,
        stats: Stats,
    ) -> Self {
        Self { detector, source, options, flight: Some(flight), stats }
    }

    /// Blocks until the detections are there.
    ///
    /// # Errors
    /// As [`Detector::detect`].
    pub fn wait(mut self) -> Result<Detections> {
        let flight = self.flight.take().ok_or_else(|| Error::device("the result was taken before"))?;
        flight.signal.wait()?;
        self.land(flight)
    }

    /// Reads the mapped result; where a buffer was too small or the merge not done, goes on until it is.
    fn land(&mut self, flight: Flight) -> Result<Detections> {
        let mut generation = flight.generation;
        let mut landed = self.read(flight)?;
        if !is_complete(&landed) {
            let detector = self.detector;
            // Held to the end: the merge goes on from buffers that another picture would overwrite.
            let mut work = detector.lock_work();
            while landed.header.candidates > landed.header.capacity || work.generation != generation {
                let needed = landed.header.candidates;
                let capacity = needed.checked_next_power_of_two().unwrap_or(needed);
                work.reserve(&detector.fixed, capacity.max(detector.fixed.options.candidate_capacity))?;
                let flight = launch(detector, &mut work, self.source, &self.options, &mut self.stats)?;
                flight.signal.wait()?;
                generation = flight.generation;
                landed = self.read(flight)?;
            }
            while !is_complete(&landed) {
                landed = self.go_on(&mut work, &landed)?;
            }
            let most = landed.header.boxes.checked_next_power_of_two().unwrap_or(landed.header.boxes);
            work.most_boxes = work.most_boxes.max(most);
        }
        Ok(Detections { items: landed.boxes, stats: std::mem::take(&mut self.stats) })
    }

    /// More merge rounds if any box is undecided; all boxes once none is.
    fn go_on(&mut self, work: &mut Work, before: &Landed) -> Result<Landed> {
        let fixed = &self.detector.fixed;
        let context = &fixed.context;
        let generation = work.generation;
        let header = before.header;
        let (lists, plan) = work.prepare(fixed, self.source.size(), self.source.kind(), &self.options)?;
        let room = if header.undecided > 0 { 0 } else { header.boxes.min(lists.capacity) };
        let slot = Slot::new(context, room, Marks::default())?;
        let submission = context.checked("merging on", || {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = context.device().create_command_encoder(&descriptor);
            if header.undecided > 0 {
                // A killed continuation must not pass for a finished one.
                encoder.clear_buffer(&lists.header, COOKIE_OFFSET, Some(4));
                encode(&mut encoder, &[&plan.more_rounds], None);
            }
            encoder.copy_buffer_to_buffer(&lists.header, 0, &slot.buffer, 0, HEADER_BYTES);
            if room > 0 {
                let bytes = u64::from(room) * BOX_BYTES;
                encoder.copy_buffer_to_buffer(lists.boxes(), 0, &slot.buffer, HEADER_BYTES, bytes);
            }
            context.queue().submit([encoder.finish()])
        })?;
        self.stats.submissions += 1;
        // What follows is not timed, and part of a stage's time would pass for all of it.
        let untimed = |stage: &str| stage == READBACK_STAGE || (stage == MERGE_STAGE && header.undecided > 0);
        self.stats.stages.retain(|time| !untimed(time.stage));
        let signal = map_read(context, &slot.buffer, submission)?;
        signal.wait()?;
        let landed = self.read(Flight { slot, signal, generation })?;
        let moved = landed.header.undecided < header.undecided || landed.boxes.len() > before.boxes.len();
        if moved || is_complete(&landed) { Ok(landed) } else { Err(unfinished()) }
    }

    fn read(&mut self, flight: Flight) -> Result<Landed> {
        let slot = flight.slot;
        let landed = {
            let bytes = slot.buffer.get_mapped_range(..).map_err(|e| Error::device(e.to_string()))?;
            let header: Header = bytemuck::pod_read_unaligned(&bytes[..HEADER_BYTES as usize]);
            let count = header.boxes.min(slot.boxes) as usize;
            let boxes = bytes[HEADER_BYTES as usize..]
                .chunks_exact(BOX_BYTES as usize)
                .take(count)
                .map(|bytes| Detection::from(&bytemuck::pod_read_unaligned::<Candidate>(bytes)))
                .collect();
            if let Some(profile) = &slot.profile {
                let period = self.detector.fixed.context.queue().get_timestamp_period();
                let times = profile.times(&bytes[slot.times_offset() as usize..], period);
                if !times.stages.is_empty() {
                    self.stats.stages = times.stages;
                    self.stats.layers = times.layers;
                }
            }
            self.stats.maps += 1;
            self.stats.bytes_down += bytes.len() as u64;
            Landed { header, boxes }
        };
        slot.buffer.unmap();
        self.detector.lock_slots().push(slot);
        // Each chunk counts itself: a driver that drops one of several submissions would go unseen.
        if landed.header.cookie != Header::COOKIE || landed.header.chunks != self.stats.chunks {
            return Err(unfinished());
        }
        self.stats.read_header(&landed.header);
        Ok(landed)
    }
}

fn is_complete(landed: &Landed) -> bool {
    let Header { candidates, capacity, undecided, boxes, .. } = landed.header;
    candidates <= capacity && undecided == 0 && boxes as usize == landed.boxes.len()
}

impl Future for Pending<'_> {
    type Output = Result<Detections>;

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Some(flight) = &mut this.flight else {
            return Poll::Ready(Err(Error::device("the result was taken before")));
        };
        match flight.signal.poll(task) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => {
                this.flight = None;
                Poll::Ready(Err(error))
            }
            Poll::Ready(Ok(())) => match this.flight.take() {
                Some(flight) => Poll::Ready(this.land(flight)),
                None => Poll::Pending,
            },
        }
    }
}
