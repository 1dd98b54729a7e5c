//! Merging of boxes that overlap, on the GPU and without a detector.

use crate::error::{Error, Result};
use crate::geom::{Edges, Metric, RectPx};
use crate::gpu::{Context, Recorder, Recording, map_read};
use crate::kernels::merge::MatchRule;
use crate::stages::merge::{DEFAULT_ROUNDS, MergeInput, Merger, Method};
use crate::stages::rank::Ranker;
use crate::stages::{Candidate, Header};
use serde::{Deserialize, Serialize};
use wgpu::{Buffer, BufferUsages};

/// How boxes that match are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Algorithm {
    /// Exact greedy non-maximum suppression: from the best box on, each kept box drops those that match it.
    #[default]
    Nms,
    /// Greedy non-maximum merging (SAHI): as `Nms`, but each kept box takes the boxes that it drops, best first,
    /// and grows to the union with each that still matches (metric above the threshold) when its turn comes.
    GreedyNmm,
    /// Non-maximum merging (SAHI): as `GreedyNmm`, but a box that was taken goes on taking others for its keeper,
    /// so that chains of overlapping parts become one box.
    Nmm,
    /// Gaussian soft suppression (Bodla et al., 2017): each box lowers the scores of those that it overlaps by
    /// `exp(-metric^2 / sigma)`; boxes whose score falls below `score_floor` are dropped. Uses no threshold.
    SoftNms,
    /// As `Nms`, but boxes that an inner tile edge cuts rank after all whole ones, so that a whole box always
    /// wins over its cut-off parts.
    KeepBest,
    /// Weighted box fusion: groups as those of `GreedyNmm`; a group's box is the mean of all its boxes, weighted
    /// by score, and has the score of the best.
    Wbf,
}

/// How to merge.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MergeOptions {
    /// What becomes of boxes that match.
    pub algorithm: Algorithm,
    /// What is compared with the threshold.
    pub metric: Metric,
    /// Two boxes match if the metric is at least this: 0 (any two match) or 2^-126 to 1.
    pub threshold: f32,
    /// Whether boxes of different classes may match.
    pub class_agnostic: bool,
    /// Width of the decay of `SoftNms`, 0.01 to 10: `exp(-metric^2 / sigma)`.
    pub sigma: f32,
    /// Boxes that `SoftNms` leaves with a lower score are dropped; 0 to 1.
    pub score_floor: f32,
    /// Most boxes to leave, the best ones, at least 1; `None`: all.
    pub max_boxes: Option<u32>,
    /// Rounds per submission, 1 to 4,096, made even. More submissions follow where boxes are left undecided.
    pub rounds: u32,
}

impl Default for MergeOptions {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Nms,
            metric: Metric::Iou,
            threshold: 0.5,
            class_agnostic: false,
            sigma: 0.5,
            score_floor: 0.001,
            max_boxes: None,
            rounds: DEFAULT_ROUNDS,
        }
    }
}

impl MergeOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    /// `Input` naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.threshold != 0.0 && !(f32::MIN_POSITIVE..=1.0).contains(&self.threshold) {
            return Err(Error::input(format!(
                "merge threshold {} is neither 0 nor between 2^-126 and 1",
                self.threshold
            )));
        }
        if !(0.01..=10.0).contains(&self.sigma) {
            return Err(Error::input(format!("sigma {} is not between 0.01 and 10", self.sigma)));
        }
        if !(0.0..=1.0).contains(&self.score_floor) {
            return Err(Error::input(format!("score floor {} is outside 0..=1", self.score_floor)));
        }
        if self.max_boxes == Some(0) {
            return Err(Error::input("at most 0 boxes: give at least 1, or no limit"));
        }
        if !(1..=1 << 12).contains(&self.rounds) {
            return Err(Error::input(format!("{} merge rounds are not between 1 and 4096", self.rounds)));
        }
        Ok(())
    }

    /// What a merge of ranked candidates with these options reads.
    pub(crate) fn input<'a>(
        &self,
        ranker: &'a Ranker,
        candidates: &'a Buffer,
        header: &'a Buffer,
    ) -> MergeInput<'a> {
        let group = |transitive, mean| Method::Group { transitive, mean };
        let method = match self.algorithm {
            Algorithm::Nms => Method::Suppress { cut_loses: false },
            Algorithm::KeepBest => Method::Suppress { cut_loses: true },
            Algorithm::GreedyNmm => group(false, false),
            Algorithm::Nmm => group(true, false),
            Algorithm::Wbf => group(false, true),
            Algorithm::SoftNms => Method::Soften { sigma: self.sigma, score_floor: self.score_floor },
        };
        let class_aware = !self.class_agnostic;
        let merging = matches!(self.algorithm, Algorithm::GreedyNmm | Algorithm::Nmm);
        MergeInput {
            ranker,
            candidates,
            header,
            rule: MatchRule { metric: self.metric, threshold: self.threshold, class_aware },
            method,
            by_class: merging && class_aware && self.max_boxes.is_none(),
            most: self.max_boxes,
            rounds: self.rounds,
        }
    }

    /// Whether the algorithm computes with scores, which then lie in 0 to 1.
    fn weighs(&self) -> bool {
        matches!(self.algorithm, Algorithm::SoftNms | Algorithm::Wbf)
    }
}

