//! Merging on the GPU: exact greedy non-maximum suppression, greedy and transitive merging, weighted fusion and soft
//! suppression, over ranked boxes. Neighbours come from a hash grid with one level per power of two of the box side.
//!
//! Suppression is a fixed point: a box is suppressed once a better one that matches is kept, and kept once all better
//! ones that match are suppressed. Each round decides at least the best open box; most scenes need 4 to 13 rounds. A
//! chain of n boxes needs n, cheap ones: an open box may wait, off the list, for the one that blocks it. What the
//! recorded rounds leave open is counted in the header's `undecided`, and [`Merger::record_more`] goes on. Merging then
//! adds groups ([`groups`]); soft suppression has rounds of its own ([`soft`]).
//!
//! A match is decided exactly as in f32 rounded to nearest, whatever the driver's division and contraction do,
//! except that an intersection or denominator below 2^-126 counts as 0 and one that overflows as no match.

mod groups;
mod soft;

use super::rank::{LIVE_BLOCKS, Ranker, passes};
use crate::error::Result;
use crate::gpu::{Context, Groups, Recorder};
use crate::kernels::merge::{
    MatchParams, MatchRule, bucket_crowd, bucket_fill, bucket_key, kept_count, kept_scatter, merge_finish,
    merge_reset, merge_start, output_key, output_order, resolve, round_args, visit,
};
use crate::kernels::rank::scan_live;
use crate::stages::Candidate;
use wgpu::{Buffer, BufferUsages};

/// The stage of the merge in profiles.
pub(crate) const MERGE_STAGE: &str = "merge";

/// Rounds recorded per submission unless asked otherwise.
pub(crate) const DEFAULT_ROUNDS: u32 = 32;

const MAX_BUCKET_BITS: u32 = 22;

/// Ranks per block of the kernels that count and copy kept boxes.
const KEPT_BLOCK: u64 = 1024;

/// Buffers that merge up to `capacity` candidates; made once, used for any number of pictures.
#[derive(Clone, Debug)]
pub(crate) struct Merger {
    bucket_bits: u32,
    state: Buffer,
    /// What rounds found: marks; in soft suppression `pulled` holds the fades. Transitive merging, which has no
    /// rounds, sorts in `pulled` and jumps in `pushed`.
    pulled: Buffer,
    pushed: Buffer,
    active: [Buffer; 2],
    entries: Buffer,
    places: Buffer,
    table: Buffer,
    tally: Buffer,
    args: Buffer,
    boxes: Buffer,
    /// Rank of the claimer of each rank, or the current score of each entry.
    claimed: Buffer,
    /// Rank of the keeper of each rank, in transitive merging; in rounds of suppression what blocks each entry.
    roots: Buffer,
    /// The box that waits for each entry, in rounds of suppression.
    waiters: Buffer,
    /// Place in `boxes` of each kept entry.
    positions: Buffer,
    /// Kept boxes before each block, and of all.
    kept: Buffer,
    folding: Buffer,
    fold_args: Buffer,
    group_args: Buffer,
}

/// What becomes of boxes that match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Method {
    /// The better one is kept; with `cut_loses` a box that an inner tile edge cuts is worse than any whole one.
    Suppress { cut_loses: bool },
    /// The kept one takes the others; with `transitive` they go on taking for it. The group becomes one box: the
    /// weighted `mean`, or the union of those that match as it grows.
    Group { transitive: bool, mean: bool },
    /// The better one lowers the score of the other.
    Soften { sigma: f32, score_floor: f32 },
}

/// What a merge reads, and the header that it completes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MergeInput<'a> {
    /// Made with the capacity of the merger; it has ranked `candidates`.
    pub(crate) ranker: &'a Ranker,
    pub(crate) candidates: &'a Buffer,
    pub(crate) header: &'a Buffer,
    pub(crate) rule: MatchRule,
    pub(crate) method: Method,
    /// The output in order of class, then rank.
    pub(crate) by_class: bool,
    /// Most boxes to leave.
    pub(crate) most: Option<u32>,
    /// Rounds to record, made even; at least 2.
    pub(crate) rounds: u32,
}

