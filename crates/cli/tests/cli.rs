//! The program as a whole: arguments, files, messages and exit codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::{Files, fails, on_device, shared, tilehawk};
use serde_json::{Value, json};

#[test]
fn help_and_version() {
    let version = tilehawk(&["--version"]);
    assert_eq!((version.code, version.out.trim()), (0, concat!("tilehawk ", env!("CARGO_PKG_VERSION"))));
    for command in [
        "detect",
        "demo",
        "tiles",
        "merge",
        "eval",
        "import",
        "inspect",
        "slice-dataset",
        "fusion-factors",
        "info",
    ] {
        let help = tilehawk(&[command, "--help"]);
        assert_eq!(help.code, 0);
        assert!(
            help.out.contains("Example: tilehawk ") || help.out.contains("Examples:\n  tilehawk "),
            "{command}: {}",
            help.out
        );
    }
    assert_eq!(tilehawk(&[]).code, 2);
}

#[test]
fn tiles_as_json() {
    let grid = |args: &[&str]| {
        let run = tilehawk(&[&["tiles"], args].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        serde_json::from_str::<Value>(&run.out).unwrap()["tiles"].clone()
    };
    let tiles = grid(&["--width", "641", "--height", "640", "--full-image"]);
    assert_eq!(tiles, json!([[0, 0, 640, 640], [1, 0, 641, 640], [0, 0, 641, 640]]));
    let wide = grid(&["--width", "100", "--height", "50", "--tile", "60x50", "--overlap", "0.5x0"]);
    assert_eq!(wide, json!([[0, 0, 60, 50], [30, 0, 90, 50], [40, 0, 100, 50]]));
    assert_eq!(grid(&["--width", "1280", "--height", "720", "--auto"]).as_array().unwrap().len(), 6);
}

#[test]
fn tiles_equal_the_reference() {
    let Some(bytes) = shared("conformance/slicing.json") else { return };
    let vectors: Value = serde_json::from_slice(&bytes).unwrap();
    let case = &vectors["cases"][2];
    let text = |key: &str| case[key].to_string();
    let tile = format!("{}x{}", text("slice_width"), text("slice_height"));
    let overlap = format!("{}x{}", text("overlap_width_ratio"), text("overlap_height_ratio"));
    let (width, height) = (text("image_width"), text("image_height"));
    let args = ["tiles", "--width", &width, "--height", &height, "--tile", &tile, "--overlap", &overlap];
    assert_eq!(serde_json::from_str::<Value>(&tilehawk(&args).out).unwrap()["tiles"], case["tiles"]);
}

#[test]
fn bad_arguments_are_2_and_say_why() {
    let grid = ["tiles", "--width", "100", "--height", "100"];
    for (extra, reason) in [
        (&["--tile", "0"][..], "at least 1"),
        (&["--tile", "-3"], "unexpected"),
        (&["--tile", "64x"], "whole number"),
        (&["--overlap", "1"], "[0, 1)"),
        (&["--overlap", "0.2x1"], "[0, 1)"),
        (&["--overlap", "NaN"], "[0, 1)"),
        (&["--auto", "--tile", "64"], "cannot be used"),
        (&["--backend", "glide"], "vulkan"),
    ] {
        fails(&tilehawk(&[&grid, extra].concat()), &[reason]);
    }
    fails(&tilehawk(&["tiles", "--width", "0", "--height", "5"]), &["0x5"]);
    let detect = ["detect", "a.png", "--model", "m", "-o", "o"];
    for (extra, reason) in [
        (&["--confidence", "2"][..], "[0, 1]"),
        (&["--confidence", "NaN"], "[0, 1]"),
        (&["--merge-threshold=-0.1"], "[0, 1]"),
        (&["--merge", "fuse"], "greedy-nmm"),
        (&["--sigma", "0.5"], "give --merge soft-nms"),
        (&["--max-detections", "0"], "--max-detections"),
        (&["--per-class-threshold", "car:0.5"], "CLASS=T"),
        (&["--per-class-threshold", "car=1.5"], "[0, 1]"),
        (&["--batch", "0"], "batch"),
        (&["--gt", "gt.json"], "--coco"),
        (&["--json", "x.json"], "--json"),
    ] {
        fails(&tilehawk(&[&detect, extra].concat()), &[reason]);
    }
    fails(&tilehawk(&["detect", "a.png", "--model", "m"]), &["--out"]);
}

#[test]
fn detect_checks_everything_before_it_starts() {
    let files = Files::new();
    let (file, good) = (files.write("file", b"x"), files.picture("good.png", 8, 8));
    let model = files.write("model.safetensors", b"no model");
    let (out, inside) = (files.path("out"), format!("{file}/out"));
    let detect = |input: &str, model: &str, rest: &[&str]| {
        tilehawk(&[&["detect", input, "--model", model], rest].concat())
    };
    fails(&detect(&good, &model, &["-o", &inside]), &["file/out", "output folder", "choose another"]);
    fails(&detect(&good, &model, &["--coco", &inside]), &["file", "cannot be written"]);
    fails(&detect(&good, &model, &["-o", &out]), &["model.safetensors", "not a safetensors"]);
    fails(&detect(&good, "absent", &["-o", &out]), &["absent", "cannot be read"]);
    fails(&detect("absent.png", &model, &["-o", &out]), &["absent.png", "no such file"]);
    let empty = files.folder("empty");
    fails(&detect(&empty, &model, &["-o", &out]), &["empty", "no pictures"]);
}

#[test]
fn a_ground_truth_must_fit() {
    let files = Files::new();
    let good = files.picture("good.png", 8, 8);
    let (model, coco) = (files.write("model.safetensors", b"no model"), files.path("c.json"));
    let gt = files.write("gt.json", br#"{"images": [{"id": 1, "file_name": "b.png"}], "categories": []}"#);
    let run = tilehawk(&["detect", &good, "--model", &model, "--coco", &coco, "--gt", &gt]);
    fails(&run, &["good.png", "not among the images of --gt"]);
    let gt = files.write("gt.json", b"[]");
    let run = tilehawk(&["detect", &good, "--model", &model, "--coco", &coco, "--gt", &gt]);
    fails(&run, &["gt.json", "a COCO data set is an object"]);
    assert!(!files.exists("c.json"));
}

#[test]
fn merge_refuses_what_it_cannot_read() {
    let files = Files::new();
    let out = files.path("out.json");
    let merge = |input: &str, out: &str| tilehawk(&["merge", input, "-o", out]);
    let half_class = br#"[{"image_id": 1, "category_id": 0.5, "bbox": [0, 0, 1, 1], "score": 1}]"#;
    for (name, bytes, reason) in [
        ("a.json", &half_class[..], "box 0: class 0.5"),
        ("b.json", b"[{", "cut short"),
        ("c.json", b"", "cut short"),
        ("d.safetensors", b"abc", "not a safetensors"),
        ("e.txt", b"", "unknown extension"),
    ] {
        fails(&merge(&files.write(name, bytes), &out), &[name, reason]);
    }
    fails(&merge("absent.json", &out), &["absent.json", "cannot be read"]);
    let entry = |id: u32| json!({"image_id": id, "category_id": 0, "bbox": [0, 0, 1, 1], "score": 1});
    let input = files.write("two.json", json!([entry(1), entry(2)]).to_string().as_bytes());
    fails(&merge(&input, &files.path("out.safetensors")), &["out.safetensors", "one image"]);
    fails(&merge(&input, &files.path("out.txt")), &["out.txt", "unknown extension"]);
    assert!(!files.exists("out.json"));
}

#[test]
fn merge_refuses_classes_scores_and_edges_by_name_and_row() {
    let files = Files::new();
    let out = files.path("out.json");
    let entry = |class: u32, score: f32| json!({"cls_id": class, "label": format!("c{class}"), "score": score, "coordinate": [0, 0, 1, 1]});
    let write =
        |name: &str, entries: Value| files.write(name, json!({"boxes": entries}).to_string().as_bytes());
    let input = write("in.json", json!([entry(0, 0.5), entry(1, 3.0), entry(2, -2.0)]));
    let merge = |input: &str, rest: &[&str]| tilehawk(&[&["merge", input, "-o", &out], rest].concat());
    fails(&merge(&input, &["--exclude-class", "car"]), &["in.json: --exclude-class", "\"c0\", \"c1\""]);
    fails(&merge(&input, &["--per-class-threshold", "c1=0.1,1=0.2"]), &["\"1\" is given twice"]);
    fails(&merge(&input, &["--sigma", "0.5"]), &["--sigma", "--algorithm soft-nms"]);
    let scores = ["--algorithm", "soft-nms"];
    fails(&merge(&input, &scores), &["in.json: box 1: score 3 is outside [0, 1]"]);
    let filtered = [&scores[..], &["--exclude-class", "c1"]].concat();
    fails(&merge(&input, &filtered), &["in.json: box 2: score -2"]);
    let mut edged = entry(0, 0.5);
    edged["edges"] = json!(16);
    let input = write("edges.json", json!([entry(0, 0.5), edged]));
    fails(&merge(&input, &[]), &["edges.json: box 1: edges 16"]);
    let nan = br#"{"boxes": [{"cls_id": 0, "score": NaN, "coordinate": [0, 0, 1, 1]}]}"#;
    fails(&merge(&files.write("nan.json", nan), &[]), &["nan.json: box 0", "NaN"]);
    assert!(!files.exists("out.json"));
}

#[test]
fn import_refuses_what_it_cannot_read() {
    let files = Files::new();
    let out = files.path("m.safetensors");
    fails(&tilehawk(&["import", "absent.onnx", "-o", &out]), &["absent.onnx", "cannot be read"]);
    let text = files.write("text.onnx", b"this is not an ONNX file at all");
    fails(&tilehawk(&["import", &text, "-o", &out]), &["text.onnx"]);
    let names = files.write("names", b"a\n\nb\n");
    fails(&tilehawk(&["import", &text, "-o", &out, "--names", &names]), &["names", "line 2"]);
    assert!(!files.exists("m.safetensors"));
}

#[test]
fn import_and_its_summary() {
    let files = Files::new();
    let Some(onnx) = shared("models/yolox_nano_416.onnx") else { return };
    let names = (0..80).map(|class| format!("thing {class}\n")).collect::<String>();
    let (input, names) = (files.write("net.onnx", &onnx), files.write("names", names.as_bytes()));
    let (whole, half) = (files.path("a.safetensors"), files.path("b.safetensors"));
    let run = tilehawk(&["import", &input, "-o", &whole, "--names", &names, "--licence", "Apache-2.0"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("yolox \"net\", input 416x416, 80 classes, "), "{}", run.out);
    assert_eq!(tilehawk(&["import", &input, "-o", &half, "--f16"]).code, 0);
    assert!(files.len("b.safetensors") < files.len("a.safetensors") * 6 / 10);
}

#[test]
fn info_as_json() {
    let Some(run) = on_device(&["info", "--json"]) else { return };
    let adapters = serde_json::from_str::<Value>(&run.out).unwrap()["adapters"].clone();
    assert!(adapters[0]["name"].is_string() && adapters[0]["limits"]["max_buffer_bytes"].is_u64());
    let has_none = |adapter: &&Value| adapter["matrices"].as_array().unwrap().is_empty();
    let all = adapters.as_array().unwrap();
    let text = on_device(&["info"]).unwrap().out;
    assert!(text.contains("workgroup"), "{text}");
    assert_eq!(text.matches("(m x n x k): none").count(), all.iter().filter(has_none).count());
    if all.iter().filter(has_none).count() == all.len() {
        let files = Files::new();
        let (input, out) = (files.write("in.json", b"[]"), files.path("out.json"));
        let run = tilehawk(&["merge", &input, "-o", &out, "--matrices"]);
        assert!(run.code == 0 && run.err.contains("--matrices changes nothing"), "{}", run.err);
    }
    fails(&tilehawk(&["info", "--adapter", "no such thing"]), &["no adapter"]);
}

#[test]
fn merge_keeps_the_best_and_all_its_fields() {
    let files = Files::new();
    let entry = |image: u32, x: u32, score: f64, track: u32| json!({"image_id": image, "category_id": 1, "bbox": [x, 0, 10, 10], "score": score, "track": track});
    let entries = json!([entry(5, 0, 0.5, 1), entry(5, 1, 0.9, 2), entry(6, 1, 0.4, 3)]);
    let (input, out) = (files.write("in.json", entries.to_string().as_bytes()), files.path("out.json"));
    let Some(run) = on_device(&["merge", &input, "-o", &out, "--metric", "iou", "--threshold", "0.5"]) else {
        return;
    };
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("2 of 3 boxes"), "{}", run.out);
    let merged: Value = serde_json::from_str(&files.read("out.json")).unwrap();
    assert_eq!(merged, json!([entry(5, 1, 0.9, 2), entry(6, 1, 0.4, 3)]));
}

#[test]
fn merge_leaves_out_by_class_and_score_first() {
    let files = Files::new();
    let entry = |class: u32, x: u32, score: f64| json!({"image_id": 1, "category_id": class, "category_name": format!("c{class}"), "bbox": [x, 0, 10, 10], "score": score});
    let entries = json!([entry(1, 0, 0.9), entry(2, 1, 0.5), entry(3, 2, 0.3), entry(3, 40, 0.2)]);
    let (input, out) = (files.write("in.json", entries.to_string().as_bytes()), files.path("out.json"));
    let rules = ["--exclude-class", "c1", "--per-class-threshold", "3=0.25", "--class-agnostic"];
    let Some(run) = on_device(&[&["merge", &input, "-o", &out], &rules[..]].concat()) else { return };
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("1 of 4 boxes kept, 2 left out by class or score ("), "{}", run.out);
    assert_eq!(serde_json::from_str::<Value>(&files.read("out.json")).unwrap(), json!([entry(2, 1, 0.5)]));
}

#[test]
fn merge_names_the_row_of_the_file_that_the_library_refuses() {
    let files = Files::new();
    let entry = |image: u32, x: f64| json!({"image_id": image, "category_id": 1, "bbox": [x, 0, 10, 10], "score": 0.5});
    let entries = json!([entry(1, 0.0), entry(1, 1.0), entry(2, 1e19)]);
    let (input, out) = (files.write("in.json", entries.to_string().as_bytes()), files.path("out.json"));
    let Some(run) = on_device(&["merge", &input, "-o", &out]) else { return };
    fails(&run, &["in.json: box 2: corners"]);
}

#[test]
fn keep_best_without_edges_is_said_to_be_nms() {
    let files = Files::new();
    let entry = json!({"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.5});
    let out = files.path("out.json");
    let note = "so keep-best acts as nms";
    let input = files.write("in.json", json!([entry]).to_string().as_bytes());
    let run = tilehawk(&["merge", &input, "-o", &out, "--algorithm", "keep-best"]);
    assert!(run.err.contains("note: ") && run.err.contains(note), "{}", run.err);
    let mut entry = entry;
    entry["edges"] = json!(0);
    let input = files.write("in.json", json!([entry]).to_string().as_bytes());
    let run = tilehawk(&["merge", &input, "-o", &out, "--algorithm", "keep-best"]);
    assert!(!run.err.contains(note), "{}", run.err);
}

#[test]
fn an_unknown_adapter_is_2() {
    let files = Files::new();
    let input = files.write("in.json", b"[]");
    let run = tilehawk(&["merge", &input, "-o", &files.path("out.json"), "--adapter", "no such thing"]);
    fails(&run, &["no adapter named like \"no such thing\""]);
}

#[test]
fn every_algorithm_merges_a_cut_car() {
    // Two halves of a car, cut at x = 20, and the car as another tile sees it whole, of a lower score.
    let entry = |x: f64, width: f64, score: f64, edges: u32| json!({"image_id": 1, "category_id": 1, "bbox": [x, 0.0, width, 10.0], "score": score, "edges": edges});
    let entries = json!([entry(0.0, 20.0, 0.75, 4), entry(0.0, 30.0, 0.5, 0), entry(14.0, 16.0, 0.25, 1)]);
    let expected = [
        ("nms", json!([[0.0, 20.0, 0.75]])),
        ("greedy-nmm", json!([[0.0, 30.0, 0.75]])),
        ("nmm", json!([[0.0, 30.0, 0.75]])),
        ("keep-best", json!([[0.0, 30.0, 0.5]])),
    ];
    let files = Files::new();
    let (input, out) = (files.write("in.json", entries.to_string().as_bytes()), files.path("out.json"));
    for (algorithm, rows) in expected {
        let rule = ["--algorithm", algorithm, "--metric", "ios", "--threshold", "0.3"];
        let Some(run) = on_device(&[&["merge", &input, "-o", &out], &rule[..]].concat()) else { return };
        assert_eq!(run.code, 0, "{}", run.err);
        let merged: Vec<Value> = serde_json::from_str(&files.read("out.json")).unwrap();
        let row = |item: &Value| json!([item["bbox"][0], item["bbox"][2], item["score"]]);
        assert_eq!(Value::from_iter(merged.iter().map(row)), rows, "{algorithm}");
    }
    for (rule, count) in
        [(["--algorithm", "soft-nms", "--sigma", "0.55"], 3), (["--algorithm", "wbf", "--metric", "ios"], 2)]
    {
        let Some(run) = on_device(&[&["merge", &input, "-o", &out], &rule[..]].concat()) else { return };
        assert_eq!(run.code, 0, "{}", run.err);
        let merged: Vec<Value> = serde_json::from_str(&files.read("out.json")).unwrap();
        assert_eq!(merged.len(), count, "{rule:?}: {merged:?}");
    }
}
