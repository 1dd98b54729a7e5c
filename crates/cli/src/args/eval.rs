//! The arguments of `eval`.

use crate::parse::{parse_class, parse_count, parse_iou};
use clap::Args;
use std::path::PathBuf;

/// `eval`.
#[derive(Debug, Args)]
#[command(after_help = "\
Measures are those of pycocotools for boxes: average precision AP, over IOU thresholds 0.5 to \
0.95, AP50 and AP75, and average recall AR at each count of --max-dets. Small objects are below \
32x32 pixels, large ones from 96x96. A dash stands for nothing to find.\n\n\
DT is a list of COCO results, whose ids are those of GT (`detect --coco FILE --gt GT`), or what \
`detect -o` or `detect --json -` writes, matched by file and class name.\n\n\
Examples:\n  \
tilehawk eval --gt val.json --dt results.json --max-dets 1,100,500 --classes Person,Car\n  \
tilehawk eval --gt val.json --dt results.json --breakdown --plots plots --json measures.json")]
pub(crate) struct EvalArgs {
    /// COCO data set with the objects
    #[arg(long, value_name = "GT.json")]
    pub(crate) gt: PathBuf,
    /// Detections: COCO results, or documents of `detect`
    #[arg(long, value_name = "DT.json")]
    pub(crate) dt: PathBuf,
    /// Counts of detections of a class in a picture, the best first; AP takes the largest
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1,10,100", value_parser = parse_count)]
    pub(crate) max_dets: Vec<usize>,
    /// IOU thresholds, each above 0 and at most 1 [default: 0.5 to 0.95 by 0.05]
    #[arg(long, value_name = "T,...", value_delimiter = ',', value_parser = parse_iou)]
    pub(crate) iou: Option<Vec<f64>>,
    /// Judge only these classes, by name or category id [default: all]
    #[arg(long, value_name = "CLASS,...", value_delimiter = ',', value_parser = parse_class)]
    pub(crate) classes: Option<Vec<String>>,
    /// Take all classes as one
    #[arg(long)]
    pub(crate) agnostic: bool,
    /// TinyPerson's measures too: AP and log-average miss rate MR by size
    #[arg(long)]
    pub(crate) tiny: bool,
    /// What precision is lost to: place, similar and other classes, background, objects not found
    #[arg(long, conflicts_with = "agnostic")]
    pub(crate) breakdown: bool,
    /// Write all measures as JSON; `-`: to standard output, in place of the tables
    #[arg(long, value_name = "FILE|-", allow_hyphen_values = true)]
    pub(crate) json: Option<PathBuf>,
    /// Draw precision-recall curves and, unless --agnostic, breakdowns into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    pub(crate) plots: Option<PathBuf>,
}
