//! The arguments of every command, checked as they are parsed.

mod bench;
mod dataset;
mod demo;
mod eval;
mod find;
mod import;
mod merging;

pub(crate) use bench::BenchArgs;
pub(crate) use dataset::{FusionFactorsArgs, FusionRule, SliceDatasetArgs, TileFormat};
pub(crate) use demo::DemoArgs;
pub(crate) use eval::EvalArgs;
pub(crate) use find::FindArgs;
pub(crate) use import::{ImportArgs, InspectArgs, OnnxArgs};
pub(crate) use merging::{AlgorithmArg, ClassThreshold, MergeArgs, MergeRuleArgs};

use crate::parse::{parse_overlap, parse_tile};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use tilehawk::geom::{GridOptions, ResizeMode, TileSize};
use tilehawk::model::ChannelOrder;
use tilehawk::wgpu::Backends;

/// Finds small objects in large pictures, wholly on the GPU.
#[derive(Debug, Parser)]
#[command(name = "tilehawk", version, about, long_about = None, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 `import --check` found a difference, 2 an error: bad input, no \
    adapter, or a device that failed.\n\n\
    Example: tilehawk detect field.jpg --model model.safetensors -o out --annotate"
)]
pub(crate) struct Cli {
    /// Which device to use.
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of all commands that use a device.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeviceArgs {
    /// Use the adapter whose name contains NAME, case ignored [env: WGPU_ADAPTER_NAME]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Device")]
    pub(crate) adapter: Option<String>,
    /// Look only at this interface [env: WGPU_BACKEND]
    #[arg(long, global = true, help_heading = "Device")]
    pub(crate) backend: Option<Backend>,
    /// Precision of weights and feature maps
    #[arg(long, global = true, default_value = "auto", help_heading = "Device")]
    pub(crate) precision: PrecisionArg,
    /// Compile shaders without run-time checks: the same boxes, sooner on some drivers
    #[arg(long, global = true, help_heading = "Device")]
    pub(crate) unchecked_shaders: bool,
    /// Compute two steps in one dispatch where that can be: preprocessing with the first convolution, depthwise with 1x1
    /// convolutions. The same boxes
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Device")]
    pub(crate) fusion: Fusion,
    /// Let --tune choose convolutions on cooperative matrices (tensor cores) too, where the device has them: of f16 maps only,
    /// and experimental; the last digits of results may differ
    #[arg(long, global = true, help_heading = "Device")]
    pub(crate) matrices: bool,
    /// Time a few ways to run each layer, once for each kind of layer on a device, and keep the fastest in the user's cache
    /// folder [env: TILEHAWK_TUNE] [default: auto]
    #[arg(long, global = true, value_name = "WHEN", help_heading = "Device")]
    tune: Option<Tune>,
    /// Keep compiled shaders in the user's cache folder for the next start, where the interface to the device can (Vulkan)
    /// [env: TILEHAWK_PIPELINE_CACHE] [default: auto]
    #[arg(long, global = true, value_name = "WHEN", help_heading = "Device")]
    pipeline_cache: Option<PipelineCache>,
}

impl DeviceArgs {
    /// When to tune: as the argument says, else as the environment does.
    pub(crate) fn tune(&self) -> Result<Tune, String> {
        chosen(self.tune, "TILEHAWK_TUNE", Tune::Auto)
    }

    /// Where to keep compiled shaders: as the argument says, else as the environment does.
    pub(crate) fn pipeline_cache(&self) -> Result<PipelineCache, String> {
        chosen(self.pipeline_cache, "TILEHAWK_PIPELINE_CACHE", PipelineCache::Auto)
    }
}

/// What was given, else what a variable of the environment says, else the usual.
fn chosen<T: ValueEnum>(given: Option<T>, variable: &str, usual: T) -> Result<T, String> {
    match (given, std::env::var(variable)) {
        (Some(given), _) => Ok(given),
        (None, Ok(name)) => T::from_str(&name, true)
            .map_err(|_| format!("{variable} is \"{name}\": give auto, on or off, or unset it")),
        (None, Err(_)) => Ok(usual),
    }
}

/// When kernels are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tune {
    /// On GPUs; software adapters are known.
    Auto,
    /// Always.
    On,
    /// Never; nor are the choices of earlier runs used.
    Off,
}

