//! The arguments of `import` and `inspect`.

use super::{OrderArg, ResizeArg};
use crate::parse::{
    Anchors, parse_anchors, parse_channels, parse_divisors, parse_head, parse_pad, parse_share, parse_tile,
};
use clap::Args;
use std::path::PathBuf;
use tilehawk::import::onnx::HeadKind;

/// What an ONNX file does not say about itself.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "What an ONNX file does not say")]
pub(crate) struct OnnxArgs {
    /// Class names, one a line [default: those in the file]
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Input size in pixels, where the file leaves it open: N or WxH
    #[arg(long, value_name = "N|WxH", value_parser = parse_tile)]
    pub(crate) size: Option<[u32; 2]>,
    /// Kind of detection head, see `tilehawk import --head-help` [default: recognised]
    #[arg(long, value_name = "KIND", value_parser = parse_head)]
    pub(crate) head: Option<HeadKind>,
    /// Anchors in input pixels: W,H pairs, levels from the finest parted by `;` [default: as published]
    #[arg(long, value_name = "W,H W,H; ...", value_parser = parse_anchors)]
    pub(crate) anchors: Option<Anchors>,
    /// Decoded boxes are in 0..1 of the input's sides, not in pixels
    #[arg(long)]
    pub(crate) boxes_relative: bool,
    /// Where in its cell a GFL head's anchor lies: 0 (NanoDet) or 0.5 (PicoDet)
    #[arg(long, value_name = "V", value_parser = parse_share)]
    pub(crate) head_centre: Option<f32>,
    /// Order of the input's channels
    #[arg(long)]
    pub(crate) order: Option<OrderArg>,
    /// Subtracted from pixels of 0..255, in the input's channel order: V or A,B,C
    #[arg(long, value_name = "A,B,C", value_parser = parse_channels, allow_negative_numbers = true)]
    pub(crate) mean: Option<[f32; 3]>,
    /// Divisor after the mean, in the input's channel order: V or A,B,C
    #[arg(long, value_name = "A,B,C", value_parser = parse_divisors)]
    pub(crate) std: Option<[f32; 3]>,
    /// How a tile is fitted into the input
    #[arg(long)]
    pub(crate) resize: Option<ResizeArg>,
    /// Value of padding pixels, 0..255
    #[arg(long, value_name = "V", value_parser = parse_pad)]
    pub(crate) pad: Option<f32>,
}

/// `import`.
#[derive(Debug, Args)]
#[command(override_usage = "\
tilehawk import [OPTIONS] <IN.onnx> -o <OUT.safetensors>\n       \
tilehawk import [OPTIONS] <IN.onnx> --check [PICTURE]\n       \
tilehawk import --head-help")]
#[command(after_help = "\
What an ONNX file does not say (normalisation, channel order) is taken from what the exporter \
noted in it or what is known of its head; the options override both. The command prints what \
was recognised: compare it with what the network was trained with. Weights in files beside the \
model are read too.\n\n\
--check needs Python 3 with the packages onnxruntime and numpy, and a device for the imported \
model. An output passes if |a - b| <= 0.001 * max(1, |b|) for all its elements in 32 bits, b being \
the original's; with one that fails the exit code is 1. Figures of 16 bits are for information, and so are all of \
an original that computes in 16 bits.\n\n\
Examples:\n  \
tilehawk import yolox_nano.onnx -o yolox_nano.safetensors --names coco.names --f16\n  \
tilehawk import net.onnx --check street.jpg\n  \
tilehawk import net.onnx -o net.safetensors --head yolov5 --anchors \"10,13 16,30; 30,61 62,45\"")]
pub(crate) struct ImportArgs {
    /// ONNX file
    #[arg(value_name = "IN.onnx", required_unless_present = "head_help")]
    pub(crate) input: Option<PathBuf>,
    /// Model file to write
    #[arg(short, long, value_name = "OUT.safetensors", required_unless_present_any = ["check", "head_help"])]
    pub(crate) out: Option<PathBuf>,
    /// Write weights in 16 bits
    #[arg(long, requires = "out")]
    pub(crate) f16: bool,
    /// Name of the model [default: the file's]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Licence of the weights, an SPDX expression
    #[arg(long, value_name = "SPDX")]
    pub(crate) licence: Option<String>,
    /// Where the weights came from
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Compare with the original in ONNX Runtime, on PICTURE or on a built-in pattern
    #[arg(long, value_name = "PICTURE", num_args = 0..=1)]
    pub(crate) check: Option<Option<PathBuf>>,
    /// Python for --check
    #[arg(long, value_name = "PATH", default_value = "python3", requires = "check")]
    pub(crate) python: PathBuf,
    /// Print all kinds of heads with their outputs and formulas, and end
    #[arg(long)]
    pub(crate) head_help: bool,
    /// What the file does not say.
    #[command(flatten)]
    pub(crate) onnx: OnnxArgs,
}

/// `inspect`.
#[derive(Debug, Args)]
#[command(after_help = "\
Operations are 2 for each multiply-add of convolutions, transposed convolutions and matrix \
products; all else is not counted. They and the memory are those of what detection runs: what \
the head reads or, without a head, the outputs. Weight sizes are those of a model file.\n\n\
Examples:\n  \
tilehawk inspect model.safetensors --layers\n  \
tilehawk inspect net.onnx --size 640 --json | jq .flop")]
pub(crate) struct InspectArgs {
    /// Model: thermal-nano or thermal-small, a file made by `tilehawk import`, or an .onnx file
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// List each node: operation, shapes, parameters, operations
    #[arg(long)]
    pub(crate) layers: bool,
    /// Print one JSON document, layers included
    #[arg(long)]
    pub(crate) json: bool,
    /// What an ONNX file does not say.
    #[command(flatten)]
    pub(crate) onnx: OnnxArgs,
}
