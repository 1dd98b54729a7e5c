//! The only place that calls the detector, the merge and the import of the library.

use crate::args::{DeviceArgs, FindArgs, Fusion, ImportArgs, OnnxArgs, PrecisionArg, Tune};
use crate::builtin;
use crate::classes::ClassRules;
use crate::failure::{Failure, Outcome, warn};
use crate::files;
use crate::pipeline_cache::Opened;
use crate::tuning::Store;
use image::RgbImage;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tilehawk::geom::TileGrid;
use tilehawk::gpu::{Context, ContextOptions};
pub(crate) use tilehawk::gpu::{LayerTime, StageTime};
use tilehawk::import::onnx::{ImportOptions, import_file};
use tilehawk::model::{self, Model};
pub(crate) use tilehawk::{BoxMerger, Detection, Detections, MergeBox, Merged, Stats};
use tilehawk::{DetectOptions, Detector, DetectorOptions, ErrorKind, ImageView, PixelFormat, Precision};

/// Opens the adapter asked for; a software adapter is announced.
pub(crate) fn open(device: &DeviceArgs) -> Outcome<Opened> {
    let options = ContextOptions {
        adapter: device.adapter.clone(),
        backends: device.backend.map(crate::args::Backend::flags),
        matrices: device.matrices,
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
    let context = match device.fusion {
        Fusion::Auto => context,
        Fusion::On => context.with_fusion(true),
        Fusion::Off => context.with_fusion(false),
    };
    if device.matrices {
        note_matrices(&context, device);
    }
    let context = if device.unchecked_shaders { context.without_shader_checks() } else { context };
    Ok(Opened::new(context, device.pipeline_cache().map_err(Failure::Bad)?))
}

/// Says where `--matrices` changes nothing.
fn note_matrices(context: &Context, device: &DeviceArgs) {
    let name = &context.info().name;
    let reason = if context.matrix_side().is_none() {
        format!("{name} has no cooperative matrices that fit; `tilehawk info` lists what it has")
    } else if device.tune() == Ok(Tune::Off) || (context.is_software() && device.tune() == Ok(Tune::Auto)) {
        "no kernels are timed; --tune on does".to_owned()
    } else if !precision(device).is_f16(context).unwrap_or(false) {
        "maps are f32, and matrices multiply f16".to_owned()
    } else {
        return;
    };
    warn(&format!("note: --matrices changes nothing: {reason}"));
}

/// Name and interface of the adapter in use.
pub(crate) fn adapter_name(context: &Context) -> String {
    format!("{}, {:?}", context.info().name, context.info().backend)
}

/// Takes a built-in model, reads a model file, or imports an ONNX file as the arguments say.
pub(crate) fn load_model(path: &Path, onnx: &OnnxArgs) -> Outcome<Model> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
        return import_onnx(path, onnx, ImportOptions::default());
    }
    if onnx.names.is_some() {
        return Err(Failure::file(path, "a model file brings its class names; use --names with .onnx only"));
    }
    if *onnx != OnnxArgs::default() {
        return Err(Failure::file(
            path,
            "a model file says all about itself; use --size, --head, --mean and the like with .onnx only, \
             in `tilehawk import` for instance",
        ));
    }
    let file;
    let bytes = match builtin::find(path) {
        Some(bytes) => bytes,
        None => {
            file = files::read(path).map_err(|failure| builtin::advise(path, failure))?;
            &file
        }
    };
    Model::from_bytes(bytes).map_err(|e| Failure::from(e.at(path.display())))
}

/// Imports the ONNX file `input` as the arguments say.
pub(crate) fn import_model(input: &Path, args: &ImportArgs) -> Outcome<Model> {
    let options = ImportOptions {
        name: args.name.clone(),
        licence: args.licence.clone().unwrap_or_default(),
        source: args.source.clone().unwrap_or_default(),
        ..ImportOptions::default()
    };
    import_onnx(input, &args.onnx, options)
}

