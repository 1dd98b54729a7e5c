//! Real pictures through the whole pipeline against SAHI with ONNX Runtime, and what must not change the result.

mod common;

use common::{context, shared};
use libjpeg_turbo_rs::decompress_to;
use serde::Deserialize;
use tilehawk::geom::{GridOptions, Metric, RectPx, TileSize};
use tilehawk::gpu::{Context, ContextOptions};
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::Model;
use tilehawk::{
    Algorithm, DetectOptions, Detection, Detections, Detector, DetectorOptions, ErrorKind, ImageView,
    MergeOptions, PixelFormat, Precision, Stats,
};

#[derive(Deserialize)]
struct Case {
    image: String,
    model: String,
    tile: u32,
    overlap: f64,
    full_image: bool,
    confidence: f32,
    merge: String,
    metric: Metric,
    merge_threshold: f32,
    class_agnostic: bool,
}

#[derive(Deserialize)]
struct Reference {
    case: Case,
    tiles: u32,
    candidates: Vec<[f64; 6]>,
    detections: Vec<[f64; 6]>,
}

struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    fn view(&self) -> ImageView<'_> {
        ImageView::new(self.width, self.height, PixelFormat::Rgb8, &self.pixels).expect("a sound picture")
    }
}

fn picture(name: &str) -> Option<Picture> {
    // The reference's pixels are libjpeg-turbo's: other decoders differ by up to 4 of 255, and scores with them.
    let image = decompress_to(&shared(name)?, libjpeg_turbo_rs::PixelFormat::Rgb).expect("decodes");
    let side = |side: usize| u32::try_from(side).expect("small");
    Some(Picture { width: side(image.width), height: side(image.height), pixels: image.data })
}

fn model(name: &str) -> Option<Model> {
    let classes = String::from_utf8(shared("models/coco.names")?).expect("text");
    let options = ImportOptions {
        classes: Some(classes.lines().map(str::to_owned).collect()),
        ..ImportOptions::default()
    };
    Some(import(&shared(name)?, &options).expect("imports"))
}

fn reference(name: &str) -> Option<Reference> {
    let text = shared(&format!("conformance/end_to_end/{name}.json"))?;
    Some(serde_json::from_slice(&text).expect("a case"))
}

fn options(case: &Case) -> DetectOptions {
    let mut merge = MergeOptions::default();
    merge.algorithm = match case.merge.as_str() {
        "nms" => Algorithm::Nms,
        "greedy_nmm" => Algorithm::GreedyNmm,
        "nmm" => Algorithm::Nmm,
        other => unreachable!("algorithm {other}"),
    };
    merge.metric = case.metric;
    merge.threshold = case.merge_threshold;
    merge.class_agnostic = case.class_agnostic;
    DetectOptions {
        grid: GridOptions {
            tile: TileSize::square(case.tile),
            overlap: [case.overlap; 2],
            full_image: case.full_image,
        },
        confidence: case.confidence,
        merge,
        ..DetectOptions::default()
    }
}

fn f32_options() -> DetectorOptions {
    DetectorOptions { precision: Precision::F32, ..DetectorOptions::default() }
}

#[expect(clippy::cast_possible_truncation, reason = "pixels")]
fn rect(row: &[f64; 6]) -> RectPx {
    RectPx::new(row[0] as f32, row[1] as f32, row[2] as f32, row[3] as f32)
}

/// Scores and overlaps this near to a threshold may fall on either side of it.
const MARGIN: f64 = 1e-3;

/// Whether a box may be missing or extra: its score, or its overlap with a candidate, lies at a threshold.
fn is_marginal(row: &[f64; 6], reference: &Reference) -> bool {
    let case = &reference.case;
    if (row[4] - f64::from(case.confidence)).abs() <= MARGIN {
        return true;
    }
    reference.candidates.iter().any(|other| {
        let same = case.class_agnostic || other[5] == row[5];
        let overlap = f64::from(case.metric.of(&rect(row), &rect(other)));
        same && (overlap - f64::from(case.merge_threshold)).abs() <= MARGIN
    })
}