/// Where compiled shaders are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PipelineCache {
    /// On GPUs; software adapters keep theirs by themselves.
    Auto,
    /// On every adapter.
    On,
    /// Nowhere; nor are those of earlier runs used.
    Off,
}

/// Where steps share a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fusion {
    /// On GPUs, unless --tune found it slower; software adapters are slower with it.
    Auto,
    /// On every adapter.
    On,
    /// Nowhere.
    Off,
}

/// An interface to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Vulkan.
    Vulkan,
    /// Metal.
    Metal,
    /// Direct3D 12.
    Dx12,
    /// OpenGL and OpenGL ES.
    Gl,
}

impl Backend {
    /// The flag of wgpu.
    pub(crate) fn flags(self) -> Backends {
        match self {
            Self::Vulkan => Backends::VULKAN,
            Self::Metal => Backends::METAL,
            Self::Dx12 => Backends::DX12,
            Self::Gl => Backends::GL,
        }
    }
}

/// How numbers are stored on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionArg {
    /// Whatever suits the device.
    Auto,
    /// 32 bits.
    F32,
    /// 16 bits; sums stay 32.
    F16,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find objects in pictures
    Detect(Box<DetectArgs>),
    /// Draw a picture with known objects, find them, and say how many were found
    Demo(Box<DemoArgs>),
    /// Measure pictures a second by tile size, and the layers of the network
    Bench(Box<BenchArgs>),
    /// Print the tiles that a picture would be cut into
    Tiles(TilesArgs),
    /// Merge boxes that anybody's detector has found
    Merge(MergeArgs),
    /// Judge detections by a COCO data set
    Eval(Box<EvalArgs>),
    /// Make a model file from an ONNX file, and compare it with the original
    Import(Box<ImportArgs>),
    /// Print what a model is: input, head, classes, layers, operations, memory
    Inspect(Box<InspectArgs>),
    /// Cut a COCO data set to tiles: pictures, annotations, labels of YOLO
    SliceDataset(Box<SliceDatasetArgs>),
    /// Print the fusion factors of a feature pyramid (S-alpha) for the objects of a COCO data set
    FusionFactors(Box<FusionFactorsArgs>),
    /// List adapters with their features, limits and drivers
    Info(InfoArgs),
}

/// How a picture is cut into tiles.
#[derive(Clone, Debug, Args)]
pub(crate) struct GridArgs {
    /// Tile size in pixels: N or WxH [default: 640; detect and demo: the model's]
    #[arg(long, value_name = "N|WxH", value_parser = parse_tile)]
    pub(crate) tile: Option<[u32; 2]>,
    /// Overlap of neighbouring tiles as a share of the tile, in [0, 1): R or RxR [default: 0.2; detect, demo and bench: the model's]
    #[arg(long, value_name = "R|RxR", value_parser = parse_overlap)]
    pub(crate) overlap: Option<[f64; 2]>,
    /// Choose tile size and overlap by the size of the picture
    #[arg(long, conflicts_with_all = ["tile", "overlap"])]
    pub(crate) auto: bool,
    /// Add the whole picture as one more tile [default: false; detect, demo and bench: the model's]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) full_image: Option<bool>,
}

impl GridArgs {
    /// The library's options; what is not given is as in `default`.
    pub(crate) fn options(&self, default: &GridOptions) -> GridOptions {
        let tile = match self.tile {
            _ if self.auto => TileSize::Auto,
            Some([width, height]) => TileSize::Fixed { width, height },
            None => default.tile,
        };
        GridOptions {
            tile,
            overlap: self.overlap.unwrap_or(default.overlap),
            full_image: self.full_image.unwrap_or(default.full_image),
        }
    }
}

