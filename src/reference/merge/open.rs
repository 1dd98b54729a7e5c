//! The boxes that no other has taken yet, found by place.

use super::{Rule, Scored, number};

/// Open boxes, sorted by class (if classes are kept apart) and left edge.
pub(super) struct Open<'a> {
    boxes: &'a [Scored],
    rule: &'a Rule,
    all_match: bool,
    sorted: Vec<u32>,
    place: Vec<usize>,
    /// Farthest right edge of the class up to each place.
    reach: Vec<f32>,
    /// For each place an open one at or after it, after as many hops as it takes.
    next: Vec<usize>,
}

impl<'a> Open<'a> {
    /// All boxes; where `touching`, only boxes that share some area are near one another.
    pub(super) fn new(boxes: &'a [Scored], rule: &'a Rule, touching: bool) -> Self {
        let mut sorted: Vec<u32> = (0..u32::try_from(boxes.len()).unwrap_or(u32::MAX)).collect();
        let class = |index: u32| if rule.class_aware { boxes[index as usize].class_id } else { 0 };
        let left = |index: u32| boxes[index as usize].rect.x0;
        sorted.sort_by(|&a, &b| class(a).cmp(&class(b)).then(number(left(a), left(b))));
        let mut place = vec![0; boxes.len()];
        let mut reach: Vec<f32> = Vec::with_capacity(boxes.len());
        for (at, &index) in sorted.iter().enumerate() {
            place[index as usize] = at;
            let right = boxes[index as usize].rect.x1;
            let same = at > 0 && class(sorted[at - 1]) == class(index);
            reach.push(if same { right.max(reach[at - 1]) } else { right });
        }
        Self { boxes, rule, all_match: !touching, next: (0..=boxes.len()).collect(), sorted, place, reach }
    }

    pub(super) fn has(&self, index: u32) -> bool {
        let place = self.place[index as usize];
        self.next[place] == place
    }

    pub(super) fn remove(&mut self, index: u32) {
        let place = self.place[index as usize];
        if self.next[place] == place {
            self.next[place] = place + 1;
        }
    }

    fn find(&mut self, from: usize) -> usize {
        let mut end = from;
        while self.next[end] != end {
            end = self.next[end];
        }
        let mut at = from;
        while self.next[at] != end {
            at = std::mem::replace(&mut self.next[at], end);
        }
        end
    }

    /// Open boxes that may match box `index` (its class, area shared), in no order of meaning.
    pub(super) fn near(&mut self, index: u32) -> Vec<u32> {
        let item = self.boxes[index as usize];
        let class = |&other: &u32| self.boxes[other as usize].class_id;
        let (mut start, mut end) = (0, self.sorted.len());
        if self.rule.class_aware {
            start = self.sorted.partition_point(|other| class(other) < item.class_id);
            end = self.sorted.partition_point(|other| class(other) <= item.class_id);
        }
        if !self.all_match {
            start += self.reach[start..end].partition_point(|&reach| reach <= item.rect.x0);
            let left = |&other: &u32| self.boxes[other as usize].rect.x0;
            end = start + self.sorted[start..end].partition_point(|other| left(other) < item.rect.x1);
        }
        let mut found = Vec::new();
        let mut at = self.find(start);
        while at < end {
            let other = self.sorted[at];
            let rect = self.boxes[other as usize].rect;
            let shares = rect.x1 > item.rect.x0 && rect.y0 < item.rect.y1 && rect.y1 > item.rect.y0;
            if other != index && (self.all_match || shares) {
                found.push(other);
            }
            at = self.find(at + 1);
        }
        found
    }

    /// Open boxes that match box `index`, in no order of meaning.
    pub(super) fn matching(&mut self, index: u32) -> Vec<u32> {
        let (boxes, rule) = (self.boxes, self.rule);
        let rect = boxes[index as usize].rect;
        let mut found = self.near(index);
        found.retain(|&other| rule.matches(&rect, &boxes[other as usize].rect));
        found
    }
}
