//! `detect` with a real network on real and damaged pictures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::{Files, Run, demand_device, fails, on_device, shared, tilehawk_with};
use serde_json::Value;

/// The test network and a picture of cars, in `files`.
fn material(files: &Files) -> Option<[String; 2]> {
    let model = shared("models/yolox_nano_416.onnx")?;
    let picture = shared("images/small-vehicles1.jpeg")?;
    Some([files.write("net.onnx", &model), files.write("cars.jpeg", &picture)])
}

fn detect(model: &str, rest: &[&str]) -> Option<Run> {
    on_device(&[&["detect", "--model", model, "--tile", "1068x580"], rest].concat())
}

#[test]
fn good_pictures_are_finished_beside_bad_ones() {
    let files = Files::new();
    let Some([model, cars]) = material(&files) else { return };
    let text = files.write("text.png", b"just text");
    let cut = files.write("cut.jpeg", &std::fs::read(&cars).unwrap()[..20_000]);
    let grey = files.picture("cars.png", 100, 60);
    let (out, coco) = (files.path("out"), files.path("out/coco.json"));
    let inputs = [&text, "absent.png", &cars, &cut, &grey, "-o", &out, "--annotate", "--coco", &coco];
    let Some(run) = detect(&model, &inputs) else { return };
    fails(&run, &["text.png: ", "absent.png: no such file", "cut.jpeg: cut short"]);
    assert!(run.out.starts_with("2 pictures, 2 tiles, ") && run.out.contains("3 not done"), "{}", run.out);
    let names = ["cars.json", "cars.png", "cars_2.json", "cars_2.png", "coco.json"];
    assert_eq!(files.list("out"), names);

    let document: Value = serde_json::from_str(&files.read("out/cars.json")).unwrap();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["input_path", "width", "height", "boxes", "stats"]);
    assert_eq!((&document["width"], &document["height"]), (&1068.into(), &580.into()));
    let boxes = document["boxes"].as_array().unwrap();
    assert!(boxes.len() > 3 && boxes.iter().all(|one| one["score"].as_f64().unwrap() >= 0.3));
    assert_eq!((&document["stats"]["submissions"], &document["stats"]["maps"]), (&1.into(), &1.into()));
    let results: Vec<Value> = serde_json::from_str(&files.read("out/coco.json")).unwrap();
    assert_eq!(results.len(), boxes.len());
    assert!(results.iter().all(|one| one["file_name"] == "cars.jpeg"));
    let annotated = image::open(files.path("out/cars.png")).unwrap();
    assert_eq!((annotated.width(), annotated.height()), (1068, 580));
}

#[test]
fn ids_come_from_the_ground_truth() {
    let files = Files::new();
    let Some([model, cars]) = material(&files) else { return };
    let gt =
        br#"{"images": [{"id": 41, "file_name": "x/cars.jpeg"}], "categories": [{"id": 17, "name": "c2"}]}"#;
    let (gt, coco) = (files.write("gt.json", gt), files.path("coco.json"));
    let names: String = (0..80).map(|class| format!("c{class}\n")).collect();
    let names = files.write("names", names.as_bytes());
    let Some(run) = detect(&model, &[&cars, "--names", &names, "--coco", &coco, "--gt", &gt]) else { return };
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("no category for \"c0\", \"c1\", \"c3\""), "{}", run.err);
    let results: Vec<Value> = serde_json::from_str(&files.read("coco.json")).unwrap();
    assert!(results.len() > 3);
    assert!(results.iter().all(|one| one["image_id"] == 41 && one["category_id"] == 17));
}

#[test]
fn documents_on_standard_output_are_all_there_is() {
    let files = Files::new();
    let Some([model, cars]) = material(&files) else { return };
    let grey = files.picture("grey.png", 60, 60);
    let Some(run) = detect(&model, &[&cars, &grey, "--json", "-"]) else { return };
    assert_eq!(run.code, 0, "{}", run.err);
    let documents: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[1]["width"], 60);
    assert!(run.err.contains("2 pictures, 2 tiles, "), "{}", run.err);
}

#[test]
fn a_picture_is_never_overwritten() {
    let files = Files::new();
    let Some([model, _]) = material(&files) else { return };
    let grey = files.picture("grey.png", 60, 60);
    let before = files.len("grey.png");
    let folder = files.path("");
    let Some(run) = detect(&model, &[&grey, "-o", &folder, "--annotate"]) else { return };
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(files.len("grey.png"), before);
    assert!(files.exists("grey_2.png") && files.exists("grey_2.json"));
}

#[test]
fn classes_are_asked_for_by_name_or_id() {
    let files = Files::new();
    let Some([model, cars]) = material(&files) else { return };
    let names: String = (0..80).map(|class| format!("c{class}\n")).collect();
    let names = files.write("names", names.as_bytes());
    let run =
        |rest: &[&str]| detect(&model, &[&[cars.as_str(), "--names", &names, "--json", "-"], rest].concat());
    let Some(unknown) = run(&["--exclude-class", "d2"]) else { return };
    fails(&unknown, &["--exclude-class: no class \"d2\" in the model", "closest names: \"c2\""]);
    fails(&run(&["--per-class-threshold", "80=0.5"]).unwrap(), &["class id 80 is not below 80"]);
}

