//! The indexed oracles against quadratic ones that follow the definitions word by word.

use super::*;

const KINDS: [Kind; 6] = [Kind::Nms, Kind::GreedyNmm, Kind::Nmm, Kind::SoftNms, Kind::KeepBest, Kind::Wbf];

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Small whole coordinates and few scores: ties, copies and boxes without area abound.
fn scene(seed: u64, count: u64, spread: u64, levels: u64) -> Vec<Scored> {
    let mut random = Random(seed);
    let mut one = || {
        let (x0, y0) = (random.below(spread) as f32, random.below(spread) as f32);
        let rect = RectPx::new(x0, y0, x0 + random.below(12) as f32, y0 + random.below(12) as f32);
        let score = (random.below(levels) + 1) as f32 / levels as f32;
        let edges = Edges::from_bits(if random.below(3) == 0 { 1 } else { 0 }).unwrap_or_default();
        Scored { rect, score, class_id: random.below(3) as u32, edges }
    };
    (0..count).map(|_| one()).collect()
}

fn pair(boxes: &[Scored], rule: &Rule, i: u32, j: u32) -> bool {
    let (a, b) = (&boxes[i as usize], &boxes[j as usize]);
    i != j && (!rule.class_aware || a.class_id == b.class_id) && rule.matches(&a.rect, &b.rect)
}

fn plain_greedy(boxes: &[Scored], rule: &Rule, walk: &[u32]) -> Vec<Group> {
    let mut taken = vec![false; boxes.len()];
    let mut groups = Vec::new();
    for (at, &keeper) in walk.iter().enumerate() {
        if taken[keeper as usize] {
            continue;
        }
        let mut members = Vec::new();
        for &member in &walk[at + 1..] {
            if !taken[member as usize] && pair(boxes, rule, keeper, member) {
                taken[member as usize] = true;
                members.push(member);
            }
        }
        groups.push(Group { keeper, members });
    }
    groups
}

/// The claimer of a box is the best-ranked one before it that matches and is strictly better or a copy.
fn plain_transitive(boxes: &[Scored], rule: &Rule, ranked: &[u32]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of = vec![usize::MAX; boxes.len()];
    let mut taken: Vec<(usize, usize, u32)> = Vec::new();
    for (turn, &index) in ranked.iter().enumerate() {
        let item = &boxes[index as usize];
        let claims = |&other: &u32| {
            let better = &boxes[other as usize];
            let copy = better.score == item.score && better.rect == item.rect;
            pair(boxes, rule, other, index) && (better.score > item.score || copy)
        };
        match ranked[..turn].iter().position(claims) {
            Some(claimer) => {
                let group = group_of[ranked[claimer] as usize];
                group_of[index as usize] = group;
                taken.push((group, claimer, index));
            }
            None => {
                group_of[index as usize] = groups.len();
                groups.push(Group { keeper: index, members: Vec::new() });
            }
        }
    }
    taken.sort_unstable();
    taken.iter().for_each(|&(group, _, index)| groups[group].members.push(index));
    groups
}

fn plain_soft(boxes: &[Scored], rule: &Rule, ranked: &[u32]) -> Vec<Outcome> {
    let mut open = ranked.to_vec();
    let mut fades = vec![0_u32; boxes.len()];
    let mut result = Vec::new();
    loop {
        let score = |index: u32| faded(boxes[index as usize].score, fades[index as usize]);
        let Some(best) = open.iter().copied().reduce(|a, b| if score(b) > score(a) { b } else { a }) else {
            return result;
        };
        let best_score = score(best);
        if best_score < rule.score_floor || best_score == 0.0 {
            return result;
        }
        result.push(Outcome { score: best_score, ..Outcome::of(boxes, best) });
        open.retain(|&index| index != best);
        for &other in &open {
            let (a, b) = (&boxes[best as usize], &boxes[other as usize]);
            if !rule.class_aware || a.class_id == b.class_id {
                let fade = &mut fades[other as usize];
                *fade = fade.saturating_add(term(rule.metric, &a.rect, &b.rect, rule.sigma));
            }
        }
    }
}

