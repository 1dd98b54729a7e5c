//! Groups of merging: which box takes each box, the members of each group in order, one box of each.
//!
//! In greedy merging the taker of a suppressed box is the best kept one that matches. In transitive merging it is the
//! best of all earlier ones that may take it, whose own keeper follows by pointer jumping; no rounds are needed.

use super::{MergeInput, Merger};
use crate::error::Result;
use crate::gpu::{Groups, Recorder};
use crate::kernels::merge::{
    MatchParams, claim, claim_key, fold, fold_args, group_args, group_key, jump, settle,
};
use crate::stages::rank::{SortGroups, passes};

/// Passes of pointer jumping: 33^5 exceeds the longest chain.
const JUMPS: usize = 5;

impl Merger {
    /// Workgroups over all boxes, once `group_args` has run.
    fn groups(&self) -> SortGroups {
        let groups = |offset| Groups::Indirect(self.group_args.clone(), offset);
        SortGroups {
            elements: groups(group_args::ELEMENTS),
            blocks: groups(group_args::BLOCKS),
            one: groups(group_args::ONE),
        }
    }

    /// Finds the claimer of each box; where transitive, also its keeper, which decides every box.
    pub(super) fn record_claims(
        &self,
        recorder: &mut Recorder<'_>,
        input: &MergeInput<'_>,
        transitive: bool,
    ) -> Result<()> {
        let ranker = input.ranker;
        let params = input.params(self.bucket_bits);
        let live = ranker.live();
        let buffers = claim::Buffers {
            live,
            tally: &self.tally,
            entries: &self.entries,
            table: &self.table,
            state: &self.state,
            claimed: &self.claimed,
        };
        group_args::record(recorder, transitive, &params, (live, &self.tally), &self.group_args)?;
        for (up, offset) in [(false, group_args::VISIT), (true, group_args::VISIT_UP)] {
            let groups = Groups::Indirect(self.group_args.clone(), offset);
            claim::record(recorder, (transitive, up), &params, &buffers, groups)?;
        }
        if transitive {
            let elements = self.groups().elements;
            for pass in 0..JUMPS {
                let places = [&self.roots, &self.pushed];
                let parents = if pass == 0 { &self.claimed } else { places[(pass + 1) % 2] };
                let step = jump::Buffers { live, parents, roots: places[pass % 2] };
                jump::record(recorder, &step, elements.clone())?;
            }
            let (places, claimed, state) = (&self.places, &self.claimed, &self.state);
            let settled = settle::Buffers { live, places, claimed, state, tally: &self.tally };
            settle::record(recorder, &settled, elements)?;
        }
        Ok(())
    }

    /// Sorts the members of each group and folds them into the boxes of the output.
    pub(super) fn record_groups(
        &self,
        recorder: &mut Recorder<'_>,
        input: &MergeInput<'_>,
        (transitive, mean): (bool, bool),
    ) -> Result<()> {
        let ranker = input.ranker;
        let groups = self.groups();
        let (live, places, entries) = (ranker.live(), &self.places, &self.entries);
        let (keys, values) = (ranker.keys(), ranker.values());
        let bits = ranker.capacity().next_power_of_two().trailing_zeros().max(1);
        let mut pairs =
            group_key::Buffers { live, roots: &self.claimed, keys: &keys[0], values: &values[0], list: None };
        if transitive {
            let order = ranker.order();
            let (claimed, roots) = (&self.claimed, &self.roots);
            let (keys, values) = (&keys[0], &values[0]);
            let claims = claim_key::Buffers { live, order, places, claimed, roots, entries, keys, values };
            claim_key::record(recorder, &claims, groups.elements.clone())?;
            ranker.record_sort(recorder, bits, &self.pulled, &groups)?;
            pairs.roots = roots;
            pairs.list = Some(&self.pulled);
        }
        group_key::record(recorder, &pairs, groups.elements.clone())?;
        let to = (passes(bits) % 2) as usize;
        ranker.record_sort(recorder, bits, &values[to], &groups)?;
        let members = fold::Buffers {
            live,
            keepers: &keys[to],
            ranks: &values[to],
            places,
            entries,
            positions: &self.positions,
            boxes: &self.boxes,
            folding: &self.folding,
        };
        let (folding, tally) = (&self.folding, &self.tally);
        let args = fold_args::Buffers { live, folding, args: &self.fold_args, tally };
        for slice in (0..ranker.capacity()).step_by(fold::LIMIT as usize) {
            let params = MatchParams::for_fold(&input.rule, slice);
            fold_args::record(recorder, slice == 0, &args)?;
            let groups = Groups::Indirect(self.fold_args.clone(), 0);
            fold::record(recorder, mean, &params, &members, groups)?;
        }
        Ok(())
    }
}
