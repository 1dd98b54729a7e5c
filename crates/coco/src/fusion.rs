//! S-alpha: fusion factors of a feature pyramid, from how many objects each level gets.
//!
//! Gong et al., "Effective Fusion Factor in FPN for Tiny Object Detection", WACV 2021.

/// How an object finds its level: by the largest IOU of any anchor; of equal ones the finest level wins.
#[derive(Clone, Debug, PartialEq)]
pub enum Assignment {
    /// One square anchor per level, this many cells wide, at the object's centre; for detectors without anchors.
    Square {
        /// Side in cells of the level, above 0.
        cells: f64,
    },
    /// The paper's rule: each level's anchors at the centres of its cells.
    Anchors {
        /// Side in pixels for each level.
        sides: Vec<f64>,
        /// Height over width; the area stays.
        ratios: Vec<f64>,
        /// Factors on the side.
        scales: Vec<f64>,
    },
}

/// A box `[x, y, width, height]` in pixels at network input.
pub type InputBox = [f64; 4];

/// Objects per level of `strides`, finest first. A box that no anchor overlaps, by a size of 0 or a value that is not
/// finite, counts nowhere. For [`Assignment::Anchors`] levels without a side have no anchors.
pub fn objects_per_level(boxes: &[InputBox], strides: &[u32], rule: &Assignment) -> Vec<u64> {
    let anchors: Vec<Vec<[f64; 2]>> =
        strides.iter().enumerate().map(|(level, &stride)| rule.sizes(level, stride)).collect();
    let centred = matches!(rule, Assignment::Square { .. });
    let mut counts = vec![0; strides.len()];
    for &bbox in boxes {
        let mut best = (0.0, None);
        for (level, (sizes, &stride)) in anchors.iter().zip(strides).enumerate() {
            for &size in sizes {
                let sides = if centred { centred_overlap(bbox, size) } else { overlap(bbox, stride, size) };
                let iou = iou(bbox, sides, size);
                if iou > best.0 {
                    best = (iou, Some(level));
                }
            }
        }
        if let Some(level) = best.1 {
            counts[level] += 1;
        }
    }
    counts
}

/// The factor of each top-down edge, finest first: objects of the upper level over those of the lower. The last edge counts
/// the objects of the level above the last fused one too, if there is such a level: `(N[i + 1] + N[i + 2]) / N[i]`.
/// `unfused` is the number of levels at the top without an edge. None where the lower level has no objects.
pub fn s_alpha(counts: &[u64], unfused: usize) -> Vec<Option<f64>> {
    let fused = counts.len().saturating_sub(unfused);
    let edges = fused.saturating_sub(1);
    (0..edges)
        .map(|lower| {
            let above = if lower + 1 == edges { counts.get(lower + 2).copied().unwrap_or(0) } else { 0 };
            let upper = counts[lower + 1].saturating_add(above);
            (counts[lower] > 0).then(|| ratio(upper, counts[lower]))
        })
        .collect()
}

impl Assignment {
    /// Widths and heights of the anchors of a level.
    fn sizes(&self, level: usize, stride: u32) -> Vec<[f64; 2]> {
        match self {
            Self::Square { cells } => vec![[cells * f64::from(stride); 2]],
            Self::Anchors { sides, ratios, scales } => sides
                .get(level)
                .into_iter()
                .flat_map(|side| scales.iter().map(move |scale| side * scale))
                .flat_map(|side| ratios.iter().map(move |ratio| [side / ratio.sqrt(), side * ratio.sqrt()]))
                .collect(),
        }
    }
}

/// Width and height of the overlap of a box and an anchor with one centre.
fn centred_overlap([_, _, width, height]: InputBox, size: [f64; 2]) -> [f64; 2] {
    [width.min(size[0]), height.min(size[1])]
}

/// Width and height of the overlap of a box and the anchor at the nearest centre of a cell, where one of any size overlaps
/// the box most.
fn overlap(bbox: InputBox, stride: u32, size: [f64; 2]) -> [f64; 2] {
    let stride = f64::from(stride);
    [0, 1].map(|axis| {
        let (low, high) = (bbox[axis], bbox[axis] + bbox[axis + 2]);
        let centre = (f64::midpoint(low, high) / stride).floor() * stride + stride / 2.0;
        (high.min(centre + size[axis] / 2.0) - low.max(centre - size[axis] / 2.0)).max(0.0)
    })
}

/// IOU of a box and an anchor that overlap by `sides`.
fn iou([_, _, width, height]: InputBox, sides: [f64; 2], size: [f64; 2]) -> f64 {
    let both = sides[0] * sides[1];
    both / (width * height + size[0] * size[1] - both)
}

#[expect(clippy::cast_precision_loss, reason = "counts of objects stay far below 2^53")]
fn ratio(upper: u64, lower: u64) -> f64 {
    upper as f64 / lower as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRIDES: [u32; 4] = [4, 8, 16, 32];

    #[test]
    fn squares_of_four_cells() {
        let rule = Assignment::Square { cells: 4.0 };
        let boxes = [[5.0, 5.0, 16.0, 16.0], [0.0, 0.0, 30.0, 33.0], [-3.0, 1.0, 300.0, 200.0], [0.0; 4]];
        assert_eq!(objects_per_level(&boxes, &STRIDES, &rule), [1, 1, 0, 1]);
        // 16 and 32 overlap a square of side s alike where s^2 / 32^2 = 16^2 / s^2.
        let tie = 512f64.sqrt();
        let sides = [tie - 0.01, tie + 0.01].map(|side| [0.0, 0.0, side, side]);
        assert_eq!(objects_per_level(&sides, &STRIDES, &rule), [1, 1, 0, 0]);
        assert_eq!(
            objects_per_level(&[[f64::NAN; 4], [0.0, 0.0, f64::INFINITY, 1.0]], &STRIDES, &rule),
            [0; 4]
        );
    }

    #[test]
    fn anchors_lie_at_cells() {
        let anchors =
            |ratios: Vec<f64>| Assignment::Anchors { sides: vec![32.0, 64.0], ratios, scales: vec![1.0] };
        let wide = [[0.0, 0.0, 64.0, 16.0]];
        assert_eq!(objects_per_level(&wide, &[8, 16], &anchors(vec![1.0])), [1, 0]);
        // 32 px squares are nearer in size to 44 px, but at stride 64 none lies near.
        let between = [[10.0, 10.0, 44.0, 44.0]];
        assert_eq!(objects_per_level(&between, &[8, 128], &anchors(vec![1.0])), [1, 0]);
        let tall = [[0.0, 0.0, 32.0 / 2f64.sqrt(), 32.0 * 2f64.sqrt()]];
        assert_eq!(objects_per_level(&tall, &[8, 16], &anchors(vec![0.5, 1.0, 2.0])), [1, 0]);
        assert_eq!(objects_per_level(&tall, &[8, 16, 32], &anchors(vec![1.0])).len(), 3);
    }

    #[test]
    fn factors_of_edges() {
        assert_eq!(s_alpha(&[4, 2, 1], 0), [Some(0.5), Some(0.5)]);
        assert_eq!(s_alpha(&[4, 2, 1, 3], 1), [Some(0.5), Some(2.0)]);
        assert_eq!(s_alpha(&[4, 2, 1, 3, 9], 2), [Some(0.5), Some(2.0)]);
        assert_eq!(s_alpha(&[0, 2, 0], 0), [None, Some(0.0)]);
        assert!(s_alpha(&[4], 0).is_empty() && s_alpha(&[], 0).is_empty() && s_alpha(&[1, 2], 9).is_empty());
    }
}
