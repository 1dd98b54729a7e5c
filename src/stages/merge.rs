//! Exact greedy non-maximum suppression on the GPU, as a fixed point over ranked boxes: a box is suppressed once a
//! better one that matches is kept, and kept once all better ones that match are suppressed. Neighbours come from
//! a hash grid with one level per power of two of the box side.
//!
//! Each round decides at least the best open box; most scenes need 4 to 13 rounds, a chain of n boxes n. What the
//! recorded rounds leave open is counted in the header's `undecided`, and [`Merger::record_more`] goes on.
//!
//! A match is decided exactly as in f32 rounded to nearest, whatever the driver's division and contraction do,
//! except that an intersection or denominator below 2^-126 counts as 0 and one that overflows as no match.

use super::rank::{LIVE_BLOCKS, Ranker, passes};
use crate::error::Result;
use crate::gpu::{Context, Groups, Recorder};
use crate::kernels::merge::{
    MatchParams, MatchRule, bucket_crowd, bucket_fill, bucket_key, kept_count, kept_scatter, merge_finish,
    merge_reset, merge_start, resolve, round_args, visit,
};
use crate::kernels::rank::scan_live;
use crate::stages::Candidate;
use wgpu::{Buffer, BufferUsages};

/// Rounds recorded per submission unless asked otherwise.
pub(crate) const DEFAULT_ROUNDS: u32 = 32;

const MAX_BUCKET_BITS: u32 = 22;

/// Buffers that merge up to `capacity` candidates; made once, used for any number of pictures.
#[derive(Clone, Debug)]
pub(crate) struct Merger {
    bucket_bits: u32,
    state: Buffer,
    pulled: Buffer,
    pushed: Buffer,
    active: [Buffer; 2],
    entries: Buffer,
    places: Buffer,
    table: Buffer,
    tally: Buffer,
    args: Buffer,
    boxes: Buffer,
}

/// What a merge reads, and the header that it completes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MergeInput<'a> {
    /// Made with the capacity of the merger; it has ranked `candidates`.
    pub(crate) ranker: &'a Ranker,
    pub(crate) candidates: &'a Buffer,
    pub(crate) header: &'a Buffer,
    pub(crate) rule: MatchRule,
    /// Rounds to record, made even; at least 2.
    pub(crate) rounds: u32,
}

impl Merger {
    /// Buffers for as many candidates as `ranker` holds.
    ///
    /// # Errors
    /// `Capacity` if the device cannot hold them.
    pub(crate) fn new(context: &Context, ranker: &Ranker) -> Result<Self> {
        let capacity = u64::from(ranker.capacity());
        let bits = (2 * capacity).next_power_of_two().trailing_zeros();
        let bucket_bits = bits.min(MAX_BUCKET_BITS);
        let words = |label| context.storage(label, 4 * capacity);
        let boxes = capacity * size_of::<Candidate>() as u64;
        Ok(Self {
            bucket_bits,
            state: words("merge state")?,
            pulled: words("merge marks pulled")?,
            pushed: words("merge marks pushed")?,
            active: [words("active boxes a")?, words("active boxes b")?],
            entries: context.storage("bucket entries", boxes)?,
            places: words("bucket places")?,
            table: context.storage("bucket table", 8 << bucket_bits)?,
            tally: context.storage("merge tally", 32)?,
            args: context.buffer("round arguments", 48, BufferUsages::STORAGE | BufferUsages::INDIRECT)?,
            boxes: context.buffer(
                "merged boxes",
                boxes,
                BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::VERTEX,
            )?,
        })
    }

    /// The result: kept candidates in rank order, as many as the header's `boxes`.
    pub(crate) fn boxes(&self) -> &Buffer {
        &self.boxes
    }

    /// Bytes of GPU memory held.
    pub(crate) fn bytes(&self) -> u64 {
        let lists = [&self.state, &self.pulled, &self.pushed, &self.entries, &self.places];
        let rest = [&self.table, &self.tally, &self.args, &self.boxes];
        lists.into_iter().chain(rest).chain(&self.active).map(Buffer::size).sum()
    }

    /// Merges ranked candidates from the start.
    ///
    /// # Errors
    /// `Device` if a kernel does not compile.
    pub(crate) fn record(&self, recorder: &mut Recorder<'_>, input: &MergeInput<'_>) -> Result<()> {
        recorder.stage("merge");
        let params = MatchParams::new(&input.rule, self.bucket_bits);
        self.record_buckets(recorder, input, &params)?;
        round_args::record(recorder, true, &params, &self.tally, &self.args)?;
        self.record_rounds(recorder, input, &params)
    }

