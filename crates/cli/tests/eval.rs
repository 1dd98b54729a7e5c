//! `eval` as a whole: tables, JSON, plots, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Files, fails, tilehawk};
use serde_json::{Value, json};

/// Two pictures with a car and a cow each; the second cow is not found.
fn truth() -> Value {
    let object = |id: u64, image: u64, category: u64| json!({"id": id, "image_id": image, "category_id": category, "bbox": [10 * id, 10, 8, 8], "area": 64, "iscrowd": 0});
    json!({
        "images": [{"id": 1, "file_name": "a.png", "width": 90, "height": 90},
                   {"id": 2, "file_name": "b.png", "width": 90, "height": 90}],
        "annotations": [object(1, 1, 1), object(2, 1, 2), object(3, 2, 1), object(4, 2, 2)],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "cow"}],
    })
}

fn found(image: u64, category: u64, x: u64) -> Value {
    json!({"image_id": image, "category_id": category, "bbox": [x, 10, 8, 8], "score": 0.5})
}

fn results() -> Value {
    json!([found(1, 1, 10), found(1, 2, 20), found(2, 1, 30)])
}

fn write(files: &Files, name: &str, value: &Value) -> String {
    files.write(name, value.to_string().as_bytes())
}

#[test]
fn tables_json_and_plots() {
    let files = Files::new();
    let (gt, dt) = (write(&files, "gt.json", &truth()), write(&files, "dt.json", &results()));
    let (json, plots) = (files.path("m.json"), files.path("plots"));
    let base = ["eval", "--gt", &gt, "--dt", &dt];
    let run = tilehawk(&[&base[..], &["--tiny", "--breakdown", "--json", &json, "--plots", &plots]].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    for words in ["2 images, 4 objects, 3 detections", "AP50", "AR@100", "tiny2 8-12", "C75", "cow"] {
        assert!(run.out.contains(words), "{words}: {}", run.out);
    }
    let measures: Value = serde_json::from_str(&files.read("m.json")).unwrap();
    // Half of the cows are found: precision 1 at 51 of 101 recall values.
    let half = 51.0 / 101.0;
    let near = |value: &Value, wanted: f64| (value.as_f64().unwrap() - wanted).abs() < 1e-12;
    assert!(near(&measures["overall"]["AP"], (1.0 + half) / 2.0), "{measures}");
    assert!(near(&measures["overall"]["AR_1"], 0.75) && near(&measures["overall"]["AP_large"], -1.0));
    assert!(measures["classes"][1]["name"] == "cow" && near(&measures["classes"][1]["AP50_small"], half));
    assert!(near(&measures["tiny"]["bins"][0]["MR"][1], 0.0) && measures["tiny"]["bins"][0]["objects"] == 4);
    assert!(near(&measures["breakdown"]["classes"][1]["areas"][0][5], half));
    let names = ["breakdown.svg", "breakdown_1_car.svg", "breakdown_2_cow.svg"];
    let curves = ["precision_recall_50.svg", "precision_recall_75.svg"];
    assert_eq!(files.list("plots"), [&names[..], &curves].concat());

    let alone =
        tilehawk(&[&base[..], &["--json", "-", "--classes", "cow,1", "--iou", "0.5", "--agnostic"]].concat());
    let measures: Value = serde_json::from_str(&alone.out).unwrap();
    assert_eq!(measures["iou_thresholds"], json!([0.5]));
    assert!(near(&measures["overall"]["AR"], 0.75) && measures["classes"][0]["id"].is_null());
}

#[test]
fn what_does_not_fit_is_told() {
    let files = Files::new();
    let mut truth = truth();
    truth["annotations"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": 4, "image_id": 9, "category_id": 1, "bbox": [0, 0, 1, 1]}));
    let gt = write(&files, "gt.json", &truth);
    let dt =
        write(&files, "dt.json", &json!([found(7, 1, 0), found(8, 1, 0), found(8, 1, 0), found(1, 5, 0)]));
    let run = tilehawk(&["eval", "--gt", &gt, "--dt", &dt]);
    assert_eq!(run.code, 0);
    for words in [
        "note: ",
        "1 annotations of images that are not in the file: left out",
        "3 detections of 2 images that the ground truth lacks are left out: \"7\", \"8\"",
        "1 detections of 1 categories that the ground truth lacks",
        "no detection is left",
    ] {
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
    let mut named = results();
    named[0]["file_name"] = json!("a.png");
    let run = tilehawk(&["eval", "--gt", &gt, "--dt", &write(&files, "named.json", &named)]);
    assert!(run.code == 0 && run.err.contains("class numbers plus 1"), "{}", run.err);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let files = Files::new();
    let (gt, dt) = (write(&files, "gt.json", &truth()), write(&files, "dt.json", &results()));
    let broken = files.write("broken.json", b"{\"images\": [\n}");
    let mut other = results();
    other[0]["file_name"] = json!("z.png");
    let other = write(&files, "other.json", &other);
    for (gt, dt, rest, reasons) in [
        (&gt, &dt, &["--classes", "car,horse"][..], &["no class \"horse\"", "car, cow"][..]),
        (&broken, &dt, &[], &["broken.json", "line 2 column 1"]),
        (&gt, &broken, &[], &["broken.json", "document 0"]),
        (&dt, &gt, &[], &["dt.json", "belongs with the detections"]),
        (&gt, &other, &[], &["other.json", "result 0", "\"z.png\"", "--gt"]),
        (&gt, &dt, &["--max-dets", "0"], &["--max-dets", "at least 1"]),
        (&gt, &dt, &["--iou", "0.5,1.5"], &["--iou", "at most 1"]),
        (&gt, &dt, &["--agnostic", "--breakdown"], &["cannot be used"]),
    ] {
        fails(&tilehawk(&[&["eval", "--gt", gt, "--dt", dt], rest].concat()), reasons);
    }
    fails(&tilehawk(&["eval", "--gt", "absent.json", "--dt", &dt]), &["absent.json", "cannot be read"]);
    let before = [files.read("gt.json"), files.read("dt.json")];
    for given in [&gt, &dt] {
        let run = tilehawk(&["eval", "--gt", &gt, "--dt", &dt, "--json", given]);
        fails(&run, &["is one of the files given", "choose another name"]);
    }
    assert_eq!([files.read("gt.json"), files.read("dt.json")], before);
    let plots = files.path("plots");
    fails(&tilehawk(&["eval", "--gt", &broken, "--dt", &dt, "--plots", &plots]), &["broken.json"]);
    assert!(!files.exists("plots"));
}
