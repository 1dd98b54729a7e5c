//! The arguments of `bench`.

use super::FindArgs;
use crate::parse::parse_scene_size;
use clap::Args;
use std::path::PathBuf;

/// `bench`.
#[derive(Debug, Args)]
#[command(
    mut_arg("tile", |arg| arg.hide(true)),
    mut_arg("auto", |arg| arg.hide(true)),
    after_help = "\
Detects one picture again and again, one run at a time, for each tile size, and prints pictures, \
pixels and tiles a second, and what they took. Without --image the picture is the one that \
`tilehawk demo` draws.\n\n\
Times are medians, from pixels in host memory to boxes in host memory (total). upload is the host's \
time to copy the pixels to where the device fetches them from, and the device's to fetch them; preprocess, network, decode, \
merge and readback are the GPU's own, where it has timestamps; other is the rest: sending commands, waiting. The network's rates are set \
against what this device reached in the same run: a copy from buffer to buffer, multiply-adds in \
registers, and the bound, the least time that its layers would need at both.\n\n\
A tile size that does not work is reported, the others are measured; the exit code is 2 if none \
works. docs/FORMATS.md describes JSON, CSV and plots.\n\n\
Examples:\n  \
tilehawk bench\n  \
tilehawk bench --image field.jpg --tile-sizes 320,640 --model thermal-small --json bench.json\n  \
tilehawk bench --size 1920x1080 --tile-sizes 416 --layers\n  \
tilehawk bench --tile-sizes 320 --tile-counts 1,10,100,300 --plots plots\n  \
tilehawk bench --size 1920x1080 --tile-sizes 640 --in-flight 10"
)]
pub(crate) struct BenchArgs {
    /// Sides of square tiles in pixels
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "160,256,320,416,512,640,1024",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) tile_sizes: Vec<u32>,
    /// Draw a picture for each of these numbers of tiles, in place of one for all: the cost of a tile. Goes with one of
    /// --tile-sizes
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        conflicts_with_all = ["image", "size"],
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub(crate) tile_counts: Vec<u32>,
    /// Picture to detect in
    #[arg(long, value_name = "FILE", conflicts_with = "size")]
    pub(crate) image: Option<PathBuf>,
    /// Size of the picture to draw, in pixels: N or WxH, sides of 64 to 65536
    #[arg(long, value_name = "N|WxH", default_value = "3840x2160", value_parser = parse_scene_size)]
    pub(crate) size: [u32; 2],
    /// Runs of a tile size in a round [default: 10; fewer if they take over 20 s, but 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) runs: Option<u32>,
    /// Runs before them that do not count [default: 2; 1 if that takes over 20 s]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=100_000))]
    pub(crate) warm_up: Option<u32>,
    /// Go through all rows this many times: a machine whose speed drifts then touches all of them alike
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Time this many pictures in flight too, sent off before the first is waited for
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) in_flight: u32,
    /// Time every layer of the network too, at this tile size [default: the first one]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true)]
    pub(crate) layers: Option<Option<u32>>,
    /// Write all numbers as JSON; `-`: to standard output, in place of the tables
    #[arg(long, value_name = "FILE|-", allow_hyphen_values = true)]
    pub(crate) json: Option<PathBuf>,
    /// Write a line for each tile size as CSV; `-`: to standard output, in place of the tables
    #[arg(long, value_name = "FILE|-", allow_hyphen_values = true)]
    pub(crate) csv: Option<PathBuf>,
    /// Draw pictures and tiles a second over the tile size, or cost over the number of tiles, into this folder, as SVG and PNG
    #[arg(long, value_name = "DIR")]
    pub(crate) plots: Option<PathBuf>,
    /// The model and its settings.
    #[command(flatten)]
    pub(crate) find: FindArgs,
}