/// A box to merge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MergeBox {
    /// The box in pixels; `x0 <= x1`, `y0 <= y1`, no coordinate beyond ±1e18.
    pub rect: RectPx,
    /// Score, finite; larger is better.
    pub score: f32,
    /// Class index.
    pub class_id: u32,
    /// Inner edges of its tile that it touches; only `Algorithm::KeepBest` looks at them.
    pub edges: Edges,
}

impl From<&Candidate> for MergeBox {
    fn from(item: &Candidate) -> Self {
        Self { rect: item.rect, score: item.score, class_id: item.class_id, edges: item.edges() }
    }
}

/// What a merge cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeStats {
    /// Rounds that had work.
    pub rounds: u32,
    /// Submissions to the GPU.
    pub submissions: u32,
    /// GPU memory held, bytes.
    pub gpu_bytes: u64,
}

/// The boxes that remain.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Merged {
    /// Index in the input of each remaining box, which for merged ones is that of the box that took the others.
    ///
    /// Order: score descending, then class (unless class-agnostic), x0, y0, x1, y1 ascending, then index. `Nmm` and
    /// `GreedyNmm` that keep classes apart put the class first, as SAHI does, unless `max_boxes` is given; merged
    /// boxes stand where the box that took the others would.
    pub kept: Vec<u32>,
    /// The remaining boxes, in the same order.
    pub boxes: Vec<MergeBox>,
    /// What it cost.
    pub stats: MergeStats,
}

/// Merges boxes once; a [`BoxMerger`] keeps its buffers for the next time.
///
/// # Errors
/// As [`BoxMerger::merge`].
pub fn merge_boxes(context: &Context, boxes: &[MergeBox], options: &MergeOptions) -> Result<Merged> {
    BoxMerger::new(context).merge(boxes, options)
}

/// Merges lists of boxes, one after another. Its buffers grow with the longest list.
#[derive(Debug)]
pub struct BoxMerger {
    context: Context,
    buffers: Option<Buffers>,
}

#[derive(Debug)]
struct Buffers {
    ranker: Ranker,
    merger: Merger,
    candidates: Buffer,
    header: Buffer,
    readback: Buffer,
    recorded: Option<(MergeOptions, Recording, Recording)>,
}

const HEADER_BYTES: u64 = size_of::<Header>() as u64;
const BOX_BYTES: u64 = size_of::<Candidate>() as u64;
const MAX_COORDINATE: f32 = 1e18;
const SMALLEST_CAPACITY: u32 = 1024;

impl BoxMerger {
    /// A merger that holds no buffers yet.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone(), buffers: None }
    }

    /// Merges `boxes`; waits for the GPU.
    ///
    /// # Errors
    /// `Input` if an option or a box (named by its row) is not usable, `Capacity` if the device cannot hold the
    /// boxes, `Device` if the driver fails.
    pub fn merge(&mut self, boxes: &[MergeBox], options: &MergeOptions) -> Result<Merged> {
        options.validate()?;
        let candidates = candidates(boxes, options.weighs())?;
        let count = u32::try_from(boxes.len())
            .map_err(|_| Error::capacity(format!("{} boxes cannot be merged at once", boxes.len())))?;
        let context = &self.context;
        let buffers = match self.buffers.take() {
            Some(buffers) if buffers.ranker.capacity() >= count => buffers,
            _ => Buffers::new(context, count)?,
        };
        let buffers = self.buffers.insert(buffers);
        buffers.prepare(context, options)?;
        context.checked("merge", || {
            if !candidates.is_empty() {
                context.queue().write_buffer(&buffers.candidates, 0, bytemuck::cast_slice(&candidates));
            }
        })?;
        buffers.run(context, count)
    }
}

