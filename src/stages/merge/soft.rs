//! Soft suppression: an open box that beats all open boxes it overlaps can no longer be beaten, since scores only fall.
//! It is decided with the score it has and fades its neighbours. Each round decides at least the best open box.
//! Fades are integers that add up in any order, so the result is that of picking the best box one at a time.

use super::{MergeInput, Merger};
use crate::error::Result;
use crate::gpu::{Groups, Recorder};
use crate::kernels::merge::{MatchParams, round_args, soft_pick, soft_reset, soft_update, soft_visit};

impl Merger {
    pub(super) fn record_soft_start(
        &self,
        recorder: &mut Recorder<'_>,
        input: &MergeInput<'_>,
        params: &MatchParams,
    ) -> Result<()> {
        let (entries, state, scores) = (&self.entries, &self.state, &self.claimed);
        let reset = soft_reset::Buffers { live: input.ranker.live(), entries, state, scores };
        soft_reset::record(recorder, params, &reset, input.ranker.groups().elements)
    }

    pub(super) fn record_softening(
        &self,
        recorder: &mut Recorder<'_>,
        input: &MergeInput<'_>,
        params: &MatchParams,
    ) -> Result<()> {
        let groups = |offset| Groups::Indirect(self.args.clone(), offset);
        let (tally, entries, state) = (&self.tally, &self.entries, &self.state);
        let (scores, fades, marks) = (&self.claimed, &self.pulled, &self.pushed);
        for round in 0..input.even_rounds() {
            let from = (round % 2) as usize;
            let (active, table) = (&self.active[from], &self.table);
            let visit = soft_visit::Buffers { tally, active, entries, table, state, scores, fades, marks };
            soft_visit::record(recorder, false, params, &visit, groups(round_args::VISIT_SOFT))?;
            let pick = soft_pick::Buffers { tally, active_boxes: active, state, marks };
            soft_pick::record(recorder, &pick, groups(round_args::RESOLVE))?;
            soft_visit::record(recorder, true, params, &visit, groups(round_args::VISIT_SOFT))?;
            let update = soft_update::Buffers {
                active_in: active,
                entries,
                fades,
                marks,
                tally,
                state,
                scores,
                active_out: &self.active[1 - from],
            };
            soft_update::record(recorder, params, &update, groups(round_args::RESOLVE))?;
            round_args::record(recorder, false, params, tally, &self.args)?;
        }
        Ok(())
    }
}
