//! Class thresholds and excluded classes on a real picture, against filters of all its candidates on the CPU.

mod common;

use common::{context, shared};
use tilehawk::geom::{Edges, GridOptions, TileSize};
use tilehawk::gpu::Context;
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::{
    DetectOptions, Detection, Detector, DetectorOptions, ErrorKind, ImageView, MergeBox, MergeOptions,
    PixelFormat, Precision, merge_boxes,
};

const CAR: u32 = 2;

struct Setup {
    context: Context,
    detector: Detector,
    pixels: Vec<u8>,
}

const SIZE: [usize; 2] = [1700, 416];

/// A model and a part of a picture with cars, trucks and people.
fn setup() -> Option<Setup> {
    let context = context()?;
    let classes = String::from_utf8(shared("models/coco.names")?).expect("text");
    let options = ImportOptions {
        classes: Some(classes.lines().map(str::to_owned).collect()),
        ..ImportOptions::default()
    };
    let model = import(&shared("models/yolox_nano_416.onnx")?, &options).expect("imports");
    assert_eq!(model.label(CAR), "car");
    let image =
        libjpeg_turbo_rs::decompress_to(&shared("images/DJI_0028.JPG")?, libjpeg_turbo_rs::PixelFormat::Rgb)
            .expect("decodes");
    let rows = image.data.chunks_exact(image.width * 3).skip(1300).take(SIZE[1]);
    let pixels = rows.flat_map(|row| row[1300 * 3..(1300 + SIZE[0]) * 3].iter().copied()).collect();
    let options = DetectorOptions { precision: Precision::F32, ..DetectorOptions::default() };
    let detector = Detector::new(&context, &model, options).expect("fits");
    Some(Setup { context, detector, pixels })
}

fn options() -> DetectOptions {
    let grid = GridOptions { tile: TileSize::square(416), ..GridOptions::default() };
    DetectOptions { grid, confidence: 0.3, ..DetectOptions::default() }
}

impl Setup {
    fn view(&self) -> ImageView<'_> {
        let [width, height] = SIZE.map(|side| u32::try_from(side).expect("small"));
        ImageView::new(width, height, PixelFormat::Rgb8, &self.pixels).expect("a sound picture")
    }

    fn detect(&self, options: &DetectOptions) -> Vec<Detection> {
        self.detector.detect(&self.view(), options).expect("detects").items
    }
}

fn filtered(items: &[Detection], keep: impl Fn(&Detection) -> bool) -> Vec<Detection> {
    items.iter().filter(|d| keep(d)).copied().collect()
}

#[test]
fn thresholds_and_exclusions_touch_only_their_classes() {
    let Some(setup) = setup() else { return };
    // Classes are merged apart, and a higher threshold leaves the best boxes of a class as they were.
    let low = setup.detect(&DetectOptions { confidence: 0.1, ..options() });
    let base = setup.detect(&options());
    let of = |items: &[Detection], class: u32| items.iter().filter(|d| d.class_id == class).count();
    assert_eq!(base, filtered(&low, |d| d.score >= 0.3));
    assert!(of(&base, CAR) > 10 && of(&low, CAR) > of(&base, CAR) && base.len() > of(&base, CAR) + 3);

    let high = setup.detect(&DetectOptions { class_confidence: vec![(CAR, 0.99)], ..options() });
    assert_eq!(high, filtered(&base, |d| d.class_id != CAR));
    let some = setup.detect(&DetectOptions { class_confidence: vec![(CAR, 0.5)], ..options() });
    assert_eq!(some, filtered(&base, |d| d.class_id != CAR || d.score >= 0.5));
    assert!(of(&some, CAR) > 3 && of(&some, CAR) < of(&base, CAR));
    let lower = setup.detect(&DetectOptions { class_confidence: vec![(CAR, 0.9), (CAR, 0.1)], ..options() });
    assert_eq!(lower, filtered(&low, |d| d.score >= if d.class_id == CAR { 0.1 } else { 0.3 }));
    let excluded = DetectOptions { excluded_classes: vec![CAR], ..options() };
    assert_eq!(setup.detect(&excluded), filtered(&base, |d| d.class_id != CAR));
    // The recordings of the last options are not kept.
    assert_eq!(setup.detect(&options()), base);
    println!("{} boxes, {} of them cars; {} with a low threshold", base.len(), of(&base, CAR), low.len());
}

/// Across classes cars suppress other boxes, so that leaving them out before and after the merge differ.
#[test]
fn exclusion_comes_before_the_merge() {
    let Some(setup) = setup() else { return };
    let mut every = options();
    every.confidence = 0.05;
    every.merge.threshold = 1.0;
    let candidates = setup.detector.detect(&setup.view(), &every).expect("detects");
    assert_eq!(candidates.stats.candidates as usize, candidates.items.len(), "some are suppressed");
    let mut merge = MergeOptions::default();
    merge.class_agnostic = true;
    let merged = |keep: &dyn Fn(&Detection) -> bool| -> Vec<Detection> {
        let boxes: Vec<MergeBox> = filtered(&candidates.items, keep)
            .iter()
            .map(|d| MergeBox { rect: d.rect, score: d.score, class_id: d.class_id, edges: Edges::NONE })
            .collect();
        let merged = merge_boxes(&setup.context, &boxes, &merge).expect("merges");
        merged
            .boxes
            .iter()
            .map(|b| Detection { rect: b.rect, score: b.score, class_id: b.class_id })
            .collect()
    };
    let with = DetectOptions { merge, confidence: 0.05, ..options() };
    let base = setup.detect(&with);
    assert_eq!(base, merged(&|_| true));
    let before = setup.detect(&DetectOptions { excluded_classes: vec![CAR], ..with });
    assert_eq!(before, merged(&|d| d.class_id != CAR));
    let after = filtered(&base, |d| d.class_id != CAR);
    assert!(
        before.len() > after.len(),
        "{} and {}: nothing was suppressed by cars",
        before.len(),
        after.len()
    );
    println!("{} candidates; {} boxes without cars, {}", candidates.items.len(), before.len(), after.len());
}

#[test]
fn unknown_classes_are_errors() {
    let Some(setup) = setup() else { return };
    for bad in [
        DetectOptions { class_confidence: vec![(80, 0.5)], ..options() },
        DetectOptions { excluded_classes: vec![1, 80], ..options() },
    ] {
        let error = setup.detector.detect(&setup.view(), &bad).expect_err("no such class");
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("class 80") && error.to_string().contains("has 80"), "{error}");
    }
    for confidence in [-0.1, 1.1, f32::NAN] {
        let bad = DetectOptions { class_confidence: vec![(0, confidence)], ..options() };
        let error = setup.detector.detect(&setup.view(), &bad).expect_err("out of range");
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    }
}
