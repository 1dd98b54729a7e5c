//! The only place that calls the detector, the merge and the import of the library.

use crate::args::{DetectArgs, DeviceArgs, ImportArgs, PrecisionArg};
use crate::classes::ClassRules;
use crate::failure::{Failure, Outcome, warn};
use crate::files;
use image::RgbImage;
use std::path::Path;
use tilehawk::geom::TileGrid;
use tilehawk::gpu::{Context, ContextOptions};
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::Model;
pub(crate) use tilehawk::{BoxMerger, Detection, Detections, MergeBox, Merged, Stats};
use tilehawk::{DetectOptions, Detector, DetectorOptions, ImageView, MergeOptions, PixelFormat, Precision};

/// Opens the adapter asked for; a software adapter is announced.
pub(crate) fn open(device: &DeviceArgs) -> Outcome<Context> {
    let options = ContextOptions {
        adapter: device.adapter.clone(),
        backends: device.backend.map(crate::args::Backend::flags),
        ..ContextOptions::default()
    };
    // No adapter, or none of that name, is for the user to mend.
    let context = Context::new(&options).map_err(|e| Failure::Bad(e.to_string()))?;
    if context.is_software() {
        warn(&format!(
            "note: {} computes on the CPU, which is slow; `tilehawk info` lists other adapters",
            context.info().name
        ));
    }
    Ok(context)
}

/// Name and interface of the adapter in use.
pub(crate) fn adapter_name(context: &Context) -> String {
    format!("{}, {:?}", context.info().name, context.info().backend)
}

/// Reads a model file, or imports an ONNX file with these class names.
pub(crate) fn load_model(path: &Path, names: Option<Vec<String>>) -> Outcome<Model> {
    let onnx = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
    if names.is_some() && !onnx {
        return Err(Failure::file(path, "a model file brings its class names; use --names with .onnx only"));
    }
    let bytes = files::read(path)?;
    let model = if onnx {
        import(&bytes, &ImportOptions { name: stem(path), classes: names, ..ImportOptions::default() })
    } else {
        Model::from_bytes(&bytes)
    };
    model.map_err(|e| Failure::from(e.at(path.display())))
}

/// Imports an ONNX file as the arguments say.
pub(crate) fn import_model(args: &ImportArgs, names: Option<Vec<String>>) -> Outcome<Model> {
    let options = ImportOptions {
        name: args.name.clone().or_else(|| stem(&args.input)),
        licence: args.licence.clone().unwrap_or_default(),
        source: args.source.clone().unwrap_or_default(),
        classes: names,
        size: args.size.map(|[width, height]| [height, width]),
        order: args.order.map(crate::args::OrderArg::order),
        mean: args.mean,
        std: args.std,
        resize: args.resize.map(crate::args::ResizeArg::mode),
        pad: args.pad,
        head_centre: args.head_centre,
        ..ImportOptions::default()
    };
    let bytes = files::read(&args.input)?;
    import(&bytes, &options).map_err(|e| Failure::from(e.at(args.input.display())))
}

fn stem(path: &Path) -> Option<String> {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned())
}

/// From this many tiles on a picture takes long enough to say so.
const MANY_TILES: usize = 2_000;

/// Finds boxes in pictures. A seam: tests of the pipeline put another in place of the device.
pub(crate) trait Finder: Sync {
    /// The boxes of a picture.
    fn find(&self, picture: &RgbImage) -> Outcome<Detections>;
}

/// The detector with the options of a run.
pub(crate) struct Engine {
    detector: Detector,
    options: DetectOptions,
}

impl Engine {
    /// Makes the detector.
    pub(crate) fn new(
        context: &Context,
        model: &Model,
        args: &DetectArgs,
        device: &DeviceArgs,
        classes: &ClassRules,
        merge: MergeOptions,
    ) -> Outcome<Self> {
        let mut options = DetectorOptions {
            precision: match device.precision {
                PrecisionArg::Auto => Precision::Auto,
                PrecisionArg::F32 => Precision::F32,
                PrecisionArg::F16 => Precision::F16,
            },
            batch: args.batch,
            tiles_per_submission: args.split,
            ..DetectorOptions::default()
        };
        if let Some(mib) = args.memory {
            options.memory_bytes = mib << 20;
        }
        let detector =
            Detector::new(context, model, options).map_err(|e| Failure::from(e.at(args.model.display())))?;
        let options = DetectOptions {
            grid: args.grid.options(),
            confidence: args.confidence,
            class_confidence: classes.thresholds(),
            excluded_classes: classes.excluded(),
            merge,
        };
        Ok(Self { detector, options })
    }
}

impl Finder for Engine {
    fn find(&self, picture: &RgbImage) -> Outcome<Detections> {
        let tiles = TileGrid::new(picture.width(), picture.height(), &self.options.grid)?.tiles.len();
        if tiles > MANY_TILES {
            let (width, height) = picture.dimensions();
            warn(&format!(
                "note: {width}x{height} pixels are cut into {tiles} tiles; a larger --tile takes less time"
            ));
        }
        let view = ImageView::new(picture.width(), picture.height(), PixelFormat::Rgb8, picture.as_raw())?;
        Ok(self.detector.detect(&view, &self.options)?)
    }
}
