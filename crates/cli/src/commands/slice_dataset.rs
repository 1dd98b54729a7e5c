//! `slice-dataset`: a COCO data set in, one of tiles out.

use crate::args::SliceDatasetArgs;
use crate::dataset;
use crate::failure::{Failure, Outcome, print_line, warn};
use crate::files;
use crate::names::same_file;
use crate::progress::{count, progress};
use crate::slicing::{self, Slicer, Task, Tile};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tilehawk_coco::{Annotation, Category, Dataset, ShapeFlaws, SlicedDataset, yolo_yaml};

/// Missing files that are named in a message.
const NAMED: usize = 3;

/// Runs the command.
pub(crate) fn run(args: &SliceDatasetArgs) -> Outcome<()> {
    let started = Instant::now();
    let dataset = dataset::load(&args.dataset)?;
    if dataset.images.is_empty() {
        return Err(Failure::file(&args.dataset, "`images` is empty; there is nothing to cut"));
    }
    let tasks = plan(args, &dataset)?;
    let json = prepare(args)?;
    let slicer = Slicer::new(args, &dataset.categories);
    let mut run = Run::new(args, &dataset.categories);
    let bar = progress(tasks.len());
    let ended = slicing::all(&tasks, &slicer, |number, done| {
        bar.inc(1);
        match done {
            Ok(picture) => run.add(number, picture),
            Err(failure) => {
                run.bad += 1;
                bar.suspend(|| failure.report());
            }
        }
    });
    bar.finish_and_clear();
    ended?;
    run.close(&json, started)
}

/// The pictures with their annotations, all of them there.
fn plan<'a>(args: &SliceDatasetArgs, dataset: &'a Dataset) -> Outcome<Vec<Task<'a>>> {
    let mut annotations: HashMap<u64, Vec<&Annotation>> = HashMap::new();
    for annotation in &dataset.annotations {
        annotations.entry(annotation.image_id).or_default().push(annotation);
    }
    let mut missing = Vec::new();
    let mut tasks = Vec::with_capacity(dataset.images.len());
    for (number, image) in dataset.images.iter().enumerate() {
        let Some(stem) = Path::new(&image.file_name).file_stem() else {
            let reason = format!("image {number}, id {}, has no `file_name`; give the picture's", image.id);
            return Err(Failure::file(&args.dataset, reason));
        };
        let path = args.images.join(&image.file_name);
        if path.is_file() {
            tasks.push(Task {
                stem: format!("{}_{number}", stem.to_string_lossy()),
                size: [image.width, image.height],
                annotations: annotations.remove(&image.id).unwrap_or_default(),
                path,
            });
        } else {
            missing.push(image.file_name.as_str());
        }
    }
    if !missing.is_empty() {
        let found = format!(
            "{} of {} pictures of {} are not there (first: {})",
            missing.len(),
            dataset.images.len(),
            args.dataset.display(),
            missing[..missing.len().min(NAMED)].join(", ")
        );
        if tasks.is_empty() || !args.skip_missing {
            let remedy = "give --images the folder that `file_name` starts from";
            let other = if tasks.is_empty() { "" } else { ", or --skip-missing to leave them out" };
            return Err(Failure::file(&args.images, format!("{found}; {remedy}{other}")));
        }
        warn(&format!("note: {}: {found}: left out", args.images.display()));
    }
    Ok(tasks)
}

/// Makes the folders; the path of the new data set.
fn prepare(args: &SliceDatasetArgs) -> Outcome<PathBuf> {
    files::prepare_new_folder(&args.out, args.force)?;
    let name = args.dataset.file_stem().unwrap_or(args.dataset.as_os_str());
    let json = args.out.join(format!("{}.json", name.to_string_lossy()));
    let tiles = args.out.join(slicing::IMAGES);
    if same_file(&json, &args.dataset) {
        return Err(Failure::file(&json, "is the data set given; choose another folder for --out"));
    }
    if same_file(&tiles, &args.images) {
        return Err(Failure::file(&tiles, "holds the pictures given; choose another folder for --out"));
    }
    files::prepare_folder(&tiles)?;
    if args.yolo {
        files::prepare_folder(&args.out.join(slicing::LABELS))?;
    }
    Ok(json)
}

/// What a run has done so far.
struct Run<'a> {
    args: &'a SliceDatasetArgs,
    categories: &'a [Category],
    tiles: Vec<(usize, Vec<Tile>)>,
    flaws: ShapeFlaws,
    negative: usize,
    bad: usize,
}

impl<'a> Run<'a> {
    fn new(args: &'a SliceDatasetArgs, categories: &'a [Category]) -> Self {
        Self { args, categories, tiles: Vec::new(), flaws: ShapeFlaws::default(), negative: 0, bad: 0 }
    }

    fn add(&mut self, number: usize, picture: slicing::Picture) {
        self.flaws = self.flaws.plus(picture.flaws);
        self.negative += picture.negative;
        self.tiles.push((number, picture.tiles));
    }

    /// Writes the data set, pictures in order, and says what was done.
    fn close(mut self, json: &Path, started: Instant) -> Outcome<()> {
        self.tiles.sort_by_key(|(number, _)| *number);
        let pictures = self.tiles.len();
        let mut sliced = SlicedDataset::new(self.categories.to_vec());
        let mut crowds = 0;
        for tile in self.tiles.into_iter().flat_map(|(_, tiles)| tiles) {
            crowds += tile.cuts.iter().filter(|cut| cut.is_region()).count();
            sliced.push(tile.file_name, tile.size, tile.cuts);
        }
        let text = serde_json::to_vec(&sliced).map_err(|e| Failure::file(json, e))?;
        files::write_bytes(json, &text)?;
        if self.args.yolo {
            let names: Vec<&str> = self.categories.iter().map(|category| category.name.as_str()).collect();
            let lines: String = names.iter().map(|name| name.replace(['\n', '\r'], " ") + "\n").collect();
            files::write_bytes(&self.args.out.join("classes.txt"), lines.as_bytes())?;
            files::write_bytes(&self.args.out.join("data.yaml"), yolo_yaml(&names).as_bytes())?;
        }
        self.flaws.lines().for_each(|line| warn(&format!("note: {}: {line}", self.args.dataset.display())));
        if self.args.yolo && crowds > 0 {
            warn(&format!(
                "note: {crowds} parts of crowds and ignored regions are not in the labels of YOLO"
            ));
        }
        let [tiles, annotations] = sliced.counts();
        let negative = match self.negative {
            0 => String::new(),
            left_out => format!(", {left_out} without any left out"),
        };
        let bad = if self.bad > 0 { format!(", {} not done", self.bad) } else { String::new() };
        print_line(&format!(
            "{}: {}, {} with {}{negative} in {:.2} s{bad}",
            json.display(),
            count(pictures as u64, "picture", "pictures"),
            count(tiles as u64, "tile", "tiles"),
            count(annotations as u64, "annotation", "annotations"),
            started.elapsed().as_secs_f64()
        ))?;
        if self.bad > 0 { Err(Failure::Reported) } else { Ok(()) }
    }
}