fn plain(boxes: &[Scored], rule: &Rule) -> Vec<Outcome> {
    let ranked = rank(boxes, rule.class_aware);
    let groups = || plain_greedy(boxes, rule, &ranked);
    match rule.kind {
        Kind::Nms => keepers(boxes, &groups()),
        Kind::Wbf => groups().iter().map(|group| mean(boxes, group)).collect(),
        Kind::GreedyNmm => folded(boxes, rule, &groups()),
        Kind::Nmm => folded(boxes, rule, &plain_transitive(boxes, rule, &ranked)),
        Kind::SoftNms => plain_soft(boxes, rule, &ranked),
        Kind::KeepBest => {
            let mut walk = ranked.clone();
            walk.sort_by_key(|&index| !boxes[index as usize].edges.is_empty());
            let mut turn = vec![0; boxes.len()];
            ranked.iter().enumerate().for_each(|(at, &index)| turn[index as usize] = at);
            let mut kept = keepers(boxes, &plain_greedy(boxes, rule, &walk));
            kept.sort_by_key(|outcome| turn[outcome.kept as usize]);
            kept
        }
    }
}

#[test]
fn the_index_changes_nothing() {
    for seed in 0..400 {
        let boxes = scene(seed, seed % 90, 8 + 20 * (seed % 4), [1, 4, 1000][(seed % 3) as usize]);
        for kind in KINDS {
            let rule = Rule {
                kind,
                metric: if seed % 2 == 0 { Metric::Iou } else { Metric::Ios },
                threshold: [0.0, 0.05, 0.3, 0.5, 1.0][(seed % 5) as usize],
                class_aware: (seed / 2).is_multiple_of(2),
                sigma: [0.5, 0.01, 10.0][(seed % 3) as usize],
                score_floor: [0.001, 0.0, 0.3][(seed / 3 % 3) as usize],
                max_boxes: None,
            };
            assert_eq!(merge(&boxes, &rule), plain(&boxes, &rule), "seed {seed}, {rule:?}");
        }
    }
}

#[test]
fn a_limit_takes_the_best_of_all_classes() {
    let boxes = scene(3, 80, 60, 1000);
    for kind in KINDS {
        let mut rule = Rule {
            kind,
            metric: Metric::Iou,
            threshold: 0.3,
            class_aware: true,
            sigma: 0.5,
            score_floor: 0.0,
            max_boxes: None,
        };
        let mut all = merge(&boxes, &rule);
        rule.max_boxes = Some(5);
        let few = merge(&boxes, &rule);
        all.sort_by(|a, b| number(b.score, a.score));
        assert_eq!(few, all[..5], "{kind:?}");
    }
}

#[test]
fn groups_become_what_their_definition_says() {
    let item = |x0, x1, score, class_id| Scored {
        rect: RectPx::new(x0, 0.0, x1, 10.0),
        score,
        class_id,
        ..Scored::default()
    };
    let boxes = [item(0.0, 10.0, 0.75, 0), item(4.0, 14.0, 0.25, 1), item(8.0, 18.0, 0.125, 0)];
    let rule = |kind| Rule {
        kind,
        metric: Metric::Ios,
        threshold: 0.5,
        class_aware: false,
        sigma: 0.5,
        score_floor: 0.0,
        max_boxes: None,
    };
    let spans = |kind| -> Vec<[f32; 2]> {
        merge(&boxes, &rule(kind)).iter().map(|outcome| [outcome.rect.x0, outcome.rect.x1]).collect()
    };
    assert_eq!(spans(Kind::Nms), [[0.0, 10.0], [8.0, 18.0]]);
    assert_eq!(spans(Kind::GreedyNmm), [[0.0, 14.0], [8.0, 18.0]]);
    assert_eq!(spans(Kind::Nmm), [[0.0, 18.0]]);
    assert_eq!(spans(Kind::Wbf), [[1.0, 11.0], [8.0, 18.0]]);
    assert_eq!(spans(Kind::SoftNms).len(), 3);
}