/// Matches detections one to one; returns the number matched exactly and the worst score difference.
fn matched(found: &[Detection], reference: &Reference) -> Result<(usize, f64), String> {
    let mut free: Vec<&Detection> = found.iter().collect();
    let mut worst: f64 = 0.0;
    let mut count = 0;
    for row in &reference.detections {
        let place = free.iter().position(|d| {
            f64::from(d.class_id) == row[5]
                && Metric::Iou.of(&d.rect, &rect(row)) >= 0.99
                && (f64::from(d.score) - row[4]).abs() <= 2e-3
        });
        match place {
            Some(place) => {
                worst = worst.max((f64::from(free[place].score) - row[4]).abs());
                free.remove(place);
                count += 1;
            }
            None if is_marginal(row, reference) => println!("marginal: {row:?} is not there"),
            None => return Err(format!("{row:?} is not found")),
        }
    }
    for extra in free {
        let [x0, y0, x1, y1] = extra.rect.to_array().map(f64::from);
        let row = [x0, y0, x1, y1, f64::from(extra.score), f64::from(extra.class_id)];
        if !is_marginal(&row, reference) {
            return Err(format!("{row:?} is extra"));
        }
        println!("marginal: {row:?} is extra");
    }
    Ok((count, worst))
}

struct Setup {
    context: Context,
    model: Model,
    picture: Picture,
    reference: Reference,
}

fn setup(name: &str) -> Option<Setup> {
    let context = context()?;
    let reference = reference(name)?;
    let strip = |path: &str| path.trim_start_matches("../").to_owned();
    Some(Setup {
        context,
        model: model(&strip(&reference.case.model))?,
        picture: picture(&strip(&reference.case.image))?,
        reference,
    })
}

fn detect(setup: &Setup, detector: DetectorOptions) -> Detections {
    let detector = Detector::new(&setup.context, &setup.model, detector).expect("fits");
    detector.detect(&setup.picture.view(), &options(&setup.reference.case)).expect("detects")
}

fn check_case(name: &str) {
    let Some(setup) = setup(name) else { return };
    let found = detect(&setup, f32_options());
    println!("{:?}", found.stats);
    let (count, worst) = matched(&found.items, &setup.reference).expect("equal");
    println!(
        "{name}: {count} of {} detections matched, worst score difference {worst:.2e}; {} candidates, reference {}",
        setup.reference.detections.len(),
        found.stats.candidates,
        setup.reference.candidates.len()
    );
    assert_eq!(found.stats.tiles, setup.reference.tiles);
    assert_eq!((found.stats.submissions, found.stats.maps), (1, 1));
    assert!(found.stats.gpu_bytes < 1 << 30, "{} bytes", found.stats.gpu_bytes);
}

#[test]
fn nms_case_equals_the_reference() {
    check_case("dji_0028_yolox_416_nms");
}

#[test]
fn greedy_merging_with_the_full_image_equals_the_reference() {
    check_case("dji_0028_yolox_640_greedy_nmm_full");
}

#[test]
fn greedy_merging_of_a_small_picture_equals_the_reference() {
    check_case("small_vehicles_yolox_256_greedy_nmm_full");
}

#[test]
fn transitive_merging_equals_the_reference() {
    check_case("dji_0028_yolox_300_nmm");
}

#[test]
fn the_matcher_can_fail() {
    let Some(reference) = reference("dji_0028_yolox_416_nms") else { return };
    let good: Vec<Detection> = reference
        .detections
        .iter()
        .map(|row| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let (score, class_id) = (row[4] as f32, row[5] as u32);
            Detection { rect: rect(row), score, class_id }
        })
        .collect();
    assert!(matched(&good, &reference).is_ok());
    assert!(matched(&good[1..], &reference).is_err());
    let mut extra = good.clone();
    extra.push(good[0]);
    assert!(matched(&extra, &reference).is_err());
    let mut other = good.clone();
    other[0].class_id += 1;
    assert!(matched(&other, &reference).is_err());
    let mut score = good;
    score[0].score -= 0.01;
    assert!(matched(&score, &reference).is_err());
}

fn bytes(items: &[Detection]) -> Vec<u32> {
    items
        .iter()
        .flat_map(|d| d.rect.to_array().map(f32::to_bits).into_iter().chain([d.score.to_bits(), d.class_id]))
        .collect()
}

/// A part of the picture: a whole one takes seconds on a software driver.
fn part(picture: &Picture, [x, y, width, height]: [usize; 4]) -> Picture {
    let stride = picture.width as usize * 3;
    let rows = (y..y + height).flat_map(|row| {
        let start = row * stride + x * 3;
        picture.pixels[start..start + width * 3].iter().copied()
    });
    Picture { width: width as u32, height: height as u32, pixels: rows.collect() }
}

