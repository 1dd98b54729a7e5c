//! The arguments of the commands on data sets: `slice-dataset` and `fusion-factors`.

use super::GridArgs;
use crate::parse::{parse_above_0, parse_ratio, parse_tile};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What tiles are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TileFormat {
    /// JPEG, chroma halved (4:2:0)
    Jpg,
    /// PNG, the pixels as they are
    Png,
}

impl TileFormat {
    /// The extension of a file name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Jpg => "jpg",
            Self::Png => "png",
        }
    }
}

/// `slice-dataset`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes OUT/images/<stem>_<number>_<x0>_<y0>_<x1>_<y1>.jpg for each tile, where number is the place of the picture in \
DATASET from 0, and OUT/<name of DATASET>.json: the tiles, file names, ids and kept annotations of SAHI's `coco slice`. \
--yolo adds OUT/labels, OUT/classes.txt and OUT/data.yaml.\n\n\
A part of an object is kept in a tile if its area is at least --min-area-ratio of the object's, in whole pixels. \
Where an object has polygons they are cut, else its box. Flaws of DATASET are mended where that is \
safe, and counted. A picture that cannot be read, or has another size than DATASET says, is reported and left out, the \
others are finished, and the exit code is 2.\n\n\
Example: tilehawk slice-dataset train.json --images train/ --out sliced --tile 512 --overlap 0.2 --yolo")]
pub(crate) struct SliceDatasetArgs {
    /// Data set in COCO format
    #[arg(value_name = "DATASET.json")]
    pub(crate) dataset: PathBuf,
    /// Folder that the file names of DATASET start from
    #[arg(long, value_name = "DIR")]
    pub(crate) images: PathBuf,
    /// Folder to write to; made if need be
    #[arg(short, long, value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// How pictures are cut.
    #[command(flatten)]
    pub(crate) grid: GridArgs,
    /// Least share of an object's area that a part needs, in [0, 1]
    #[arg(long, value_name = "R", default_value = "0.1", value_parser = parse_ratio)]
    pub(crate) min_area_ratio: f64,
    /// Leave out tiles without annotations
    #[arg(long)]
    pub(crate) ignore_negative: bool,
    /// Format of the tiles
    #[arg(long, default_value = "jpg")]
    pub(crate) format: TileFormat,
    /// Quality of JPEG, 1 to 100; SAHI writes 75
    #[arg(long, value_name = "N", default_value_t = 95, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) quality: u8,
    /// Write labels of YOLO too; crowds are left out of them
    #[arg(long)]
    pub(crate) yolo: bool,
    /// Leave out pictures that are missing, instead of stopping
    #[arg(long)]
    pub(crate) skip_missing: bool,
    /// Write into a folder that is not empty; files of equal name are replaced, others stay
    #[arg(long)]
    pub(crate) force: bool,
    /// Turn pictures as their EXIF orientation says, as SAHI does; annotations are then of turned pictures
    #[arg(long)]
    pub(crate) orient: bool,
    /// Refuse pictures of more pixels than this
    #[arg(long, value_name = "N", default_value_t = crate::images::MAX_PIXELS)]
    pub(crate) max_pixels: u64,
}

/// Which anchors decide on the level of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FusionRule {
    /// A square of 4 cells at the object's centre, strides 4,8,16,32 (for detectors without anchors)
    Square,
    /// RetinaNet: P3 to P7, sizes 32 to 512, 3 ratios, 3 scales, P6 and P7 not fused
    Retinanet,
    /// FPN of Faster R-CNN: P2 to P6, sizes 32 to 512, 3 ratios, 1 scale, P6 not fused
    Fpn,
}

/// `fusion-factors`.
#[derive(Debug, Args)]
#[command(after_help = "\
S-alpha (Gong et al., WACV 2021): the factor of each top-down edge of a feature pyramid is the number of objects of the \
upper level over that of the lower one. The last edge also counts the level above the fused ones. An object belongs to \
the level with the anchor of the largest IOU. Crowds and boxes without area in their picture do not count.\n\n\
Objects are measured at network input: --scale is the factor from pixels of the picture to those of the input, such as \
input / tile where pictures are cut.\n\n\
Example: tilehawk fusion-factors train.json --scale 1.1638")]
pub(crate) struct FusionFactorsArgs {
    /// Data set in COCO format
    #[arg(value_name = "DATASET.json")]
    pub(crate) dataset: PathBuf,
    /// Which anchors decide on the level
    #[arg(long, default_value = "square")]
    pub(crate) rule: FusionRule,
    /// Strides of the levels, finest first [default: those of --rule]
    #[arg(long, value_name = "S,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) levels: Vec<u32>,
    /// Levels at the top that take no part in the fusion [default: that of --rule]
    #[arg(long, value_name = "N")]
    pub(crate) unfused: Option<usize>,
    /// Side of the square in cells, with --rule square [default: 4]
    #[arg(long, value_name = "C", value_parser = parse_above_0)]
    pub(crate) cells: Option<f64>,
    /// Sides of the anchors in pixels, one a level, with the other rules [default: 32,64,128,256,512]
    #[arg(long, value_name = "PX,...", value_delimiter = ',', value_parser = parse_above_0)]
    pub(crate) anchor_sizes: Vec<f64>,
    /// Heights over widths of the anchors [default: 0.5,1,2]
    #[arg(long, value_name = "R,...", value_delimiter = ',', value_parser = parse_above_0)]
    pub(crate) anchor_ratios: Vec<f64>,
    /// Factors on the sides of the anchors [default: 1, or 1, 2^(1/3), 2^(2/3) with retinanet]
    #[arg(long, value_name = "F,...", value_delimiter = ',', value_parser = parse_above_0)]
    pub(crate) anchor_scales: Vec<f64>,
    /// Factor from pixels of the picture to pixels of the input
    #[arg(long, value_name = "F", default_value = "1", value_parser = parse_above_0)]
    pub(crate) scale: f64,
    /// Fit each picture into an input of this size instead, aspect kept
    #[arg(long, value_name = "N|WxH", value_parser = parse_tile, conflicts_with = "scale")]
    pub(crate) input: Option<[u32; 2]>,
    /// Write the numbers as JSON, `-` for standard output instead of the table
    #[arg(long, value_name = "FILE|-", allow_hyphen_values = true)]
    pub(crate) json: Option<PathBuf>,
}
