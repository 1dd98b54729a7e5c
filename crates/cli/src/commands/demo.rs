//! `demo`: a picture with known objects, drawn, searched and judged.

use crate::args::{DemoArgs, DeviceArgs, OnnxArgs};
use crate::classes::{ClassRules, Known, quoted};
use crate::demo::{self, Judged, Ran};
use crate::engine::{self, Detections, Engine, Finder};
use crate::failure::{Failure, Outcome, print_line, warn};
use crate::json::Document;
use crate::names::same_file;
use crate::progress::count;
use crate::scene::{self, Class, Scene, SceneOptions};
use crate::{annotate, files, heads};
use image::ExtendedColorType;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tilehawk::geom::TileGrid;
use tilehawk::model::Model;

/// The files that are written to OUT.
const NAMES: [&str; 4] = ["scene.png", "scene.json", "detections.json", "annotated.png"];

/// Runs the command.
pub(crate) fn run(args: &DemoArgs, device: &DeviceArgs) -> Outcome<()> {
    let model = load(args)?;
    let known = &model.info().classes;
    let rules = ClassRules::new(&args.find.rules, &Known::of_model(known)).map_err(Failure::Bad)?;
    let options = args.find.options(model.info())?;
    TileGrid::new(args.size[0], args.size[1], &options.grid)?;
    let paths = prepare(args)?;
    let context = engine::open(device)?;
    let engine = Engine::new(&context, &model, &args.find, device, &rules, &options)?;
    let asked =
        SceneOptions { width: args.size[0], height: args.size[1], objects: args.objects(), seed: args.seed };
    let scene = draw(asked, &paths, known)?;
    let mut picture = scene.canvas.to_rgb();
    let started = Instant::now();
    let found = engine.find(&picture)?;
    let elapsed = started.elapsed();
    let labels: Vec<String> = found.items.iter().map(|item| model.label(item.class_id)).collect();
    write_found(&paths, args.size, &found, &labels)?;
    let judged = Judged::new(&scene, &found.items, &labels);
    annotate::draw_marks(&mut picture, &demo::marks(&scene, &found.items, &labels, &judged))?;
    annotate::write_png(&paths[3], &picture)?;
    let adapter = engine::adapter_name(&context);
    let (model, tiles) = (&model.info().name, found.stats.tiles);
    report(args, &judged, &Ran { scene: asked, model, tiles, elapsed, adapter: &adapter })
}

/// The model, if it finds any of the classes that are drawn.
fn load(args: &DemoArgs) -> Outcome<Model> {
    let path = &args.find.model;
    let onnx = OnnxArgs { names: args.find.names.clone(), ..OnnxArgs::default() };
    let model = engine::load_model(path, &onnx)?;
    if model.info().head.is_none() {
        return Err(Failure::file(path, heads::missing(&model)));
    }
    let known: Vec<&str> = model.info().classes.iter().map(String::as_str).collect();
    let drawn = Class::ALL.map(Class::name);
    if !known.iter().any(|name| drawn.iter().any(|class| class.eq_ignore_ascii_case(name))) {
        let reason = format!(
            "finds none of the classes that are drawn, {}; its own are {}; give another --model, or its class \
             names with --names",
            quoted(&drawn),
            quoted(&known)
        );
        return Err(Failure::file(path, reason));
    }
    Ok(model)
}

/// Makes the folder; the paths of [`NAMES`].
fn prepare(args: &DemoArgs) -> Outcome<[PathBuf; 4]> {
    files::prepare_new_folder(&args.out, args.force)?;
    let paths = NAMES.map(|name| args.out.join(name));
    let given = [Some(&args.find.model), args.find.names.as_ref()].into_iter().flatten();
    if let Some(path) = given.into_iter().find(|given| paths.iter().any(|path| same_file(path, given))) {
        return Err(Failure::file(path, "would be overwritten; choose another folder for -o"));
    }
    if let Some(json) = args.json.as_deref().filter(|path| *path != Path::new("-")) {
        files::check_writable(json)?;
        let others = [Some(&args.find.model), args.find.names.as_ref()].into_iter().flatten();
        if paths.iter().chain(others).any(|path| same_file(path, json)) {
            return Err(Failure::file(json, "is another file of this run; choose another name for --json"));
        }
    }
    Ok(paths)
}

/// Draws the scene and writes it with its objects.
fn draw(asked: SceneOptions, paths: &[PathBuf; 4], known: &[String]) -> Outcome<Scene> {
    let scene = scene::draw(asked);
    let size = (asked.width, asked.height);
    annotate::write_pixels(&paths[0], &scene.canvas.pixels, size, ExtendedColorType::L8)?;
    let truth = demo::truth(&scene, asked, NAMES[0], known);
    files::write_bytes(&paths[1], &truth.to_json()?)?;
    let placed = scene.objects.len();
    if placed < asked.objects as usize {
        let wanted = asked.objects;
        warn(&format!("note: there is room for {placed} of {wanted} objects; a larger --size holds more"));
    }
    warn(&format!(
        "{}: {}x{} pixels, {}, seed {}",
        paths[0].display(),
        asked.width,
        asked.height,
        count(placed as u64, "object", "objects"),
        asked.seed
    ));
    Ok(scene)
}

/// Writes the boxes as `detect` does.
fn write_found(paths: &[PathBuf; 4], size: [u32; 2], found: &Detections, labels: &[String]) -> Outcome<()> {
    let document = Document::new(paths[0].display().to_string(), size, found, labels);
    let text = serde_json::to_vec(&document).map_err(|e| Failure::file(&paths[2], e))?;
    files::write_bytes(&paths[2], &text)
}

/// Prints the numbers, or writes them where `--json` says.
fn report(args: &DemoArgs, judged: &Judged, ran: &Ran<'_>) -> Outcome<()> {
    let document = demo::document(judged, ran).to_string();
    match args.json.as_deref() {
        Some(path) if path == Path::new("-") => return print_line(&document),
        Some(path) => files::write_bytes(path, format!("{document}\n").as_bytes())?,
        None => {}
    }
    print_line(&format!(
        "{}\n{} in {:.2} s with {} ({})\n{}: right boxes in the colours of their classes, false ones red, missed \
         objects yellow",
        demo::table(judged),
        count(u64::from(ran.tiles), "tile", "tiles"),
        ran.elapsed.as_secs_f64(),
        ran.model,
        ran.adapter,
        args.out.join(NAMES[3]).display()
    ))
}
