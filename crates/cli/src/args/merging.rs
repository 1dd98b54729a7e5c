//! The arguments of merging, of `merge` alone and of `merge` and `detect` alike.

use crate::failure::{Failure, Outcome};
use crate::parse::{parse_class, parse_class_threshold, parse_share, parse_sigma};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use tilehawk::geom::Metric;
use tilehawk::{Algorithm, MergeOptions};

/// How boxes are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlgorithmArg {
    /// The best box stays and drops those that overlap it (greedy non-maximum suppression)
    Nms,
    /// As nms, but the best box grows to the union with those it drops (for parts of objects cut by tiles, with ios)
    GreedyNmm,
    /// As greedy-nmm, and boxes that were taken go on taking others (for chains of parts of long objects)
    Nmm,
    /// Overlap lowers the scores of weaker boxes, see --sigma (for crowds, where recall counts)
    SoftNms,
    /// As nms, but boxes cut by a tile edge rank after all whole ones (where tiles overlap by an object or more)
    KeepBest,
    /// Groups as of greedy-nmm, each replaced by its mean box, weighted by score (for many overlapping tiles)
    Wbf,
}

impl AlgorithmArg {
    /// The library's algorithm.
    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Nms => Algorithm::Nms,
            Self::GreedyNmm => Algorithm::GreedyNmm,
            Self::Nmm => Algorithm::Nmm,
            Self::SoftNms => Algorithm::SoftNms,
            Self::KeepBest => Algorithm::KeepBest,
            Self::Wbf => Algorithm::Wbf,
        }
    }

    /// The name of an algorithm on the command line.
    pub(crate) fn of(algorithm: Algorithm) -> Option<clap::builder::PossibleValue> {
        Self::value_variants().iter().find(|one| one.algorithm() == algorithm)?.to_possible_value()
    }

    /// Its name on the command line, if it takes no scores outside [0, 1].
    pub(crate) fn needs_shares(self) -> Option<&'static str> {
        match self {
            Self::SoftNms => Some("soft-nms"),
            Self::Wbf => Some("wbf"),
            Self::Nms | Self::GreedyNmm | Self::Nmm | Self::KeepBest => None,
        }
    }
}

/// Overlap of two boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MetricArg {
    /// Intersection over union
    Iou,
    /// Intersection over the smaller area
    Ios,
}

impl MetricArg {
    /// The library's metric.
    fn metric(self) -> Metric {
        match self {
            Self::Iou => Metric::Iou,
            Self::Ios => Metric::Ios,
        }
    }
}

/// A class and the lowest score of its boxes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClassThreshold {
    /// Name or id.
    pub(crate) class: String,
    /// Lowest score.
    pub(crate) threshold: f32,
}

/// What `merge` and `detect` share.
#[derive(Clone, Debug, Args)]
pub(crate) struct MergeRuleArgs {
    /// Overlap measure of the merge [default: iou; detect, demo and bench: the model's]
    #[arg(long)]
    metric: Option<MetricArg>,
    /// Merge boxes of different classes too [default: false; detect, demo and bench: the model's]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    class_agnostic: Option<bool>,
    /// soft-nms: scores fall by exp(-overlap^2 / S), from 0.01 to 10 [default: 0.5]
    #[arg(long, value_name = "S", value_parser = parse_sigma)]
    sigma: Option<f32>,
    /// soft-nms: drop boxes whose score falls below this, in [0, 1] [default: 0.001]
    #[arg(long, value_name = "T", value_parser = parse_share)]
    score_floor: Option<f32>,
    /// Most boxes to leave of a picture, the best ones [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_detections: Option<u32>,
    /// Leave out boxes of a class (name or id) below a score in [0, 1], before merging
    #[arg(long, value_name = "CLASS=T[,...]", value_delimiter = ',', value_parser = parse_class_threshold)]
    pub(crate) per_class_threshold: Vec<ClassThreshold>,
    /// Leave out boxes of these classes (names or ids), before merging
    #[arg(long, value_name = "CLASS[,...]", value_delimiter = ',', value_parser = parse_class)]
    pub(crate) exclude_class: Vec<String>,
}

impl MergeRuleArgs {
    /// Refuses options of soft-nms where it is not chosen.
    pub(crate) fn check(&self, algorithm: Option<AlgorithmArg>, flag: &str) -> Outcome<()> {
        let given = [("--sigma", self.sigma), ("--score-floor", self.score_floor)];
        match given.iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) if algorithm != Some(AlgorithmArg::SoftNms) => Err(Failure::Bad(format!(
                "{name} is of use to soft-nms only; leave it out, or give {flag} soft-nms"
            ))),
            _ => Ok(()),
        }
    }

    /// The library's options; what is not given is as in `default`. `flag` is the option that chooses the algorithm.
    pub(crate) fn options(
        &self,
        default: MergeOptions,
        algorithm: Option<AlgorithmArg>,
        threshold: Option<f32>,
        flag: &str,
    ) -> Outcome<MergeOptions> {
        self.check(algorithm, flag)?;
        let mut options = default;
        options.algorithm = algorithm.map_or(default.algorithm, AlgorithmArg::algorithm);
        options.metric = self.metric.map_or(default.metric, MetricArg::metric);
        options.threshold = threshold.unwrap_or(default.threshold);
        options.class_agnostic = self.class_agnostic.unwrap_or(default.class_agnostic);
        options.sigma = self.sigma.unwrap_or(options.sigma);
        options.score_floor = self.score_floor.unwrap_or(options.score_floor);
        options.max_boxes = self.max_detections;
        Ok(options)
    }
}

/// `merge`.
#[derive(Debug, Args)]
#[command(after_help = "\
IN is a safetensors file with a tensor `boxes` [N, 6] f32 (x0 y0 x1 y1 score class), a \
document written by `detect`, or a list of COCO results, which are merged per image_id. OUT \
is written in the form its extension names, .safetensors or .json. Boxes come out by \
descending score; greedy-nmm and nmm put the class first, unless --class-agnostic or \
--max-detections is given. An entry of a .json keeps its other keys.\n\n\
keep-best wants to know which inner tile edges a box touches: the key `edges` of an entry, or \
a tensor `edges` [N] u8, the sum of 1 left, 2 top, 4 right, 8 bottom. soft-nms and wbf want \
scores in [0, 1]. Class names are those of the entries (`label` or `category_name`).\n\n\
Example: tilehawk merge boxes.safetensors -o merged.safetensors --metric ios --threshold 0.5")]
pub(crate) struct MergeArgs {
    /// Boxes: .safetensors or .json
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// File to write: .safetensors or .json
    #[arg(short, long, value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// How overlapping boxes are merged
    #[arg(long, default_value = "nms")]
    pub(crate) algorithm: AlgorithmArg,
    /// Overlap from which boxes are merged, in [0, 1]; soft-nms has none
    #[arg(long, value_name = "T", default_value = "0.5", value_parser = parse_share)]
    pub(crate) threshold: f32,
    /// What `detect` has too.
    #[command(flatten)]
    pub(crate) rules: MergeRuleArgs,
}

impl MergeArgs {
    /// The library's options.
    pub(crate) fn options(&self) -> Outcome<MergeOptions> {
        let default = MergeOptions::default();
        self.rules.options(default, Some(self.algorithm), Some(self.threshold), "--algorithm")
    }
}

#[cfg(test)]
mod tests;
