//! Which box takes which, and what a group becomes.

use super::fade::flushed;
use super::open::Open;
use super::{Outcome, Rule, Scored, corners};
use crate::geom::RectPx;
use std::cmp::Ordering;

/// A kept box with those it took, in the order taken.
pub(super) struct Group {
    pub(super) keeper: u32,
    pub(super) members: Vec<u32>,
}

/// Each box of `walk` that none before it took, with all later ones that match it and are not yet taken.
pub(super) fn greedy(boxes: &[Scored], rule: &Rule, walk: &[u32]) -> Vec<Group> {
    let mut turn = vec![0; boxes.len()];
    for (at, &index) in walk.iter().enumerate() {
        turn[index as usize] = at;
    }
    let mut open = Open::new(boxes, rule, rule.threshold > 0.0);
    let mut groups = Vec::new();
    for &keeper in walk {
        if !open.has(keeper) {
            continue;
        }
        open.remove(keeper);
        let mut members = open.matching(keeper);
        members.sort_by_key(|&member| turn[member as usize]);
        members.iter().for_each(|&member| open.remove(member));
        groups.push(Group { keeper, members });
    }
    groups
}

/// As `greedy`, but a box that was taken goes on taking for its keeper; it takes only boxes of lower score and
/// exact copies.
///
/// Source: SAHI 0.12.6, `nmm_numpy`.
pub(super) fn transitive(boxes: &[Scored], rule: &Rule, ranked: &[u32]) -> Vec<Group> {
    let mut open = Open::new(boxes, rule, rule.threshold > 0.0);
    let mut group_of = vec![usize::MAX; boxes.len()];
    let mut groups: Vec<Group> = Vec::new();
    for &claimer in ranked {
        if open.has(claimer) {
            open.remove(claimer);
            group_of[claimer as usize] = groups.len();
            groups.push(Group { keeper: claimer, members: Vec::new() });
        }
        let group = group_of[claimer as usize];
        let better = &boxes[claimer as usize];
        let mut claimed = open.matching(claimer);
        claimed.retain(|&member| may_claim(better, &boxes[member as usize]));
        claimed.sort_unstable();
        for &member in &claimed {
            open.remove(member);
            group_of[member as usize] = group;
        }
        groups[group].members.extend(claimed);
    }
    groups
}

fn may_claim(claimer: &Scored, member: &Scored) -> bool {
    let tied = claimer.score == member.score;
    claimer.score > member.score || tied && corners(&member.rect, &claimer.rect) != Ordering::Greater
}

/// The keeper grown by each member that still matches when its turn comes.
///
/// Source: SAHI 0.12.6, `_apply_merge`, `has_match` (strictly above) and `merge_object_prediction_pair`.
pub(super) fn fold(boxes: &[Scored], rule: &Rule, group: &Group) -> Outcome {
    let mut grown = Outcome::of(boxes, group.keeper);
    for &member in &group.members {
        let member = &boxes[member as usize];
        if rule.metric.of(&grown.rect, &member.rect) > rule.threshold {
            grown.rect = union(&grown.rect, &member.rect);
            if grown.score <= member.score {
                grown.class_id = member.class_id;
                grown.score = member.score;
            }
        }
    }
    grown
}

fn union(a: &RectPx, b: &RectPx) -> RectPx {
    let least = |a: f32, b: f32| if b < a { b } else { a };
    let most = |a: f32, b: f32| if b > a { b } else { a };
    RectPx::new(least(a.x0, b.x0), least(a.y0, b.y0), most(a.x1, b.x1), most(a.y1, b.y1))
}

/// The keeper with the mean of all boxes of the group, weighted by score, as its corners.
pub(super) fn mean(boxes: &[Scored], group: &Group) -> Outcome {
    let keeper = Outcome::of(boxes, group.keeper);
    let base = keeper.rect.to_array();
    let (mut weight, mut sums) = (0.0_f32, [0.0_f32; 4]);
    for &index in std::iter::once(&group.keeper).chain(&group.members) {
        let item = &boxes[index as usize];
        weight += item.score;
        for (sum, (corner, base)) in sums.iter_mut().zip(item.rect.to_array().iter().zip(base)) {
            *sum += item.score * (corner - base);
        }
    }
    if flushed(weight) == 0.0 {
        return keeper;
    }
    let shift = sums.map(|sum| flushed(flushed(sum) / weight));
    let [x0, y0, x1, y1] = std::array::from_fn(|i| base[i] + shift[i]);
    Outcome { rect: RectPx::new(x0, y0, x1, y1), ..keeper }
}
