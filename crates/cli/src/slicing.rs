//! Pictures of a data set cut to tiles, several pictures at once.

use crate::annotate::write_png;
use crate::args::{SliceDatasetArgs, TileFormat};
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::images::{self, DecodeOptions};
use image::RgbImage;
use image::imageops::crop_imm;
use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};
use std::collections::HashMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use tilehawk::geom::{GridOptions, TileGrid};
use tilehawk_coco::{Annotation, Category, Cut, Objects, ShapeFlaws, yolo_line};

/// Folder of the tiles in the output folder.
pub(crate) const IMAGES: &str = "images";
/// Folder of the labels of YOLO beside it, where YOLO looks for them.
pub(crate) const LABELS: &str = "labels";

/// A picture to cut.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    /// Its file.
    pub(crate) path: PathBuf,
    /// Start of the names of its tiles.
    pub(crate) stem: String,
    /// Width and height that the data set states; 0 if it does not.
    pub(crate) size: [u32; 2],
    /// Its objects in order.
    pub(crate) annotations: Vec<&'a Annotation>,
}

/// A tile that was written.
#[derive(Debug)]
pub(crate) struct Tile {
    /// Name of its file.
    pub(crate) file_name: String,
    /// Width and height.
    pub(crate) size: [u32; 2],
    /// Its objects.
    pub(crate) cuts: Vec<Cut>,
}

/// A picture that was cut.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    /// Its tiles in order.
    pub(crate) tiles: Vec<Tile>,
    /// Tiles left out for they have no annotations.
    pub(crate) negative: usize,
    /// What was amiss with its annotations.
    pub(crate) flaws: ShapeFlaws,
}

/// Cuts pictures, each into files of its own.
#[derive(Debug)]
pub(crate) struct Slicer<'a> {
    args: &'a SliceDatasetArgs,
    grid: GridOptions,
    /// Class of YOLO by category.
    classes: HashMap<u64, usize>,
}

impl<'a> Slicer<'a> {
    /// A slicer for pictures with objects of `categories`.
    pub(crate) fn new(args: &'a SliceDatasetArgs, categories: &[Category]) -> Self {
        let classes = categories.iter().enumerate().map(|(class, category)| (category.id, class)).collect();
        Self { args, grid: args.grid.options(&GridOptions::default()), classes }
    }

    /// Cuts a picture. The outer failure is of writing, and ends the run; the inner one is of the picture.
    fn cut(&self, task: &Task) -> Outcome<Outcome<Picture>> {
        let pixels = match self.decode(task) {
            Ok(pixels) => pixels,
            Err(failure) => return Ok(Err(failure)),
        };
        let grid = match TileGrid::new(pixels.width(), pixels.height(), &self.grid) {
            Ok(grid) => grid,
            Err(error) => return Ok(Err(Failure::from(error).at(&task.path))),
        };
        let objects = Objects::new(task.annotations.iter().copied());
        let mut picture = Picture { flaws: objects.flaws(), ..Picture::default() };
        for tile in &grid.tiles {
            let rect @ [x0, y0, x1, y1] = tile.rect.to_array();
            let cuts = objects.cut(rect, self.args.min_area_ratio);
            if cuts.is_empty() && self.args.ignore_negative {
                picture.negative += 1;
                continue;
            }
            let base = format!("{}_{x0}_{y0}_{x1}_{y1}", task.stem);
            let size = [x1 - x0, y1 - y0];
            let file_name = format!("{base}.{}", self.args.format.extension());
            let path = self.args.out.join(IMAGES).join(&file_name);
            let tile = crop_imm(&pixels, x0, y0, size[0], size[1]).to_image();
            match self.args.format {
                TileFormat::Png => write_png(&path, &tile)?,
                TileFormat::Jpg => match self.jpeg(&tile) {
                    Ok(bytes) => files::write_bytes(&path, &bytes)?,
                    Err(reason) => return Ok(Err(Failure::file(&task.path, reason))),
                },
            }
            if self.args.yolo {
                let path = self.args.out.join(LABELS).join(format!("{base}.txt"));
                files::write_bytes(&path, self.labels(&cuts, size).as_bytes())?;
            }
            picture.tiles.push(Tile { file_name, size, cuts });
        }
        Ok(Ok(picture))
    }

    /// The pixels of a picture, of the size that the data set states.
    fn decode(&self, task: &Task) -> Outcome<RgbImage> {
        let options = DecodeOptions { max_pixels: self.args.max_pixels, orient: self.args.orient };
        let pixels = images::decode(&task.path, options)?;
        let found @ [width, height] = [pixels.width(), pixels.height()];
        if task.size.contains(&0) || task.size == found {
            return Ok(pixels);
        }
        let [stated_width, stated_height] = task.size;
        let remedy = match (task.size == [height, width], self.args.orient) {
            (true, false) => "it may be turned by EXIF: try --orient, or mend the data set",
            (true, true) => "it may be turned by EXIF: try without --orient, or mend the data set",
            (false, _) => "mend the data set, or give the pictures that it was made from",
        };
        Err(Failure::file(
            &task.path,
            format!(
                "has {width}x{height} pixels, the data set says {stated_width}x{stated_height}; {remedy}"
            ),
        ))
    }

    fn jpeg(&self, tile: &RgbImage) -> Result<Vec<u8>, String> {
        let [width, height] = [tile.width(), tile.height()].map(|side| side as usize);
        let quality = self.args.quality;
        compress(tile.as_raw(), width, height, PixelFormat::Rgb, quality, Subsampling::S420).map_err(|e| {
            format!("a tile of {width}x{height} cannot be made a JPEG: {e}; give --format png, or a smaller --tile")
        })
    }

    /// Lines of YOLO. Regions to be ignored have no place in it.
    fn labels(&self, cuts: &[Cut], size: [u32; 2]) -> String {
        let objects = cuts.iter().filter(|cut| !cut.is_region());
        let lines = objects.filter_map(|cut| {
            let class = self.classes.get(&cut.category_id)?;
            Some(yolo_line(*class, cut.bbox, size) + "\n")
        });
        lines.collect()
    }
}

/// Cuts all pictures and hands each or its failure to `finish`, with its place in the list, in no order.
pub(crate) fn all(
    tasks: &[Task],
    slicer: &Slicer,
    mut finish: impl FnMut(usize, Outcome<Picture>),
) -> Outcome<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..workers(tasks) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(number) else { return };
                    // A fault in a codec must not take the other pictures along.
                    let done = catch_unwind(AssertUnwindSafe(|| slicer.cut(task))).unwrap_or_else(|_| {
                        Ok(Err(Failure::file(
                            &task.path,
                            "a codec failed on it; convert it to PNG, or give --format png",
                        )))
                    });
                    if sender.send((number, done)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // When this returns early the threads find that nobody listens.
        receiver.into_iter().try_for_each(|(number, done)| {
            finish(number, done?);
            Ok(())
        })
    })
}

/// How many pictures may be worked on at once: as many as there are cores, while the largest fit into 4 GiB.
fn workers(tasks: &[Task]) -> usize {
    const MEMORY: u64 = 1 << 32;
    let pixels = |[width, height]: [u32; 2]| match u64::from(width) * u64::from(height) {
        0 => images::MAX_PIXELS,
        stated => stated,
    };
    let largest = tasks.iter().map(|task| pixels(task.size)).max().unwrap_or(1);
    let fitting =
        usize::try_from(MEMORY / largest.saturating_mul(images::BYTES_PER_PIXEL)).unwrap_or(usize::MAX);
    thread::available_parallelism().map_or(1, NonZero::get).min(fitting.max(1)).min(tasks.len())
}
