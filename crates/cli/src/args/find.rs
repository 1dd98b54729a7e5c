//! The arguments of `detect`, `demo` and `bench` that say how objects are found.

use super::{AlgorithmArg, GridArgs, MergeRuleArgs};
use crate::builtin;
use crate::failure::Outcome;
use crate::parse::parse_share;
use clap::Args;
use std::path::PathBuf;
use tilehawk::DetectOptions;
use tilehawk::model::ModelInfo;

/// The model and its settings.
#[derive(Debug, Args)]
pub(crate) struct FindArgs {
    /// Model: thermal-nano or thermal-small, a file made by `tilehawk import`, or an .onnx file that says all
    #[arg(long, value_name = "NAME|FILE", default_value = builtin::DEFAULT)]
    pub(crate) model: PathBuf,
    /// Class names for an .onnx model, one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// How the picture is cut.
    #[command(flatten)]
    pub(crate) grid: GridArgs,
    /// Lowest score of a box before merging, in [0, 1] [default: the model's, else 0.3]
    #[arg(long, value_name = "T", value_parser = parse_share)]
    pub(crate) confidence: Option<f32>,
    /// How overlapping boxes are merged [default: the model's, else nms]
    #[arg(long)]
    pub(crate) merge: Option<AlgorithmArg>,
    /// Overlap from which boxes are merged, in [0, 1]; soft-nms has none [default: the model's, else 0.5]
    #[arg(long, value_name = "T", value_parser = parse_share)]
    pub(crate) merge_threshold: Option<f32>,
    /// What `merge` has too.
    #[command(flatten)]
    pub(crate) rules: MergeRuleArgs,
    /// Tiles in one batch; the result does not depend on it [default: as many as fit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: Option<u32>,
    /// GPU memory for feature maps, in MiB; one tile always runs [default: 384]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=16_777_216))]
    pub(crate) memory: Option<u64>,
    /// Tiles per submission, for drivers that end long work [default: the whole picture in one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) split: Option<u32>,
}

impl FindArgs {
    /// Checks what needs no model.
    pub(crate) fn check(&self) -> Outcome<()> {
        self.rules.check(self.merge, "--merge")
    }

    /// The library's options but for single classes; what is not given is as the model recommends.
    pub(crate) fn options(&self, model: &ModelInfo) -> Outcome<DetectOptions> {
        let default = DetectOptions::recommended(model);
        Ok(DetectOptions {
            grid: self.grid.options(&default.grid),
            confidence: self.confidence.unwrap_or(default.confidence),
            merge: self.rules.options(default.merge, self.merge, self.merge_threshold, "--merge")?,
            ..default
        })
    }
}