fn candidates(boxes: &[MergeBox], weighs: bool) -> Result<Vec<Candidate>> {
    let convert = |(row, item): (u32, &MergeBox)| {
        check(item, weighs).map_err(|error| error.at(format!("box {row}")))?;
        let MergeBox { rect, score, class_id, edges } = *item;
        Ok(Candidate { rect, score, class_id, tile: Candidate::tile_word(0, edges), anchor: row })
    };
    (0..).zip(boxes).map(convert).collect()
}

fn check(item: &MergeBox, weighs: bool) -> Result<()> {
    let rect = item.rect;
    let corners = rect.to_array();
    if !item.score.is_finite() {
        return Err(Error::input(format!("score {} is not finite", item.score)));
    }
    if weighs && !(0.0..=1.0).contains(&item.score) {
        return Err(Error::input(format!(
            "score {} is outside 0..=1, which soft suppression and weighted fusion need",
            item.score
        )));
    }
    if !corners.iter().all(|value| value.abs() <= MAX_COORDINATE) {
        return Err(Error::input(format!("corners {corners:?} are not all finite and within ±1e18")));
    }
    if rect.x1 < rect.x0 || rect.y1 < rect.y0 {
        return Err(Error::input(format!("corners {corners:?} (x0 y0 x1 y1) give a negative size")));
    }
    Ok(())
}

impl Buffers {
    fn new(context: &Context, count: u32) -> Result<Self> {
        let capacity = count.max(SMALLEST_CAPACITY).checked_next_power_of_two().unwrap_or(count);
        let ranker = Ranker::new(context, capacity)?;
        let bytes = u64::from(capacity) * BOX_BYTES;
        Ok(Self {
            merger: Merger::new(context, &ranker)?,
            ranker,
            candidates: context.storage("boxes to merge", bytes)?,
            header: context.storage("merge header", HEADER_BYTES)?,
            readback: context.buffer(
                "merged boxes",
                HEADER_BYTES + bytes,
                BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            )?,
            recorded: None,
        })
    }

    fn bytes(&self) -> u64 {
        let own = [&self.candidates, &self.header, &self.readback].map(Buffer::size);
        self.ranker.bytes() + self.merger.bytes() + own.iter().sum::<u64>()
    }

    /// Records the dispatches anew if the options changed.
    fn prepare(&mut self, context: &Context, options: &MergeOptions) -> Result<()> {
        if self.recorded.as_ref().is_some_and(|(known, ..)| known == options) {
            return Ok(());
        }
        let input = options.input(&self.ranker, &self.candidates, &self.header);
        let record = || {
            let mut first = Recorder::new(context);
            self.ranker.record(&mut first, &self.candidates, &self.header, !options.class_agnostic)?;
            self.merger.record(&mut first, &input)?;
            let mut more = Recorder::new(context);
            self.merger.record_more(&mut more, &input)?;
            Ok::<_, Error>((first.finish(), more.finish()))
        };
        let (first, more) = context.checked("merge", record)??;
        self.recorded = Some((*options, first, more));
        Ok(())
    }

    fn run(&self, context: &Context, count: u32) -> Result<Merged> {
        let Some((_, first, more)) = &self.recorded else {
            return Err(Error::device("the merge was not recorded"));
        };
        let mut submissions = 0;
        let mut recording = first;
        let mut undecided = u32::MAX;
        loop {
            let (header, kept) = self.submit(context, recording, count)?;
            submissions += 1;
            if header.cookie != Header::COOKIE || header.boxes > count {
                return Err(Error::device("the merge did not finish: the device stopped it"));
            }
            if header.undecided == 0 {
                let stats = MergeStats { rounds: header.rounds, submissions, gpu_bytes: self.bytes() };
                let (kept, boxes) = kept.iter().map(|item| (item.anchor, MergeBox::from(item))).unzip();
                return Ok(Merged { kept, boxes, stats });
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
        count: u32,
    ) -> Result<(Header, Vec<Candidate>)> {
        let start = Header {
            candidates: count,
            kept_candidates: count,
            capacity: self.ranker.capacity(),
            ..Header::default()
        };
        let bytes = HEADER_BYTES + u64::from(count) * BOX_BYTES;
        let submission = context.checked("merge", || {
            context.queue().write_buffer(&self.header, 0, bytemuck::bytes_of(&start));
            let mut encoder = context
                .device()
                .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("merge boxes") });
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
