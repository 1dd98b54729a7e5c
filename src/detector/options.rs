//! What a detector is made with and what a picture is detected with.

use crate::error::{Error, Result};
use crate::forward::Precision;
use crate::geom::{GridOptions, TileSize};
use crate::merge::MergeOptions;
use crate::model::ModelInfo;

/// What a [`Detector`](super::Detector) is made with.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorOptions {
    /// How maps and weights are stored.
    pub precision: Precision,
    /// Most tiles in one chunk; `None`: as many as `memory_bytes` and the device allow.
    pub batch: Option<u32>,
    /// GPU memory that the maps of a chunk may take, in bytes; one tile always runs.
    pub memory_bytes: u64,
    /// Candidates that fit before the buffers grow and the picture runs again.
    pub candidate_capacity: u32,
    /// Merged boxes read back in the same map. More cost a second one, once: the detector then remembers the most.
    pub readback_boxes: u32,
    /// Largest buffer for the pixels of a picture, in bytes; larger pictures are held in bands of rows.
    /// `None`: the device's limit.
    pub max_band_bytes: Option<u64>,
    /// Tiles per submission, for drivers that stop long work; `None`: one submission for the whole picture.
    pub tiles_per_submission: Option<u32>,
    /// Times each layer of the network, for [`Stats::layers`](super::Stats::layers), where the device has timestamps.
    /// The time between layers is then counted too, and a software driver may compute a little slower.
    pub profile_layers: bool,
}

impl Default for DetectorOptions {
    fn default() -> Self {
        Self {
            precision: Precision::Auto,
            batch: None,
            memory_bytes: 384 << 20,
            candidate_capacity: 1 << 15,
            readback_boxes: 1 << 12,
            max_band_bytes: None,
            tiles_per_submission: None,
            profile_layers: false,
        }
    }
}

impl DetectorOptions {
    /// Checks the ranges.
    ///
    /// # Errors
    /// `Input` naming the field.
    pub fn validate(&self) -> Result<()> {
        if self.batch == Some(0) || self.tiles_per_submission == Some(0) {
            return Err(Error::input("a batch or group of 0 tiles: give at least 1"));
        }
        Ok(())
    }
}

/// What a picture is detected with.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectOptions {
    /// How the picture is cut.
    pub grid: GridOptions,
    /// Least score of a candidate, 0 to 1; a score equal to it passes.
    pub confidence: f32,
    /// Least scores of single classes, by class index, in place of `confidence`: 0 to 1, lower or higher than it. The
    /// last entry of a class holds.
    pub class_confidence: Vec<(u32, f32)>,
    /// Indices of classes that are left out before merging, whatever `class_confidence` says. The best class of an
    /// anchor decides: an anchor of an excluded class is dropped, not given its second best class.
    pub excluded_classes: Vec<u32>,
    /// How boxes are merged.
    pub merge: MergeOptions,
}

impl Default for DetectOptions {
    fn default() -> Self {
        Self {
            grid: GridOptions::default(),
            confidence: 0.3,
            class_confidence: Vec::new(),
            excluded_classes: Vec::new(),
            merge: MergeOptions::default(),
        }
    }
}

impl DetectOptions {
    /// What the makers of a model recommend, or the defaults.
    #[must_use]
    pub fn recommended(model: &ModelInfo) -> Self {
        let Some(advice) = &model.recommended else { return Self::default() };
        let [width, height] = advice.tile;
        Self {
            grid: GridOptions {
                tile: TileSize::Fixed { width, height },
                overlap: advice.overlap,
                full_image: advice.full_image,
            },
            confidence: advice.confidence,
            merge: MergeOptions {
                algorithm: advice.merge,
                metric: advice.metric,
                threshold: advice.threshold,
                class_agnostic: advice.class_agnostic,
                ..MergeOptions::default()
            },
            ..Self::default()
        }
    }

    /// Checks the ranges that do not depend on the picture.
    ///
    /// # Errors
    /// `Input` naming the field.
    pub fn validate(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.confidence) {
            return Err(Error::input(format!("confidence {} is outside 0..=1", self.confidence)));
        }
        for &(class, confidence) in &self.class_confidence {
            if !(0.0..=1.0).contains(&confidence) {
                return Err(Error::input(format!(
                    "confidence {confidence} of class {class} is outside 0..=1"
                )));
            }
        }
        self.merge.validate()
    }

    /// The least score of each of a model's `classes` classes; `None`: the class is left out.
    ///
    /// # Errors
    /// `Input` naming a class that the model does not have.
    pub(super) fn least_scores(&self, classes: usize) -> Result<Vec<Option<f32>>> {
        let mut least = vec![Some(self.confidence); classes];
        let kept =
            self.class_confidence.iter().map(|&(class, score)| ("class_confidence", class, Some(score)));
        let excluded = self.excluded_classes.iter().map(|&class| ("excluded_classes", class, None));
        for (field, class, score) in kept.chain(excluded) {
            let Some(entry) = least.get_mut(class as usize) else {
                return Err(Error::input(format!(
                    "{field} names class {class}, and the model has {classes}: give indices below {classes}"
                )));
            };
            *entry = score;
        }
        Ok(least)
    }
}

#[cfg(test)]
mod tests {
    use super::DetectOptions;
    use crate::error::ErrorKind;

    #[test]
    fn the_last_entry_holds_and_exclusion_wins() {
        let options = DetectOptions {
            confidence: 0.5,
            class_confidence: vec![(1, 0.9), (3, 0.0), (1, 0.2), (2, 0.1)],
            excluded_classes: vec![2, 2],
            ..DetectOptions::default()
        };
        assert_eq!(options.least_scores(4).unwrap(), [Some(0.5), Some(0.2), None, Some(0.0)]);
    }

    #[test]
    fn unknown_classes_are_named() {
        let confidence = DetectOptions { class_confidence: vec![(0, 0.5), (80, 0.5)], ..Default::default() };
        let excluded = DetectOptions { excluded_classes: vec![u32::MAX], ..Default::default() };
        for (options, class, field) in
            [(confidence, "class 80", "class_confidence"), (excluded, "class 4294967295", "excluded_classes")]
        {
            let error = options.least_scores(80).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Input);
            assert!(text.contains(class) && text.contains(field) && text.contains("has 80"), "{text}");
        }
    }
}
