//! `bench`: pictures a second by tile size.

use crate::args::{BenchArgs, DeviceArgs, OnnxArgs};
use crate::bench::{self, Layers, Measured, Patience, Report, Roofline, Row, Runs, measure};
use crate::classes::{ClassRules, Known};
use crate::engine::{self, Engine};
use crate::failure::{Failure, Outcome, print_line, warn};
use crate::images::{self, DecodeOptions};
use crate::names::same_file;
use crate::progress::progress;
use crate::scene::{self, SceneOptions, usual_objects};
use crate::tuning::Store;
use crate::{annotate, files, heads};
use image::RgbImage;
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tilehawk::geom::{GridOptions, MAX_IMAGE_SIDE, TileGrid, TileSize};
use tilehawk::gpu::Context;
use tilehawk::model::Model;
use tilehawk::wgpu::Features;
use tilehawk::{Ceilings, DetectOptions};

/// The files that are written to the folder of plots.
const PLOTS: [&str; 2] = ["throughput.svg", "throughput.png"];

/// Runs the command.
pub(crate) fn run(args: &BenchArgs, device: &DeviceArgs) -> Outcome<()> {
    check(args)?;
    check_outputs(args)?;
    let onnx = OnnxArgs { names: args.find.names.clone(), ..OnnxArgs::default() };
    let model = engine::load_model(&args.find.model, &onnx)?;
    if model.info().head.is_none() {
        return Err(Failure::file(&args.find.model, heads::missing(&model)));
    }
    let rules = ClassRules::new(&args.find.rules, &Known::of_model(&model.info().classes));
    let rules = rules.map_err(Failure::Bad)?;
    let mut options = args.find.options(model.info())?;
    // Pictures of a number of tiles have those alone, whatever the model recommends.
    options.grid.full_image &= args.tile_counts.is_empty();
    let (picture, tasks) = work(args, &options.grid)?;
    let context = engine::open(device)?;
    let tunings = Store::open(&context, device)?;
    let bench = Bench { args, device, context: &context, tunings, model, rules, options, picture, tasks };
    let report = bench.all()?;
    write(args, &report)?;
    if report.rows.iter().all(|row| row.outcome.is_err()) { Err(Failure::Reported) } else { Ok(()) }
}

/// Checks what needs no file.
fn check(args: &BenchArgs) -> Outcome<()> {
    args.find.check()?;
    let grid = &args.find.grid;
    let given = [("--tile", grid.tile.is_some()), ("--auto", grid.auto)];
    if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
        return Err(Failure::Bad(format!("{name} is not an option of bench; give --tile-sizes")));
    }
    if let Some(Some(tile)) = args.layers
        && !args.tile_sizes.contains(&tile)
    {
        return Err(Failure::Bad(format!("--layers={tile} is not among --tile-sizes; give one that is")));
    }
    if !args.tile_counts.is_empty() && args.tile_sizes.len() != 1 {
        return Err(Failure::Bad("--tile-counts goes with one tile size; give --tile-sizes N".to_owned()));
    }
    if !args.tile_counts.is_empty() && grid.full_image == Some(true) {
        return Err(Failure::Bad("--tile-counts counts tiles alone; leave out --full-image".to_owned()));
    }
    if is_stdout(args.json.as_deref()) && is_stdout(args.csv.as_deref()) {
        return Err(Failure::Bad(
            "--json - and --csv - both go to standard output; give one of them a file".to_owned(),
        ));
    }
    Ok(())
}

fn is_stdout(path: Option<&Path>) -> bool {
    path == Some(Path::new("-"))
}

/// Checks that what is to be written can be, and is none of the files given and no two are one.
fn check_outputs(args: &BenchArgs) -> Outcome<()> {
    if let Some(folder) = &args.plots {
        files::prepare_folder(folder)?;
    }
    let plots = args.plots.iter().flat_map(|folder| PLOTS.map(|name| folder.join(name)));
    let texts = [&args.json, &args.csv].into_iter().flatten().filter(|path| !is_stdout(Some(path))).cloned();
    let outputs: Vec<PathBuf> = texts.chain(plots).collect();
    let given = [Some(&args.find.model), args.find.names.as_ref(), args.image.as_ref()];
    for (place, path) in outputs.iter().enumerate() {
        files::check_writable(path)?;
        let mut others = given.into_iter().flatten().chain(&outputs[..place]);
        if others.any(|other| same_file(other, path)) {
            return Err(Failure::file(path, "is another file of this run; choose another name"));
        }
    }
    Ok(())
}

/// A tile size and the size of its picture.
type Task = (u32, [u32; 2]);

