//! Tuning changes no box, and what it finds is kept and checked.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::context;
use tilehawk::geom::{GridOptions, TileSize};
use tilehawk::gpu::Tunings;
use tilehawk::model::Model;
use tilehawk::{DetectOptions, Detection, Detector, DetectorOptions, ImageView, PixelFormat};

fn model() -> Model {
    Model::load(common::root().join("weights/thermal-nano.safetensors")).unwrap()
}

fn find(detector: &Detector) -> Vec<Detection> {
    let pixels: Vec<u8> =
        (0..200 * 150 * 3u32).map(|i| u8::try_from(i % 1009 * (i % 1013) / 7 % 256).unwrap()).collect();
    let image = ImageView::new(200, 150, PixelFormat::Rgb8, &pixels).unwrap();
    let options = DetectOptions {
        grid: GridOptions { tile: TileSize::square(160), ..GridOptions::default() },
        confidence: 0.01,
        ..DetectOptions::recommended(detector.model().info())
    };
    detector.detect(&image, &options).unwrap().items
}

#[test]
fn tuning_changes_no_box_and_is_kept() {
    let Some(context) = context() else { return };
    let detector = Detector::new(&context, &model(), DetectorOptions::default()).unwrap();
    let before = find(&detector);
    assert!(!before.is_empty(), "boxes to compare");
    let tuned = detector.tune(2).unwrap();
    println!("{tuned:?}\n{}", context.tunings().to_json());
    assert!(tuned.timed > 5 && tuned.timed == context.tunings().len(), "{tuned:?}");
    assert!(tuned.changed <= tuned.timed);
    assert_eq!(tuned.rejected, 0, "every candidate agrees on this driver");
    assert_eq!(find(&detector), before, "candidates add in the same order");
    assert_eq!(detector.tune(2).unwrap().timed, 0, "a second call finds all of it done");

    // Another context of the same device takes it over.
    let Some(other) = common::context() else { return };
    other.add_tunings(&Tunings::from_json(&context.tunings().to_json()).unwrap()).unwrap();
    let again = Detector::new(&other, &model(), DetectorOptions::default()).unwrap();
    assert_eq!(again.tune(2).unwrap().timed, 0);
    assert_eq!(find(&again), before);
}

#[test]
fn choices_of_other_devices_and_nonsense_are_not_followed() {
    let Some(context) = context() else { return };
    let detector = Detector::new(&context, &model(), DetectorOptions::default()).unwrap();
    let expected = find(&detector);
    let own = context.tunings();
    let other = own.to_json().replace(&own.device()[..4], "none");
    let error = context.add_tunings(&Tunings::from_json(&other).unwrap()).unwrap_err();
    assert!(error.to_string().contains("tune again"), "{error}");

    detector.tune(2).unwrap();
    let text = context.tunings().to_json();
    let (start, end) = (text.find('[').unwrap(), text.find(']').unwrap());
    for nonsense in ["[0, 0, 0, 0]", "[]", "[4000000000, 1, 2, 0]"] {
        let Some(other) = common::context() else { return };
        let text = format!("{}{nonsense}{}", &text[..start], &text[end + 1..]);
        other.add_tunings(&Tunings::from_json(&text).unwrap()).unwrap();
        let again = Detector::new(&other, &model(), DetectorOptions::default()).unwrap();
        assert_eq!(find(&again), expected);
        assert_eq!(again.tune(2).unwrap().timed, 1, "what cannot be followed is timed anew");
    }
}