#[test]
fn kernels_are_timed_once_and_a_bad_cache_is_no_obstacle() {
    let files = Files::new();
    let (picture, cache, out) = (files.picture("a.png", 64, 48), files.path("cache"), files.path("out"));
    let variables =
        [("XDG_CACHE_HOME", cache.as_str()), ("HOME", cache.as_str()), ("LOCALAPPDATA", cache.as_str())];
    let detect = |tune: &str| tilehawk_with(&["detect", &picture, "-o", &out, "--tune", tune], &variables);
    let Some(first) = demand_device(detect("on")) else { return };
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.err.contains("kinds of layers were timed"), "{}", first.err);
    let found: Vec<_> = walk(&files.path("cache")).into_iter().filter(|p| p.ends_with(".json")).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let second = detect("on");
    assert!(!second.err.contains("were timed"), "{}", second.err);
    assert!(!detect("off").err.contains("were timed"));

    std::fs::write(&found[0], "{").unwrap();
    let mended = detect("on");
    assert_eq!(mended.code, 0, "{}", mended.err);
    assert!(mended.err.contains("it is made anew"), "{}", mended.err);
    assert!(std::fs::read_to_string(&found[0]).unwrap().contains("choices"));

    std::fs::remove_dir_all(files.path("cache")).unwrap();
    files.write("cache", b"a file where the folder should be");
    let unkept = detect("on");
    assert_eq!(unkept.code, 0, "{}", unkept.err);
    assert!(unkept.err.contains("is not kept"), "{}", unkept.err);
}

#[test]
fn variables_that_say_nothing_are_named() {
    let files = Files::new();
    let picture = files.picture("a.png", 64, 48);
    for name in ["TILEHAWK_PIPELINE_CACHE", "TILEHAWK_TUNE"] {
        let run = tilehawk_with(&["detect", &picture, "--json", "-"], &[(name, "maybe")]);
        let Some(run) = demand_device(run) else { return };
        fails(&run, &[name, "\"maybe\": give auto, on or off, or unset it"]);
    }
}

#[test]
fn compiled_shaders_are_kept_and_a_bad_file_is_no_obstacle() {
    let files = Files::new();
    let (cache, demo) = (files.folder("cache"), files.path("demo"));
    let picture = files.path("demo/scene.png");
    let variables =
        [("XDG_CACHE_HOME", cache.as_str()), ("HOME", cache.as_str()), ("LOCALAPPDATA", cache.as_str())];
    let detect = |when: &str| {
        let words = ["detect", &picture, "--json", "-", "--tune", "off", "--pipeline-cache", when];
        tilehawk_with(&words, &variables)
    };
    let boxes = |run: &Run| serde_json::from_str::<Value>(&run.out).unwrap()["boxes"].clone();
    let kept = || walk(&cache).into_iter().filter(|path| path.ends_with(".pipelines")).collect::<Vec<_>>();
    let Some(drawn) = demand_device(tilehawk_with(&["demo", "-o", &demo, "--size", "320x256"], &variables))
    else {
        return;
    };
    assert_eq!(drawn.code, 0, "{}", drawn.err);
    let without = detect("off");
    assert_eq!(without.code, 0, "{}", without.err);
    assert!(!boxes(&without).as_array().unwrap().is_empty(), "{}", without.out);
    assert!(kept().is_empty(), "{:?}", kept());

    let first = detect("on");
    assert_eq!((first.code, boxes(&first)), (0, boxes(&without)), "{}", first.err);
    if first.err.contains("--pipeline-cache changes nothing") {
        return;
    }
    let [file] = &kept()[..] else { panic!("{:?}", kept()) };
    let mut whole = std::fs::read(file).unwrap();
    let second = detect("on");
    assert_eq!((second.code, boxes(&second)), (0, boxes(&without)), "{}", second.err);
    assert!(!second.err.contains("warning"), "{}", second.err);

    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for bad in [&changed[..], &whole[..3]] {
        std::fs::write(file, bad).unwrap();
        let mended = detect("on");
        assert_eq!((mended.code, boxes(&mended)), (0, boxes(&without)), "{}", mended.err);
        assert!(
            mended.err.contains("its checksum is not that of its data; it is made anew"),
            "{}",
            mended.err
        );
        assert_eq!(std::fs::read(file).unwrap().len(), whole.len());
    }

    // Whole, but of another vendor's device: after magic, version, word size and backend come those of the device.
    let mut foreign = whole.split_off(4);
    foreign[17..32].iter_mut().for_each(|byte| *byte ^= 1);
    std::fs::write(file, [&crc32fast::hash(&foreign).to_le_bytes(), &*foreign].concat()).unwrap();
    let mended = detect("on");
    assert_eq!((mended.code, boxes(&mended)), (0, boxes(&without)), "{}", mended.err);
    let said = |line: &str| line.contains("different device") && line.contains("it is made anew");
    assert!(mended.err.lines().any(said), "{}", mended.err);
    assert!(!detect("on").err.contains("made anew"));

    std::fs::remove_dir_all(&cache).unwrap();
    files.write("cache", b"a file where the folder should be");
    let unkept = detect("on");
    assert_eq!((unkept.code, boxes(&unkept)), (0, boxes(&without)), "{}", unkept.err);
    assert!(unkept.err.contains("compiled shaders are not kept"), "{}", unkept.err);
}

/// All files below a folder.
fn walk(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() { found.extend(walk(&name)) } else { found.push(name) }
    }
    found
}
