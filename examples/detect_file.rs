//! Finds the objects of a picture: `cargo run --release --features onnx --example detect_file -- MODEL PICTURE [TILE]`.
//! MODEL is a model file, or an ONNX file that is imported on the way.

use std::error::Error;
use tilehawk::geom::{GridOptions, TileSize};
use tilehawk::gpu::{Context, ContextOptions};
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::Model;
use tilehawk::{DetectOptions, Detector, DetectorOptions, ImageView, PixelFormat};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, picture, rest @ ..] = arguments.as_slice() else {
        return Err("usage: detect_file MODEL PICTURE [TILE]".into());
    };
    let tile = rest.first().map_or(Ok(640), |text| text.parse())?;
    let model = match model.ends_with(".onnx") {
        true => import(&std::fs::read(model)?, &ImportOptions::default())?,
        false => Model::load(model)?,
    };
    let pixels = image::ImageReader::open(picture)?.with_guessed_format()?.decode()?.into_rgb8();

    let context = Context::new(&ContextOptions::default())?;
    let detector = Detector::new(&context, &model, DetectorOptions::default())?;
    let view = ImageView::new(pixels.width(), pixels.height(), PixelFormat::Rgb8, &pixels)?;
    let grid = GridOptions { tile: TileSize::square(tile), ..GridOptions::default() };
    let found = detector.detect(&view, &DetectOptions { grid, ..DetectOptions::default() })?;

    for item in &found.items {
        let [x0, y0, x1, y1] = item.rect.to_array();
        println!("{:<12} {:.3}  {x0:.1} {y0:.1} {x1:.1} {y1:.1}", model.label(item.class_id), item.score);
    }
    let stats = &found.stats;
    println!(
        "{}: {} boxes of {} candidates in {} tiles, {} submission, {} map",
        context.info().name,
        found.items.len(),
        stats.candidates,
        stats.tiles,
        stats.submissions,
        stats.maps
    );
    Ok(())
}