/// The picture of all tasks, and the tasks; none if each has its own.
fn work(args: &BenchArgs, grid: &GridOptions) -> Outcome<(Option<RgbImage>, Vec<Task>)> {
    if args.tile_counts.is_empty() {
        let picture = picture(args)?;
        let size = picture.dimensions().into();
        return Ok((Some(picture), args.tile_sizes.iter().map(|&tile| (tile, size)).collect()));
    }
    let tile = args.tile_sizes[0];
    let sized = |&count: &u32| Ok((tile, size_of_tiles(tile, count, grid)?));
    Ok((None, args.tile_counts.iter().map(sized).collect::<Outcome<_>>()?))
}

/// The picture given, or one that is drawn.
fn picture(args: &BenchArgs) -> Outcome<RgbImage> {
    let Some(path) = &args.image else { return Ok(drawn(args.size)) };
    files::check_readable(path)?;
    images::decode(path, DecodeOptions { max_pixels: images::MAX_PIXELS, orient: false })
}

fn drawn([width, height]: [u32; 2]) -> RgbImage {
    let objects = usual_objects([width, height]);
    scene::draw(SceneOptions { width, height, objects, seed: 1 }).canvas.to_rgb()
}

/// The size of a picture that is cut into `count` tiles, as square as their number allows.
fn size_of_tiles(tile: u32, count: u32, grid: &GridOptions) -> Outcome<[u32; 2]> {
    let rows = (1..=count.isqrt()).rev().find(|&rows| count.is_multiple_of(rows)).unwrap_or(1);
    let grid = GridOptions { tile: TileSize::square(tile), ..*grid };
    // Each side grows until the next pixel would need a tile more.
    let side = |tiles: u32, axis: usize| {
        let overlap = (f64::from(tile) * grid.overlap[axis]) as u32;
        u64::from(tile) + u64::from(tiles - 1) * u64::from(tile.saturating_sub(overlap).max(1))
    };
    let size = [side(count / rows, 0), side(rows, 1)];
    let [Ok(width), Ok(height)] = size.map(u32::try_from) else { return Err(too_large(tile, count)) };
    if u64::from(width) * u64::from(height) > images::MAX_PIXELS || width.max(height) > MAX_IMAGE_SIDE {
        return Err(too_large(tile, count));
    }
    let found = TileGrid::new(width, height, &grid)?.tiles.len();
    if found != count as usize {
        return Err(Failure::Bad(format!(
            "{count} tiles of {tile} at this overlap make {found}; give another overlap"
        )));
    }
    Ok([width, height])
}

fn too_large(tile: u32, count: u32) -> Failure {
    Failure::Bad(format!(
        "--tile-counts: {count} tiles of {tile} pixels make a picture that is too large; give fewer"
    ))
}

/// What is measured, and on what.
struct Bench<'a> {
    args: &'a BenchArgs,
    device: &'a DeviceArgs,
    context: &'a Context,
    tunings: Option<Arc<Store>>,
    model: Model,
    rules: ClassRules,
    options: DetectOptions,
    /// The picture of all tasks; none if each is drawn in its size.
    picture: Option<RgbImage>,
    tasks: Vec<Task>,
}

