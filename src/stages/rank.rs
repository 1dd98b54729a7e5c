//! Ranks candidates on the GPU: score descending, then class (where classes are kept apart), x0, y0, x1, y1
//! ascending, then index. -0.0 equals 0.0.

use crate::error::{Error, Result};
use crate::gpu::{Context, Groups, Recorder};
use crate::kernels::rank::rank_key::Field;
use crate::kernels::rank::{
    radix_count, radix_scatter, rank_args, rank_chain_args, rank_key, rank_ties, scan_live,
};
use wgpu::{Buffer, BufferUsages};

/// Most candidates that can be ranked.
pub(crate) const MAX_CAPACITY: u32 = 1 << 22;

/// Word of the live sizes that holds the number of radix blocks.
pub(crate) const LIVE_BLOCKS: u32 = 1;
const LIVE_COUNTS: u32 = 2;

/// Buffers that sort up to `capacity` candidates; made once, used for any number of pictures.
#[derive(Clone, Debug)]
pub(crate) struct Ranker {
    capacity: u32,
    keys: [Buffer; 2],
    values: [Buffer; 2],
    order: Buffer,
    counts: Buffer,
    live: Buffer,
    long_run: Buffer,
    args: Buffer,
    chain_args: Buffer,
}

/// Workgroups of the dispatches of a sort.
#[derive(Clone, Debug)]
pub(crate) struct SortGroups {
    pub(crate) elements: Groups,
    pub(crate) blocks: Groups,
    pub(crate) one: Groups,
}

impl Ranker {
    /// Buffers for `capacity` candidates, 1 to [`MAX_CAPACITY`].
    ///
    /// # Errors
    /// `Capacity` if the device cannot hold them.
    pub(crate) fn new(context: &Context, capacity: u32) -> Result<Self> {
        if capacity > MAX_CAPACITY {
            return Err(Error::capacity(format!(
                "{capacity} candidates are more than the {MAX_CAPACITY} that can be merged at once; \
                 raise the confidence threshold"
            )));
        }
        let capacity = capacity.max(1);
        let words = |label, count: u32| context.storage(label, 4 * u64::from(count));
        let args = |label| context.buffer(label, 48, BufferUsages::STORAGE | BufferUsages::INDIRECT);
        let counts = radix_count::DIGITS * capacity.div_ceil(radix_count::BLOCK) + 1;
        Ok(Self {
            capacity,
            keys: [words("sort keys a", capacity)?, words("sort keys b", capacity)?],
            values: [words("sort values a", capacity)?, words("sort values b", capacity)?],
            order: words("order", capacity)?,
            counts: words("sort counts", counts)?,
            live: words("live sizes", 4)?,
            long_run: words("long run", 1)?,
            args: args("sort arguments")?,
            chain_args: args("chain arguments")?,
        })
    }

    /// Most candidates it can rank.
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// The result: rank to candidate index, `u32` for each live candidate.
    pub(crate) fn order(&self) -> &Buffer {
        &self.order
    }

    /// Live sizes, `shaders/shared/live.wgsl`.
    pub(crate) fn live(&self) -> &Buffer {
        &self.live
    }

    /// Key buffers, free between sorts.
    pub(crate) fn keys(&self) -> &[Buffer; 2] {
        &self.keys
    }

    /// Value buffers, free between sorts.
    pub(crate) fn values(&self) -> &[Buffer; 2] {
        &self.values
    }

    /// Bytes of GPU memory held.
    pub(crate) fn bytes(&self) -> u64 {
        let pairs = self.keys.iter().chain(&self.values);
        let rest = [&self.order, &self.counts, &self.live, &self.long_run, &self.args, &self.chain_args];
        pairs.chain(rest).map(Buffer::size).sum()
    }

    /// Workgroups over all live candidates, once [`Ranker::record`] has run.
    pub(crate) fn groups(&self) -> SortGroups {
        SortGroups {
            elements: Groups::Indirect(self.args.clone(), 0),
            blocks: Groups::Indirect(self.args.clone(), 12),
            one: Groups::Direct([1, 1, 1]),
        }
    }