#[test]
fn batches_bands_splits_and_repeats_do_not_change_a_byte() {
    let Some(mut setup) = setup("dji_0028_yolox_416_nms") else { return };
    setup.picture = part(&setup.picture, [1300, 1300, 1700, 416]);
    let first = detect(&setup, f32_options());
    assert_eq!(first.stats.tiles, 5);
    assert!(first.items.len() > 5, "{} boxes are too few to tell", first.items.len());
    let expected = bytes(&first.items);
    let variants = [
        DetectorOptions { batch: Some(1), ..f32_options() },
        DetectorOptions { batch: Some(3), ..f32_options() },
        DetectorOptions { candidate_capacity: 1, ..f32_options() },
        DetectorOptions { readback_boxes: 1, ..f32_options() },
        DetectorOptions { max_band_bytes: Some(200_000), ..f32_options() },
    ];
    for options in variants {
        let found = detect(&setup, options.clone());
        assert_eq!(bytes(&found.items), expected, "{options:?}");
        assert!(
            found.stats.submissions == 1 || found.stats.runs > 1 || options.readback_boxes == 1,
            "{options:?} {:?}",
            found.stats
        );
    }
    let split = detect(&setup, DetectorOptions { tiles_per_submission: Some(2), ..f32_options() });
    assert_eq!(bytes(&split.items), expected);
    assert_eq!((split.stats.submissions, split.stats.maps), (split.stats.chunks, 1));
}

#[test]
fn twenty_runs_give_the_same_bytes() {
    let Some(mut setup) = setup("dji_0028_yolox_416_nms") else { return };
    setup.picture = part(&setup.picture, [1500, 1300, 416, 416]);
    let detector = Detector::new(&setup.context, &setup.model, f32_options()).expect("fits");
    let options = options(&setup.reference.case);
    let first = detector.detect(&setup.picture.view(), &options).expect("detects");
    for _ in 1..20 {
        let again = detector.detect(&setup.picture.view(), &options).expect("detects");
        assert_eq!(bytes(&again.items), bytes(&first.items));
        assert_eq!((again.stats.submissions, again.stats.maps), (1, 1));
    }
}

#[test]
fn pictures_in_flight_keep_their_results_apart() {
    let Some(setup) = setup("dji_0028_yolox_416_nms") else { return };
    let left = part(&setup.picture, [1500, 1200, 416, 416]);
    let right = part(&setup.picture, [1700, 1400, 500, 416]);
    let detector = Detector::new(&setup.context, &setup.model, f32_options()).expect("fits");
    let options = options(&setup.reference.case);
    let alone = [&left, &right].map(|p| detector.detect(&p.view(), &options).expect("detects"));
    let (a, b) = (left.view(), right.view());
    let first = detector.submit(&a, &options).expect("sent");
    let second = detector.submit(&b, &options).expect("sent");
    let third = detector.submit(&a, &options).expect("sent");
    assert_eq!(bytes(&pollster::block_on(third).expect("detects").items), bytes(&alone[0].items));
    assert_eq!(bytes(&second.wait().expect("detects").items), bytes(&alone[1].items));
    assert_eq!(bytes(&first.wait().expect("detects").items), bytes(&alone[0].items));
}

#[test]
fn default_limits_suffice() {
    let Some(mut setup) = setup("dji_0028_yolox_416_nms") else { return };
    setup.picture = part(&setup.picture, [1500, 1200, 600, 500]);
    let expected = bytes(&detect(&setup, f32_options()).items);
    let options = ContextOptions { default_limits: true, ..ContextOptions::default() };
    setup.context = Context::new(&options).expect("a device");
    assert!(setup.context.features().is_empty());
    assert_eq!(setup.context.limits().max_storage_buffer_binding_size, 128 << 20);
    assert_eq!(bytes(&detect(&setup, f32_options()).items), expected);
}

#[test]
fn shaders_without_checks_give_the_same_bytes() {
    let Some(mut setup) = setup("dji_0028_yolox_416_nms") else { return };
    setup.picture = part(&setup.picture, [1500, 1200, 600, 500]);
    let expected = bytes(&detect(&setup, f32_options()).items);
    setup.context = setup.context.without_shader_checks();
    assert_eq!(bytes(&detect(&setup, f32_options()).items), expected);
}

