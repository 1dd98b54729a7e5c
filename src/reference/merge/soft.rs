//! Soft suppression: the best open box is left as it is and fades all others that it overlaps.

use super::fade::{faded, term};
use super::open::Open;
use super::{Outcome, Rule, Scored};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub(super) fn suppress(boxes: &[Scored], rule: &Rule, ranked: &[u32]) -> Vec<Outcome> {
    let mut fades = vec![0_u32; boxes.len()];
    let now = |fades: &[u32], index: u32| faded(boxes[index as usize].score, fades[index as usize]);
    // Scores are not negative, so that their bits have their order.
    let entry = |fades: &[u32], turn: usize| (now(fades, ranked[turn]).to_bits(), Reverse(turn));
    let mut heap: BinaryHeap<_> = (0..ranked.len()).map(|turn| entry(&fades, turn)).collect();
    let mut open = Open::new(boxes, rule, true);
    let mut result = Vec::new();
    while let Some((bits, Reverse(turn))) = heap.pop() {
        let best = ranked[turn];
        let score = now(&fades, best);
        if score.to_bits() != bits {
            heap.push(entry(&fades, turn));
            continue;
        }
        if score < rule.score_floor || score == 0.0 {
            break;
        }
        open.remove(best);
        result.push(Outcome { score, ..Outcome::of(boxes, best) });
        let rect = boxes[best as usize].rect;
        for other in open.near(best) {
            let fade = &mut fades[other as usize];
            *fade = fade.saturating_add(term(rule.metric, &rect, &boxes[other as usize].rect, rule.sigma));
        }
    }
    result
}