    /// Goes on with the boxes that an earlier recording left undecided; the input must be the same.
    ///
    /// # Errors
    /// `Device` if a kernel does not compile.
    pub(crate) fn record_more(&self, recorder: &mut Recorder<'_>, input: &MergeInput<'_>) -> Result<()> {
        recorder.stage("merge");
        let params = MatchParams::new(&input.rule, self.bucket_bits);
        self.record_rounds(recorder, input, &params)
    }

    fn record_buckets(
        &self,
        recorder: &mut Recorder<'_>,
        input: &MergeInput<'_>,
        params: &MatchParams,
    ) -> Result<()> {
        let MergeInput { ranker, candidates, .. } = *input;
        let groups = ranker.groups();
        let (live, order, tally, table) = (ranker.live(), ranker.order(), &self.tally, &self.table);
        let (keys, values) = (ranker.keys(), ranker.values());
        merge_start::record(recorder, params, live, tally)?;
        let reset = merge_reset::Buffers {
            live,
            tally,
            state: &self.state,
            pulled: &self.pulled,
            pushed: &self.pushed,
            active: &self.active[0],
            table,
        };
        merge_reset::record(recorder, &reset, groups.elements.clone())?;
        let (from, to) = ((&keys[0], &values[0]), (passes(self.bucket_bits) % 2) as usize);
        let pairs = bucket_key::Buffers { live, candidates, order, tally, keys: from.0, values: from.1 };
        bucket_key::record(recorder, params, &pairs, groups.elements.clone())?;
        ranker.record_sort(recorder, self.bucket_bits, &values[to], &groups)?;
        let fill = bucket_fill::Buffers {
            live,
            candidates,
            order,
            keys: &keys[to],
            ranks: &values[to],
            entries: &self.entries,
            places: &self.places,
            table,
        };
        bucket_fill::record(recorder, params, &fill, groups.elements.clone())?;
        let crowd = bucket_crowd::Buffers { live, keys: &keys[to], table, tally };
        bucket_crowd::record(recorder, &crowd, groups.elements)
    }

    fn record_rounds(
        &self,
        recorder: &mut Recorder<'_>,
        input: &MergeInput<'_>,
        params: &MatchParams,
    ) -> Result<()> {
        let groups = |offset| Groups::Indirect(self.args.clone(), offset);
        let rounds = input.rounds.clamp(2, 1 << 16).next_multiple_of(2);
        for round in 0..rounds {
            let from = (round % 2) as usize;
            let buffers = visit::Buffers {
                tally: &self.tally,
                active: &self.active[from],
                entries: &self.entries,
                table: &self.table,
                state: &self.state,
                pulled: &self.pulled,
                pushed: &self.pushed,
            };
            visit::record(recorder, params, &buffers, groups(round_args::VISIT))?;
            visit::record_up(recorder, params, &buffers, groups(round_args::VISIT_UP))?;
            let decide = resolve::Buffers {
                active_in: &self.active[from],
                tally: &self.tally,
                state: &self.state,
                pulled: &self.pulled,
                pushed: &self.pushed,
                active_out: &self.active[1 - from],
            };
            resolve::record(recorder, &decide, groups(round_args::RESOLVE))?;
            round_args::record(recorder, false, params, &self.tally, &self.args)?;
        }
        self.record_output(recorder, input)
    }

    fn record_output(&self, recorder: &mut Recorder<'_>, input: &MergeInput<'_>) -> Result<()> {
        let MergeInput { ranker, candidates, header, .. } = *input;
        let groups = ranker.groups();
        let (live, counts, order) = (ranker.live(), ranker.counts(), ranker.order());
        let (places, state) = (&self.places, &self.state);
        let count = kept_count::Buffers { live, places, state, counts };
        kept_count::record(recorder, &count, groups.blocks.clone())?;
        scan_live::record(recorder, live, LIVE_BLOCKS, counts, groups.one)?;
        let scatter =
            kept_scatter::Buffers { live, places, state, counts, order, candidates, boxes: &self.boxes };
        kept_scatter::record(recorder, &scatter, groups.blocks)?;
        let finish = merge_finish::Buffers { live, counts, tally: &self.tally, header };
        merge_finish::record(recorder, &finish)
    }
}
