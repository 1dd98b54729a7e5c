//! `detect`: pictures in, boxes out.

use crate::args::{DetectArgs, DeviceArgs, OnnxArgs};
use crate::classes::{ClassRules, Known, quoted};
use crate::coco::Collector;
use crate::engine::{self, Engine, Finder};
use crate::failure::{Failure, Outcome, print_line, warn};
use crate::images::{self, DecodeOptions};
use crate::json::Document;
use crate::names::{Names, same_file, with_extension};
use crate::pipeline::{self, Found};
use crate::progress::{count, progress};
use crate::{annotate, describe, files, heads};
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tilehawk::model::Model;
use tilehawk_coco::Dataset;

/// A picture to do.
#[derive(Debug)]
struct Task {
    path: PathBuf,
    image_id: u64,
    /// Output path without extension.
    base: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &DetectArgs, device: &DeviceArgs) -> Outcome<()> {
    args.find.check()?;
    if let Some(out) = &args.out {
        files::prepare_folder(out)?;
    }
    if let Some(coco) = &args.coco {
        files::check_writable(coco)?;
    }
    let truth = args.gt.as_deref().map(Dataset::load).transpose()?;
    let collector = Collector::new(truth.map(|(truth, _)| truth));
    let (tasks, bad) = plan(args, &collector);
    if tasks.is_empty() {
        return Err(Failure::Reported);
    }
    if let Some(coco) = &args.coco {
        let given =
            [Some(&args.find.model), args.gt.as_ref(), args.find.names.as_ref()].into_iter().flatten();
        if given.chain(tasks.iter().map(|task| &task.path)).any(|path| same_file(path, coco)) {
            return Err(Failure::file(coco, "is one of the files given; choose another name for --coco"));
        }
    }
    let onnx = OnnxArgs { names: args.find.names.clone(), ..OnnxArgs::default() };
    let model = engine::load_model(&args.find.model, &onnx)?;
    if model.info().head.is_none() {
        return Err(Failure::file(&args.find.model, heads::missing(&model)));
    }
    let options = args.find.options(model.info())?;
    let classes = &model.info().classes;
    if !describe::has_names(classes) {
        warn("note: the model has no class names; give them with --names FILE, or import it with --names");
    }
    let rules = ClassRules::new(&args.find.rules, &Known::of_model(classes)).map_err(Failure::Bad)?;
    let unknown = collector.unknown_classes(classes);
    if !unknown.is_empty() && unknown.len() == classes.len() {
        return Err(Failure::Bad(format!(
            "--gt has no category for any class of the model ({}); give the names it uses with --names FILE",
            quoted(&unknown)
        )));
    }
    if !unknown.is_empty() {
        warn(&format!(
            "warning: --gt has no category for {}; their boxes are left out of --coco",
            quoted(&unknown)
        ));
    }
    let context = engine::open(device)?;
    let engine = Engine::new(&context, &model, &args.find, device, &rules, &options)?;
    let mut run = Run::new(args, &tasks, &model, collector, bad);
    let ended = run.all(&engine);
    let closed = run.close(&engine::adapter_name(&context));
    ended.and(closed)
}

/// The pictures to do, and how many were found bad already.
fn plan(args: &DetectArgs, collector: &Collector) -> (Vec<Task>, usize) {
    let mut bad = 0;
    let mut report = |failure: &Failure| {
        failure.report();
        bad += 1;
    };
    let mut paths = Vec::new();
    for found in images::collect(&args.inputs) {
        match found {
            Ok(path) => paths.push(path),
            Err(failure) => report(&failure),
        }
    }
    let borrowed: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let ids = collector.image_ids(&borrowed);
    let others = [Some(&args.find.model), args.gt.as_ref(), args.coco.as_ref()].into_iter().flatten();
    let given = paths.iter().chain(others).map(PathBuf::as_path);
    let extensions: &[&str] = if args.annotate { &["json", "png"] } else { &["json"] };
    let mut names = args.out.as_ref().map(|out| Names::new(out, extensions, given));
    let mut tasks = Vec::with_capacity(paths.len());
    for (path, id) in paths.iter().zip(ids) {
        match id {
            Ok(image_id) => {
                let base = names.as_mut().map(|names| names.next(path));
                tasks.push(Task { path: path.clone(), image_id, base });
            }
            Err(reason) => report(&Failure::file(path, reason)),
        }
    }
    (tasks, bad)
}