impl Bench<'_> {
    fn all(&self) -> Outcome<Report> {
        let (info, input) = (self.context.info(), &self.model.info().input);
        let needed = Features::TIMESTAMP_QUERY | Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        let timestamps = self.context.features().contains(needed);
        if !timestamps {
            warn(&format!("note: {} has no timestamps; the GPU's own times are left out", info.name));
        }
        let f16 = engine::precision(self.device).is_f16(self.context)?;
        let roofline = Roofline { ceilings: Ceilings::measure(self.context)?, f16 };
        let mut report = Report {
            device: info.name.clone(),
            backend: format!("{:?}", info.backend).to_lowercase(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            timestamps,
            matrices: self.context.matrix_side(),
            model: self.model.info().name.clone(),
            net: [input.width, input.height],
            size: self.picture.as_ref().map(|picture| picture.dimensions().into()),
            image: self.args.image.as_ref().map(|path| path.display().to_string()),
            overlap: self.options.grid.overlap,
            full_image: self.options.grid.full_image,
            in_flight: self.args.in_flight,
            roofline,
            flop: self.model.cost()?.flop,
            rows: Vec::new(),
            layers: None,
        };
        let patience = patience(self.args);
        let rounds = self.args.rounds as usize;
        let sets = rounds * self.tasks.len() + usize::from(self.args.layers.is_some());
        let bar = progress(sets * (patience.runs() + patience.warm_up()) as usize);
        let mut found: Vec<(Runs, Option<String>)> = self.tasks.iter().map(|_| Default::default()).collect();
        for _ in 0..rounds {
            for (&task, (runs, failed)) in self.tasks.iter().zip(&mut found) {
                if failed.is_some() {
                    continue;
                }
                match self.measure(task, self.args.in_flight, false, &bar) {
                    Ok(more) => runs.append(more),
                    Err(reason) => *failed = Some(reason),
                }
            }
        }
        for (&(tile, size), (runs, failed)) in self.tasks.iter().zip(found) {
            // What was measured before a failure stays.
            let outcome = measured(runs).map_err(|none| failed.unwrap_or(none));
            report.rows.push(Row { size, tile, outcome });
        }
        if let Some(tile) = self.args.layers {
            report.layers = self.layers(&report, tile.unwrap_or(self.tasks[0].0), &bar);
        }
        bar.finish_and_clear();
        Ok(report)
    }

    /// Measures a tile size. A failure is told at once: others may still work.
    fn measure(
        &self,
        (tile, size): Task,
        in_flight: u32,
        profile_layers: bool,
        bar: &ProgressBar,
    ) -> Result<Runs, String> {
        let grid = GridOptions { tile: TileSize::square(tile), ..self.options.grid };
        let options = DetectOptions { grid, ..self.options.clone() };
        let mut settings = engine::settings(&self.args.find, self.device);
        settings.profile_layers = profile_layers;
        let drawn = self.picture.is_none().then(|| drawn(size));
        let picture = self.picture.as_ref().or(drawn.as_ref()).ok_or("there is no picture")?;
        let engine = Engine::with(
            self.context,
            &self.model,
            &self.args.find.model,
            settings,
            self.tunings.clone(),
            &self.rules,
            &options,
        );
        let found = engine.and_then(|engine| measure(&engine, picture, patience(self.args), in_flight, bar));
        let reason = match found {
            Ok(found) => return Ok(found),
            Err(failure) => failure.message().unwrap_or("it failed").to_owned(),
        };
        let [width, height] = size;
        let of =
            if self.picture.is_none() { format!(", a picture of {width}x{height},") } else { String::new() };
        bar.suspend(|| warn(&format!("warning: tile size {tile}{of} is left out: {reason}")));
        Err(reason)
    }

    /// The layers at a tile size that was measured without them before.
    fn layers(&self, report: &Report, tile: u32, bar: &ProgressBar) -> Option<Layers> {
        let place = report.rows.iter().position(|row| row.tile == tile)?;
        let plain = report.rows[place].outcome.as_ref().ok()?;
        if !report.timestamps {
            bar.suspend(|| warn("warning: --layers needs timestamps, which the device does not have"));
            return None;
        }
        let timed = measured(self.measure(self.tasks[place], 1, true, bar).ok()?).ok()?;
        let some = timed.layers.first()?.iter().any(|time| time.tiles < timed.tiles);
        if some {
            bar.suspend(|| {
                warn("note: more layers and chunks than a query set tells apart; the first chunks are timed");
            });
        }
        Layers::new(&self.model, &timed.cost, report.roofline, tile, [plain, &timed])
    }
}

fn measured(runs: Runs) -> Result<Measured, String> {
    Measured::of(runs).ok_or_else(|| "no run was made".to_owned())
}

fn patience(args: &BenchArgs) -> Patience {
    Patience { rounds: args.rounds, runs: args.runs, warm_up: args.warm_up }
}

/// Writes and prints what was measured.
fn write(args: &BenchArgs, report: &Report) -> Outcome<()> {
    let patience = patience(args);
    let texts = [
        (args.json.as_deref(), bench::document(report, patience).to_string()),
        (args.csv.as_deref(), bench::csv(report)),
    ];
    for (path, text) in &texts {
        if let Some(path) = path.filter(|path| !is_stdout(Some(path))) {
            files::write_bytes(path, format!("{text}\n").as_bytes())?;
        }
    }
    if let Some(folder) = &args.plots
        && report.rows.iter().any(|row| row.outcome.is_ok())
    {
        files::write_bytes(&folder.join(PLOTS[0]), bench::svg(report)?.as_bytes())?;
        annotate::write_png(&folder.join(PLOTS[1]), &bench::png(report)?)?;
        warn(&format!("{}: {}", folder.display(), PLOTS.join(", ")));
    }
    match texts.iter().find(|(path, _)| is_stdout(*path)) {
        Some((_, text)) => print_line(text),
        None => print_line(&bench::tables(report, patience)),
    }
}