#[test]
fn steps_in_one_dispatch_give_the_same_bytes() {
    let Some(setup) = setup("dji_0028_yolox_416_nms") else { return };
    let picture = part(&setup.picture, [1500, 1200, 600, 500]);
    let nano = Model::load(common::root().join("weights/thermal-nano.safetensors")).expect("a model");
    let Some(nanodet) = model("models/nanodet_plus_m_416.onnx") else { return };
    let options = DetectOptions { confidence: 0.02, ..options(&setup.reference.case) };
    for model in [nano, nanodet] {
        let detect = |fused, detector: DetectorOptions| {
            let detector = Detector::new(&setup.context.with_fusion(fused), &model, detector).expect("fits");
            bytes(&detector.detect(&picture.view(), &options).expect("detects").items)
        };
        let expected = detect(false, f32_options());
        assert!(expected.len() > 6 * 10, "{} numbers are too few to tell", expected.len());
        assert_eq!(detect(true, f32_options()), expected);
        assert_eq!(detect(true, DetectorOptions { batch: Some(1), ..f32_options() }), expected);
        assert_eq!(
            detect(true, DetectorOptions { max_band_bytes: Some(200_000), ..f32_options() }),
            expected
        );
    }
}

/// 16-bit storage: what changes in a detection, not in a logit.
#[test]
fn f16_finds_the_same_objects() {
    let Some(mut setup) = setup("dji_0028_yolox_416_nms") else { return };
    if !setup.context.has_f16() {
        eprintln!("skipped: {} has no f16", setup.context.info().name);
        return;
    }
    setup.picture = part(&setup.picture, [1300, 1300, 1700, 416]);
    let single = detect(&setup, f32_options()).items;
    let half = detect(&setup, DetectorOptions { precision: Precision::F16, ..f32_options() }).items;
    let confidence = setup.reference.case.confidence;
    let mut worst: f32 = 0.0;
    for (these, those) in [(&single, &half), (&half, &single)] {
        for item in these {
            let twin = those.iter().filter(|other| other.class_id == item.class_id).max_by(|a, b| {
                Metric::Iou.of(&a.rect, &item.rect).total_cmp(&Metric::Iou.of(&b.rect, &item.rect))
            });
            let Some(twin) = twin.filter(|twin| Metric::Iou.of(&twin.rect, &item.rect) > 0.9) else {
                assert!(item.score < confidence + 0.02, "{item:?} has no twin");
                continue;
            };
            worst = worst.max((twin.score - item.score).abs());
        }
    }
    println!("f16: {} and {} boxes, worst score difference {worst:.2e}", single.len(), half.len());
    assert!(worst < 0.02, "scores differ by {worst}");
}

#[test]
fn a_lost_device_is_an_error() {
    let Some(mut setup) = setup("dji_0028_yolox_416_nms") else { return };
    setup.picture = part(&setup.picture, [1500, 1200, 416, 416]);
    let detector = Detector::new(&setup.context, &setup.model, f32_options()).expect("fits");
    let options = options(&setup.reference.case);
    let view = setup.picture.view();
    let pending = detector.submit(&view, &options).expect("sent");
    setup.context.device().destroy();
    // The picture in flight may still land; the next one cannot.
    if let Err(error) = pending.wait() {
        assert_eq!(error.kind(), ErrorKind::Device, "{error}");
    }
    let error = detector.detect(&view, &options).expect_err("the device is gone");
    assert_eq!(error.kind(), ErrorKind::Device, "{error}");
    println!("{error}");
    assert!(Detector::new(&setup.context, &setup.model, f32_options()).is_err());
}

#[test]
fn options_out_of_range_are_errors() {
    let Some(mut setup) = setup("dji_0028_yolox_416_nms") else { return };
    setup.picture = part(&setup.picture, [0, 0, 32, 32]);
    let detector = Detector::new(&setup.context, &setup.model, f32_options()).expect("fits");
    let good = options(&setup.reference.case);
    let view = setup.picture.view();
    let mut all = Vec::new();
    for confidence in [-0.1, 1.1, f32::NAN] {
        all.push(DetectOptions { confidence, ..good.clone() });
    }
    for threshold in [-0.1, 1.1, f32::NAN] {
        let mut bad = good.clone();
        bad.merge.threshold = threshold;
        all.push(bad);
    }
    for overlap in [1.0, -0.5, f64::NAN] {
        let mut bad = good.clone();
        bad.grid.overlap[1] = overlap;
        all.push(bad);
    }
    let mut bad = good.clone();
    bad.grid.tile = TileSize::Fixed { width: 0, height: 10 };
    all.push(bad);
    for options in all {
        let error = detector.detect(&view, &options).expect_err("out of range");
        assert_eq!(error.kind(), ErrorKind::Input, "{options:?}: {error}");
    }
    assert!(ImageView::new(0, 4, PixelFormat::Rgb8, &[]).is_err());
    assert!(ImageView::new(2, 2, PixelFormat::Rgb8, &[0; 11]).is_err());
    assert!(detector.detect(&view, &good).is_ok(), "the detector still works");
}