    /// Ranks the first `kept_candidates` (a word of `header`) of `candidates`.
    ///
    /// # Errors
    /// `Device` if a kernel does not compile.
    pub(crate) fn record(
        &self,
        recorder: &mut Recorder<'_>,
        candidates: &Buffer,
        header: &Buffer,
        class_aware: bool,
    ) -> Result<()> {
        recorder.stage("sort");
        rank_args::record(recorder, self.capacity, header, &self.live, &self.long_run, &self.args)?;
        let groups = self.groups();
        self.record_field(recorder, candidates, Field::Score, true, &groups)?;
        self.record_sort(recorder, u32::BITS, &self.values[0], &groups)?;
        let ties = rank_ties::Buffers {
            live: &self.live,
            candidates,
            keys: &self.keys[0],
            order_in: &self.values[0],
            order: &self.order,
            long_run: &self.long_run,
        };
        rank_ties::record(recorder, class_aware, &ties, groups.elements)?;
        self.record_chain(recorder, candidates, class_aware)
    }

    /// The sort by every field, least significant first; runs only if a run of equal scores was long.
    fn record_chain(
        &self,
        recorder: &mut Recorder<'_>,
        candidates: &Buffer,
        class_aware: bool,
    ) -> Result<()> {
        rank_chain_args::record(recorder, &self.live, &self.long_run, &self.chain_args)?;
        let groups = SortGroups {
            elements: Groups::Indirect(self.chain_args.clone(), 0),
            blocks: Groups::Indirect(self.chain_args.clone(), 12),
            one: Groups::Indirect(self.chain_args.clone(), 24),
        };
        let class = class_aware.then_some(Field::Class);
        let fields = [Field::Y1, Field::X1, Field::Y0, Field::X0].into_iter().chain(class);
        for field in fields {
            self.record_field(recorder, candidates, field, field == Field::Y1, &groups)?;
            self.record_sort(recorder, u32::BITS, &self.values[0], &groups)?;
        }
        self.record_field(recorder, candidates, Field::Score, false, &groups)?;
        self.record_sort(recorder, u32::BITS, &self.order, &groups)
    }

    fn record_field(
        &self,
        recorder: &mut Recorder<'_>,
        candidates: &Buffer,
        field: Field,
        first: bool,
        groups: &SortGroups,
    ) -> Result<()> {
        let buffers =
            rank_key::Buffers { live: &self.live, candidates, order: &self.values[0], keys: &self.keys[0] };
        rank_key::record(recorder, field, first, &buffers, groups.elements.clone())
    }

    /// Sorts the pairs in `keys()[0]` and `values()[0]` stably by the low `bits` of the key. Returns through
    /// `values_out`, which the last pass writes; the sorted keys are in `keys()[0]` after an even number of
    /// passes, else in `keys()[1]`.
    pub(crate) fn record_sort(
        &self,
        recorder: &mut Recorder<'_>,
        bits: u32,
        values_out: &Buffer,
        groups: &SortGroups,
    ) -> Result<()> {
        let passes = passes(bits);
        for pass in 0..passes {
            let shift = pass * radix_count::DIGIT_BITS;
            let from = (pass % 2) as usize;
            let last = pass + 1 == passes;
            let (live, counts) = (&self.live, &self.counts);
            radix_count::record(recorder, shift, live, &self.keys[from], counts, groups.blocks.clone())?;
            scan_live::record(recorder, live, LIVE_COUNTS, counts, groups.one.clone())?;
            let buffers = radix_scatter::Buffers {
                live,
                counts,
                keys_in: &self.keys[from],
                values_in: &self.values[from],
                keys_out: &self.keys[1 - from],
                values_out: if last { values_out } else { &self.values[1 - from] },
            };
            radix_scatter::record(recorder, shift, &buffers, groups.blocks.clone())?;
        }
        Ok(())
    }
}

/// Passes of a sort by `bits`.
pub(crate) fn passes(bits: u32) -> u32 {
    bits.div_ceil(radix_count::DIGIT_BITS)
}