/// What a run has done so far.
struct Run<'a> {
    args: &'a DetectArgs,
    tasks: &'a [Task],
    model: &'a Model,
    collector: Collector,
    bar: ProgressBar,
    started: Instant,
    bad: usize,
    pictures: usize,
    tiles: u64,
    boxes: usize,
}

impl<'a> Run<'a> {
    fn new(
        args: &'a DetectArgs,
        tasks: &'a [Task],
        model: &'a Model,
        collector: Collector,
        bad: usize,
    ) -> Self {
        let bar = progress(tasks.len());
        Self {
            args,
            tasks,
            model,
            collector,
            bar,
            started: Instant::now(),
            bad,
            pictures: 0,
            tiles: 0,
            boxes: 0,
        }
    }

    fn all(&mut self, finder: &impl Finder) -> Outcome<()> {
        let options = DecodeOptions { max_pixels: self.args.max_pixels, orient: self.args.orient };
        let tasks = self.tasks;
        let paths: Vec<&Path> = tasks.iter().map(|task| task.path.as_path()).collect();
        pipeline::run(
            &paths,
            |path| images::decode(path, options),
            finder,
            |number, found| {
                self.bar.inc(1);
                match found.and_then(|found| self.finish(number, found)) {
                    Err(failure) if failure.is_final() => Err(failure),
                    Err(failure) => {
                        self.bad += 1;
                        self.bar.suspend(|| failure.report());
                        Ok(())
                    }
                    Ok(()) => Ok(()),
                }
            },
        )
    }

    /// Writes what was found in a picture.
    fn finish(&mut self, number: usize, found: Found) -> Outcome<()> {
        let Found { mut picture, detections } = found;
        let task = &self.tasks[number];
        let items = &detections.items;
        let labels: Vec<String> = items.iter().map(|item| self.model.label(item.class_id)).collect();
        let size = [picture.width(), picture.height()];
        let document = Document::new(task.path.display().to_string(), size, &detections, &labels);
        let text = serde_json::to_string(&document)
            .map_err(|e| Failure::Device(format!("{}: {e}", task.path.display())))?;
        if let Some(base) = &task.base {
            files::write_bytes(&with_extension(base, "json"), text.as_bytes())?;
            if self.args.annotate {
                annotate::draw(&mut picture, items, &labels)?;
                annotate::write_png(&with_extension(base, "png"), &picture)?;
            }
        }
        if self.args.json.is_some() {
            print_line(&text)?;
        }
        if self.args.coco.is_some() {
            self.collector.add(number, task.image_id, &task.path, items, &labels);
        }
        self.pictures += 1;
        self.tiles += u64::from(detections.stats.tiles);
        self.boxes += items.len();
        Ok(())
    }

    /// Writes what belongs to the run as a whole.
    fn close(&self, adapter: &str) -> Outcome<()> {
        self.bar.finish_and_clear();
        if let Some(path) = &self.args.coco {
            self.collector.write(path)?;
            let left_out = self.collector.left_out();
            if !left_out.is_empty() {
                warn(&format!("warning: boxes of {} were left out of {}", quoted(&left_out), path.display()));
            }
        }
        let summary = self.summary(adapter, self.started.elapsed());
        if self.args.json.is_some() {
            warn(&summary);
        } else {
            print_line(&summary)?;
        }
        if self.bad > 0 { Err(Failure::Reported) } else { Ok(()) }
    }

    fn summary(&self, adapter: &str, elapsed: Duration) -> String {
        let bad = if self.bad > 0 { format!(", {} not done", self.bad) } else { String::new() };
        format!(
            "{}, {}, {} in {:.2} s ({adapter}){bad}",
            count(self.pictures as u64, "picture", "pictures"),
            count(self.tiles, "tile", "tiles"),
            count(self.boxes as u64, "box", "boxes"),
            elapsed.as_secs_f64()
        )
    }
}