#[test]
fn handles_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<Detector>();
    check::<Context>();
    check::<Model>();
    check::<tilehawk::Pending<'_>>();
}

/// A crowded, undecided scene: every cell of a tile is a candidate.
fn crowded(setup: &Setup) -> DetectOptions {
    let mut options = options(&setup.reference.case);
    options.confidence = 0.001;
    options.merge.threshold = 0.3;
    options.merge.class_agnostic = true;
    options
}

#[test]
fn few_merge_rounds_and_little_room_come_out_the_same() {
    let Some(mut setup) = setup("dji_0028_yolox_416_nms") else { return };
    setup.picture = part(&setup.picture, [1500, 1300, 500, 416]);
    let plenty = Detector::new(&setup.context, &setup.model, f32_options()).expect("fits");
    let mut options = crowded(&setup);
    let view = setup.picture.view();
    let expected = plenty.detect(&view, &options).expect("detects");
    assert!(expected.stats.merge_rounds > 2 && expected.items.len() > 8, "{:?}", expected.stats);
    assert_eq!((expected.stats.runs, expected.stats.submissions, expected.stats.maps), (1, 1, 1));

    options.merge.rounds = 2;
    let undecided = plenty.detect(&view, &options).expect("detects");
    assert_eq!(bytes(&undecided.items), bytes(&expected.items));
    assert!(undecided.stats.runs == 1 && undecided.stats.submissions > 1, "{:?}", undecided.stats);
    let is_timed = |stats: &Stats, stage| stats.stages.iter().any(|time| time.stage == stage);
    let has_clock = is_timed(&expected.stats, "network");
    assert_eq!(is_timed(&expected.stats, "merge"), has_clock);
    assert_eq!(is_timed(&undecided.stats, "network"), has_clock);
    assert!(!is_timed(&undecided.stats, "merge"), "further rounds are not timed");

    let little = DetectorOptions { readback_boxes: 4, ..f32_options() };
    let little = Detector::new(&setup.context, &setup.model, little).expect("fits");
    let options = crowded(&setup);
    let first = little.detect(&view, &options).expect("detects");
    assert_eq!(bytes(&first.items), bytes(&expected.items));
    assert_eq!((first.stats.runs, first.stats.submissions, first.stats.maps), (1, 2, 2));
    let second = little.detect(&view, &options).expect("detects");
    assert_eq!(bytes(&second.items), bytes(&expected.items));
    assert_eq!((second.stats.runs, second.stats.submissions, second.stats.maps), (1, 1, 1));
}

#[test]
fn threads_that_outgrow_buffers_do_not_mix_results() {
    let Some(setup) = setup("dji_0028_yolox_416_nms") else { return };
    let pictures = [[1500, 1300, 416, 416], [1700, 1400, 416, 416]].map(|rect| part(&setup.picture, rect));
    let alone = Detector::new(&setup.context, &setup.model, f32_options()).expect("fits");
    let options = crowded(&setup);
    let expected = pictures.each_ref().map(|p| alone.detect(&p.view(), &options).expect("detects").items);
    let small = DetectorOptions { candidate_capacity: 8, readback_boxes: 2, ..f32_options() };
    let shared = Detector::new(&setup.context, &setup.model, small).expect("fits");
    // Dropped in flight: its buffers must not come back to anybody.
    drop(shared.submit(&pictures[0].view(), &options).expect("sent"));
    std::thread::scope(|scope| {
        for (picture, expected) in pictures.iter().zip(&expected) {
            let (shared, options) = (&shared, &options);
            scope.spawn(move || {
                for _ in 0..3 {
                    let found = shared.detect(&picture.view(), options).expect("detects");
                    assert_eq!(bytes(&found.items), bytes(expected));
                }
            });
        }
    });
}
