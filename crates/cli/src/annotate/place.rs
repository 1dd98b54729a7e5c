//! Finds a place for each label, near its box and off the other labels and boxes.

use super::Style;
use super::paint::PixelRect;
use super::text::Word;

/// Pixels of a side of the cells in which room is counted.
const CELL: i64 = 4;
/// What a cell of another label costs, against 1 for a cell of a box.
const LABEL_COST: u32 = 1000;
/// How many label heights away a label is put at most.
const RINGS: i64 = 5;

/// Where a label goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The label.
    pub(super) rect: PixelRect,
    /// A line from the box to a label that lies away from it.
    pub(super) leader: Option<[[i64; 2]; 2]>,
}

/// Which parts of the picture are taken.
pub(super) struct Layout {
    size: [i64; 2],
    columns: i64,
    /// Per cell the cost of covering it.
    cost: Vec<u32>,
    line: i64,
}

impl Layout {
    /// A picture of `size` with these boxes and no label yet.
    pub(super) fn new(size: [u32; 2], boxes: &[PixelRect], style: Style) -> Self {
        let size = size.map(i64::from);
        let columns = size[0].div_euclid(CELL) + 1;
        let rows = size[1].div_euclid(CELL) + 1;
        let cells = usize::try_from(columns * rows).unwrap_or(0);
        let mut layout = Self { size, columns, cost: vec![0; cells], line: i64::from(style.line) };
        for &rect in boxes {
            layout.each_cell(rect, |cost| *cost = (*cost + 1).min(LABEL_COST / 4));
        }
        layout
    }

    /// The first of `words` (longest first) that has room, and its place; none if each would hide another label.
    pub(super) fn place(&mut self, rect: PixelRect, words: &[Word]) -> Option<(Word, Spot)> {
        for word in words {
            let near = self.best(near(rect, word.size, self.line));
            if let Some(spot) = near {
                return Some(self.take(word, Spot { rect: spot, leader: None }));
            }
        }
        for word in words {
            if let Some(spot) = self.best(far(rect, word.size)) {
                let from = rect.nearest([(spot.x0 + spot.x1) / 2, (spot.y0 + spot.y1) / 2]);
                let leader = Some([from, spot.nearest(from)]);
                return Some(self.take(word, Spot { rect: spot, leader }));
            }
        }
        None
    }

    fn take(&mut self, word: &Word, spot: Spot) -> (Word, Spot) {
        self.each_cell(spot.rect, |cost| *cost = LABEL_COST);
        (word.clone(), spot)
    }

    /// The cheapest place inside the picture that hides no label; the first of equal ones.
    fn best(&mut self, candidates: Vec<PixelRect>) -> Option<PixelRect> {
        let mut best: Option<(u64, PixelRect)> = None;
        for candidate in candidates {
            let inside = candidate.x0 >= 0
                && candidate.y0 >= 0
                && candidate.x1 <= self.size[0]
                && candidate.y1 <= self.size[1];
            if !inside {
                continue;
            }
            let (mut sum, mut hides) = (0, false);
            self.each_cell(candidate, |cost| {
                sum += u64::from(*cost);
                hides |= *cost >= LABEL_COST;
            });
            if !hides && best.is_none_or(|(least, _)| sum < least) {
                best = Some((sum, candidate));
            }
        }
        best.map(|(_, rect)| rect)
    }

    fn each_cell(&mut self, rect: PixelRect, mut act: impl FnMut(&mut u32)) {
        let clip =
            |low: i64, high: i64, size: i64| (low.max(0) / CELL, (high.min(size) - 1).div_euclid(CELL));
        let (x0, x1) = clip(rect.x0, rect.x1, self.size[0]);
        let (y0, y1) = clip(rect.y0, rect.y1, self.size[1]);
        for y in y0..=y1 {
            let row = y * self.columns;
            let Ok(range) = usize::try_from(row + x0).and_then(|a| Ok(a..=usize::try_from(row + x1)?)) else {
                continue;
            };
            self.cost.get_mut(range).into_iter().flatten().for_each(&mut act);
        }
    }
}

/// Places that touch the box: above, below, at its sides, then inside, each shifted both ways.
fn near(rect: PixelRect, [width, height]: [i64; 2], line: i64) -> Vec<PixelRect> {
    let edge = rect.grown(line - 1);
    let (above, below) = (edge.y0 - height, edge.y1);
    let (left, right) = (edge.x0, edge.x1 - width);
    let mut corners = vec![
        [left, above],
        [left, below],
        [right, above],
        [right, below],
        [edge.x1, edge.y0],
        [edge.x1, edge.y1 - height],
        [edge.x0 - width, edge.y0],
        [edge.x0 - width, edge.y1 - height],
    ];
    // Inside only where the label leaves most of the box in view, or the box fills the picture.
    if rect.width() > width * 2 && rect.height() > height * 3 {
        corners.extend([[rect.x0, rect.y0], [rect.x0, rect.y1 - height]]);
        corners.extend([[rect.x1 - width, rect.y0], [rect.x1 - width, rect.y1 - height]]);
    }
    corners.into_iter().map(|corner| at(corner, [width, height])).collect()
}

/// Places around the box at growing distance.
fn far(rect: PixelRect, [width, height]: [i64; 2]) -> Vec<PixelRect> {
    let mut corners = Vec::new();
    for ring in 1..=RINGS {
        let away = rect.grown(ring * height);
        let (middle_x, middle_y) = ((rect.x0 + rect.x1 - width) / 2, (rect.y0 + rect.y1 - height) / 2);
        let (above, below) = (away.y0 - height, away.y1);
        let (left, right) = (away.x0 - width, away.x1);
        corners.extend([[middle_x, above], [middle_x, below], [left, middle_y], [right, middle_y]]);
        corners.extend([[left, above], [right, above], [left, below], [right, below]]);
    }
    corners.into_iter().map(|corner| at(corner, [width, height])).collect()
}

fn at([x, y]: [i64; 2], [width, height]: [i64; 2]) -> PixelRect {
    PixelRect::new(x, y, x + width, y + height)
}