impl MergeInput<'_> {
    fn even_rounds(&self) -> u32 {
        self.rounds.clamp(2, 1 << 16).next_multiple_of(2)
    }

    fn params(&self, bucket_bits: u32) -> MatchParams {
        let params = MatchParams::new(&self.rule, bucket_bits).with_most(self.most);
        match self.method {
            Method::Suppress { cut_loses: true } => params.with_cut_losing(),
            Method::Suppress { .. } | Method::Group { .. } => params,
            Method::Soften { sigma, score_floor } => params.with_fade(sigma, score_floor),
        }
    }
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
        let usage = BufferUsages::STORAGE | BufferUsages::INDIRECT;
        let args = |label| context.buffer(label, 64, usage);
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
            tally: context.storage("merge tally", 36)?,
            args: args("round arguments")?,
            boxes: context.buffer(
                "merged boxes",
                boxes,
                BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::VERTEX,
            )?,
            claimed: words("claimers")?,
            roots: words("keepers")?,
            waiters: words("waiters")?,
            positions: words("positions")?,
            kept: context.storage("kept boxes", 4 * (capacity.div_ceil(KEPT_BLOCK) + 1))?,
            folding: context.storage("folding", 4)?,
            fold_args: args("fold arguments")?,
            group_args: args("group arguments")?,
        })
    }

    /// The result: kept or merged candidates in the order of the output, as many as the header's `boxes`.
    pub(crate) fn boxes(&self) -> &Buffer {
        &self.boxes
    }

    /// Bytes of GPU memory held.
    pub(crate) fn bytes(&self) -> u64 {
        let lists = [&self.state, &self.pulled, &self.pushed, &self.entries, &self.places, &self.boxes];
        let groups = [
            &self.claimed,
            &self.roots,
            &self.waiters,
            &self.positions,
            &self.kept,
            &self.folding,
            &self.fold_args,
        ];
        let rest = [&self.table, &self.tally, &self.args, &self.group_args];
        lists.into_iter().chain(groups).chain(rest).chain(&self.active).map(Buffer::size).sum()
    }

    /// Merges ranked candidates from the start.
    ///
    /// # Errors
    /// `Device` if a kernel does not compile.
    pub(crate) fn record(&self, recorder: &mut Recorder<'_>, input: &MergeInput<'_>) -> Result<()> {
        recorder.stage(MERGE_STAGE);
        let params = input.params(self.bucket_bits);
        self.record_buckets(recorder, input, &params)?;
        round_args::record(recorder, true, &params, &self.tally, &self.args)?;
        match input.method {
            Method::Group { transitive: true, .. } => self.record_claims(recorder, input, true)?,
            Method::Soften { .. } => self.record_soft_start(recorder, input, &params)?,
            Method::Suppress { .. } | Method::Group { .. } => {}
        }
        self.record_rounds(recorder, input, &params)
    }

    /// Goes on with the boxes that an earlier recording left undecided; the input must be the same.
    ///
    /// # Errors
    /// `Device` if a kernel does not compile.
    pub(crate) fn record_more(&self, recorder: &mut Recorder<'_>, input: &MergeInput<'_>) -> Result<()> {
        recorder.stage(MERGE_STAGE);
        self.record_rounds(recorder, input, &input.params(self.bucket_bits))
    }

    /// The rounds and all that follows them.
    fn record_rounds(
        &self,
        recorder: &mut Recorder<'_>,
        input: &MergeInput<'_>,
        params: &MatchParams,
    ) -> Result<()> {
        match input.method {
            Method::Suppress { .. } => self.record_suppression(recorder, input, params)?,
            Method::Group { transitive: true, .. } => {}
            Method::Group { .. } => {
                self.record_suppression(recorder, input, params)?;
                self.record_claims(recorder, input, false)?;
            }
            Method::Soften { .. } => self.record_softening(recorder, input, params)?,
        }
        self.record_output(recorder, input)?;
        if let Method::Group { transitive, mean } = input.method {
            self.record_groups(recorder, input, (transitive, mean))?;
        }
        let (live, tally) = (input.ranker.live(), &self.tally);
        let finish = merge_finish::Buffers { live, counts: &self.kept, tally, header: input.header };
        merge_finish::record(recorder, params, &finish)
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
            state: &self.state,
            pulled: &self.pulled,
            pushed: &self.pushed,
            active: &self.active[0],
            table,
            claimed: &self.claimed,
            waiters: &self.waiters,
        };
        merge_reset::record(recorder, params, &reset, groups.elements.clone())?;
        let cut_loses = input.method == Method::Suppress { cut_loses: true };
        let key_bits = self.bucket_bits + u32::from(cut_loses);
        let (from, to) = ((&keys[0], &values[0]), (passes(key_bits) % 2) as usize);
        let pairs = bucket_key::Buffers { live, candidates, order, tally, keys: from.0, values: from.1 };
        bucket_key::record(recorder, params, &pairs, groups.elements.clone())?;
        ranker.record_sort(recorder, key_bits, &values[to], &groups)?;
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
        bucket_crowd::record(recorder, params, &crowd, groups.elements)
    }

    fn record_suppression(
        &self,
        recorder: &mut Recorder<'_>,
        input: &MergeInput<'_>,
        params: &MatchParams,
    ) -> Result<()> {
        let groups = |offset| Groups::Indirect(self.args.clone(), offset);
        for round in 0..input.even_rounds() {
            let from = (round % 2) as usize;
            let buffers = visit::Buffers {
                tally: &self.tally,
                active: &self.active[from],
                entries: &self.entries,
                table: &self.table,
                state: &self.state,
                pulled: &self.pulled,
                pushed: &self.pushed,
                blockers: &self.roots,
                waiters: &self.waiters,
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
                blockers: &self.roots,
                waiters: &self.waiters,
            };
            resolve::record(recorder, &decide, groups(round_args::RESOLVE))?;
            round_args::record(recorder, false, params, &self.tally, &self.args)?;
        }
        Ok(())
    }

    /// Copies the kept boxes in the order of the output.
    fn record_output(&self, recorder: &mut Recorder<'_>, input: &MergeInput<'_>) -> Result<()> {
        let MergeInput { ranker, candidates, .. } = *input;
        let groups = ranker.groups();
        let (live, counts, state) = (ranker.live(), &self.kept, &self.state);
        let scored = matches!(input.method, Method::Soften { .. });
        let (order, places) = if scored || input.by_class {
            self.record_order(recorder, input, scored)?
        } else {
            (ranker.order(), &self.places)
        };
        let count = kept_count::Buffers { live, places, state, counts };
        kept_count::record(recorder, &count, groups.blocks.clone())?;
        scan_live::record(recorder, live, LIVE_BLOCKS, counts, groups.one)?;
        let words = if scored { &self.claimed } else { &self.positions };
        let scatter = kept_scatter::Buffers {
            live,
            places,
            state,
            counts,
            order,
            candidates,
            boxes: &self.boxes,
            words,
        };
        kept_scatter::record(recorder, scored, &scatter, groups.blocks)
    }

    /// The order of the output by new score (`scored`) or class, equal ones by rank: candidates and entries.
    fn record_order<'a>(
        &'a self,
        recorder: &mut Recorder<'_>,
        input: &MergeInput<'a>,
        scored: bool,
    ) -> Result<(&'a Buffer, &'a Buffer)> {
        let MergeInput { ranker, candidates, .. } = *input;
        let groups = ranker.groups();
        let (live, order, places) = (ranker.live(), ranker.order(), &self.places);
        let (keys, values) = (ranker.keys(), ranker.values());
        let pairs = output_key::Buffers {
            live,
            order,
            places,
            state: &self.state,
            scores: &self.claimed,
            candidates,
            keys: &keys[0],
            values: &values[0],
        };
        output_key::record(recorder, scored, &pairs, groups.elements.clone())?;
        let to = (passes(u32::BITS) % 2) as usize;
        ranker.record_sort(recorder, u32::BITS, &values[to], &groups)?;
        let (order_out, places_out) = (&keys[1 - to], &values[1 - to]);
        let ranks = &values[to];
        let sorted = output_order::Buffers { live, ranks, order, places, order_out, places_out };
        output_order::record(recorder, &sorted, groups.elements)?;
        Ok((order_out, places_out))
    }
}
