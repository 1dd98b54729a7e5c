//! `demo` as a whole: its files, its numbers, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Files, fails, on_device, tilehawk};
use serde_json::Value;

#[test]
fn a_drawn_scene_is_searched_and_judged() {
    let files = Files::new();
    let (out, json) = (files.path("out"), files.path("numbers.json"));
    let small = ["demo", "--size", "640x512", "--objects", "24", "-o", &out];
    let Some(run) = on_device(&[&small[..], &["--model", "thermal-small", "--json", &json]].concat()) else {
        return;
    };
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(files.list("out"), ["annotated.png", "detections.json", "scene.json", "scene.png"]);
    for words in ["objects", "Person", "precision ", "annotated.png: right boxes"] {
        assert!(run.out.contains(words), "{words}: {}", run.out);
    }
    let numbers: Value = serde_json::from_str(&files.read("numbers.json")).unwrap();
    let overall = &numbers["overall"];
    assert_eq!(overall["objects"], 24);
    // Far below what is reached: the numbers of a device may differ in the last bits.
    assert!(overall["recall"].as_f64().unwrap() >= 0.5, "{numbers}");
    assert!(overall["precision"].as_f64().unwrap() >= 0.5, "{numbers}");
    for name in ["out/scene.png", "out/annotated.png"] {
        let picture = image::open(files.path(name)).unwrap();
        assert_eq!((picture.width(), picture.height()), (640, 512));
    }

    let (truth, found) = (files.path("out/scene.json"), files.path("out/detections.json"));
    let judged = tilehawk(&["eval", "--gt", &truth, "--dt", &found, "--iou", "0.5", "--json", "-"]);
    assert_eq!(judged.code, 0, "{}", judged.err);
    let measures: Value = serde_json::from_str(&judged.out).unwrap();
    assert_eq!(measures["images"], 1);
    assert!(measures["overall"]["AR"].as_f64().unwrap() >= 0.4, "{measures}");

    fails(&tilehawk(&small), &["out: is not empty", "--force"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let files = Files::new();
    let out = files.path("out");
    for (extra, reasons) in [
        (&["--size", "63x100"][..], &["--size", "64 to 65536"][..]),
        (&["--size", "65536x65536"], &["--size", "16384x16384 or less"]),
        (&["--objects", "0"], &["--objects"]),
        (&["--model", "absent"], &["absent: cannot be read", "thermal-nano"]),
        (&["--exclude-class", "boat"], &["no class \"boat\""]),
        (&["--json", &files.path("out/scene.json")], &["scene.json: is another file of this run"]),
    ] {
        fails(&tilehawk(&[&["demo", "-o", &out], extra].concat()), reasons);
        assert!(!files.exists("out/scene.png"));
    }
}