fn import_onnx(path: &Path, args: &OnnxArgs, known: ImportOptions) -> Outcome<Model> {
    let names = args.names.as_deref().map(files::read_names).transpose()?;
    let options = ImportOptions {
        name: known.name.clone().or_else(|| stem(path)),
        classes: names,
        size: args.size.map(|[width, height]| [height, width]),
        order: args.order.map(crate::args::OrderArg::order),
        mean: args.mean,
        std: args.std,
        resize: args.resize.map(crate::args::ResizeArg::mode),
        pad: args.pad,
        head_centre: args.head_centre,
        head: args.head,
        anchors: args.anchors.as_ref().map(|anchors| anchors.0.clone()),
        boxes_relative: args.boxes_relative,
        ..known
    };
    files::check_readable(path)?;
    import_file(path, &options).map_err(|e| {
        let kind = e.kind();
        let mut failure = Failure::from(if kind == ErrorKind::Io { e.at(path.display()) } else { e });
        if let Failure::Bad(message) = &mut failure {
            message.push_str(match kind {
                // The model itself could be opened.
                ErrorKind::Io => "; the model keeps weights in that file: put it beside the model",
                ErrorKind::Input if args.size.is_none() && message.ends_with("give the input size") => {
                    " with --size N or WxH (of `tilehawk import` and `tilehawk inspect`)"
                }
                ErrorKind::Unsupported if args.head.is_some() && message.contains("head") => {
                    "; `tilehawk import --head-help` describes all heads"
                }
                _ => "",
            });
        }
        failure
    })
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

/// The precision asked for.
pub(crate) fn precision(device: &DeviceArgs) -> Precision {
    match device.precision {
        PrecisionArg::Auto => Precision::Auto,
        PrecisionArg::F32 => Precision::F32,
        PrecisionArg::F16 => Precision::F16,
    }
}

/// What the arguments say of the detector.
pub(crate) fn settings(args: &FindArgs, device: &DeviceArgs) -> DetectorOptions {
    let usual = DetectorOptions::default();
    DetectorOptions {
        precision: precision(device),
        batch: args.batch,
        tiles_per_submission: args.split,
        memory_bytes: args.memory.map_or(usual.memory_bytes, |mib| mib << 20),
        ..usual
    }
}

/// The detector with the options of a run.
pub(crate) struct Engine {
    detector: Detector,
    options: DetectOptions,
    tunings: Option<Arc<Store>>,
}

impl Engine {
    /// The engine of a run with the options of `find`, and kernels timed as `device` says.
    pub(crate) fn new(
        context: &Context,
        model: &Model,
        find: &FindArgs,
        device: &DeviceArgs,
        classes: &ClassRules,
        options: &DetectOptions,
    ) -> Outcome<Self> {
        let tunings = Store::open(context, device)?;
        Self::with(context, model, &find.model, settings(find, device), tunings, classes, options)
    }

    /// Makes the detector; kernels are timed before a picture if there are `tunings` to keep.
    pub(crate) fn with(
        context: &Context,
        model: &Model,
        path: &Path,
        settings: DetectorOptions,
        tunings: Option<Arc<Store>>,
        classes: &ClassRules,
        options: &DetectOptions,
    ) -> Outcome<Self> {
        let detector =
            Detector::new(context, model, settings).map_err(|e| Failure::from(e.at(path.display())))?;
        let options = DetectOptions {
            class_confidence: classes.thresholds(),
            excluded_classes: classes.excluded(),
            ..options.clone()
        };
        Ok(Self { detector, options, tunings })
    }

    /// Times kernels for pictures of this size, if that was asked for; the number of tiles.
    pub(crate) fn prepare(&self, picture: &RgbImage) -> Outcome<usize> {
        let tiles = TileGrid::new(picture.width(), picture.height(), &self.options.grid)?.tiles.len();
        if let Some(tunings) = &self.tunings {
            tunings.tune(&self.detector, u32::try_from(tiles).unwrap_or(u32::MAX));
        }
        Ok(tiles)
    }

    /// What a tile costs in a picture of some tiles.
    pub(crate) fn cost(&self, tiles: u32) -> Outcome<model::Cost> {
        Ok(self.detector.cost(tiles)?)
    }

    /// Detects in a picture and says how long it took.
    pub(crate) fn time(&self, picture: &RgbImage) -> Outcome<Timed> {
        let view = ImageView::new(picture.width(), picture.height(), PixelFormat::Rgb8, picture.as_raw())?;
        let started = Instant::now();
        let detections = self.detector.detect(&view, &self.options)?;
        Ok(Timed { total: started.elapsed(), stats: detections.stats })
    }

    /// Sends a picture off `count` times, then waits for all of them; the time of all.
    pub(crate) fn time_in_flight(&self, picture: &RgbImage, count: u32) -> Outcome<Duration> {
        let view = ImageView::new(picture.width(), picture.height(), PixelFormat::Rgb8, picture.as_raw())?;
        let started = Instant::now();
        let pending: Result<Vec<_>, _> =
            (0..count).map(|_| self.detector.submit(&view, &self.options)).collect();
        for pending in pending? {
            pending.wait()?;
        }
        Ok(started.elapsed())
    }
}

/// A picture that was timed on the host.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    /// From its pixels to its boxes in host memory.
    pub(crate) total: Duration,
    /// What it took.
    pub(crate) stats: Stats,
}

impl Finder for Engine {
    fn find(&self, picture: &RgbImage) -> Outcome<Detections> {
        let tiles = self.prepare(picture)?;
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