/// `detect`.
#[derive(Debug, Args)]
#[command(after_help = "\
Pictures: JPEG, PNG, WebP, TIFF, BMP and PNM, of any depth and channel count, read as 8-bit \
RGB. Boxes are in pixels as stored: the EXIF orientation is not applied unless --orient is \
given. A folder stands for the pictures directly in it.\n\n\
Give at least one of -o, --coco and --json. Writes OUT/<stem>.json for each picture and \
OUT/<stem>.png with --annotate. Where that name is taken by another picture of the run, or \
would overwrite a file that was given, the next free one of <stem>_2, <stem>_3, ... is used. \
A picture that cannot be read is reported, the others are finished, and the exit code is 2.\n\n\
A model may recommend tile, overlap, confidence and merge (`tilehawk inspect` shows them); \
an option overrides its own setting and no other. For a model without, a tile of about its \
input size, or somewhat larger, is a good start.\n\n\
--per-class-threshold takes the place of --confidence for its classes, and may be lower. \
soft-nms lowers scores further, down to --score-floor.\n\n\
Examples:\n  \
tilehawk detect flight/ -o out --annotate\n  \
tilehawk detect field.jpg more/ --model model.safetensors --tile 640 -o out --annotate")]
pub(crate) struct DetectArgs {
    /// Pictures, and folders of pictures
    #[arg(required = true, value_name = "IMAGES|DIRS")]
    pub(crate) inputs: Vec<PathBuf>,
    /// The model and its settings.
    #[command(flatten)]
    pub(crate) find: FindArgs,
    /// Folder to write to; made if need be
    #[arg(short, long, value_name = "OUT", required_unless_present_any = ["json", "coco"])]
    pub(crate) out: Option<PathBuf>,
    /// Write the pictures with boxes and labels drawn in
    #[arg(long, requires = "out")]
    pub(crate) annotate: bool,
    /// Write the boxes of all pictures as COCO results
    #[arg(long, value_name = "FILE")]
    pub(crate) coco: Option<PathBuf>,
    /// Take image and category ids for --coco from this COCO data set, by file and class name
    #[arg(long, value_name = "GT.json", requires = "coco")]
    pub(crate) gt: Option<PathBuf>,
    /// `-`: print the documents to standard output too, one line each
    #[arg(long, value_name = "-", value_parser = ["-"], allow_hyphen_values = true)]
    pub(crate) json: Option<String>,
    /// Turn pictures as their EXIF orientation says; boxes are then in turned pixels
    #[arg(long)]
    pub(crate) orient: bool,
    /// Refuse pictures of more pixels than this
    #[arg(long, value_name = "N", default_value_t = crate::images::MAX_PIXELS)]
    pub(crate) max_pixels: u64,
}

/// `tiles`.
#[derive(Debug, Args)]
#[command(after_help = "Example: tilehawk tiles --width 3840 --height 2160 --tile 640 --overlap 0.2")]
pub(crate) struct TilesArgs {
    /// Columns of the picture
    #[arg(long, value_name = "W")]
    pub(crate) width: u32,
    /// Rows of the picture
    #[arg(long, value_name = "H")]
    pub(crate) height: u32,
    /// How the picture is cut.
    #[command(flatten)]
    pub(crate) grid: GridArgs,
}

/// How a tile is fitted into the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResizeArg {
    /// Both axes scaled apart.
    Stretch,
    /// Aspect kept, picture at the top left.
    LetterboxTopLeft,
    /// The same with sides rounded down, as YOLOX does it.
    LetterboxTopLeftFloor,
    /// Aspect kept, picture in the middle.
    LetterboxCentre,
}

impl ResizeArg {
    /// The library's mode.
    pub(crate) fn mode(self) -> ResizeMode {
        match self {
            Self::Stretch => ResizeMode::Stretch,
            Self::LetterboxTopLeft => ResizeMode::LetterboxTopLeft,
            Self::LetterboxTopLeftFloor => ResizeMode::LetterboxTopLeftFloor,
            Self::LetterboxCentre => ResizeMode::LetterboxCentre,
        }
    }
}

/// Order of the channels of the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OrderArg {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl OrderArg {
    /// The library's order.
    pub(crate) fn order(self) -> ChannelOrder {
        match self {
            Self::Rgb => ChannelOrder::Rgb,
            Self::Bgr => ChannelOrder::Bgr,
        }
    }
}

/// `info`.
#[derive(Debug, Args)]
#[command(after_help = "Example: tilehawk info --json")]
pub(crate) struct InfoArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
