//! The commands on COCO data sets: tiles equal to SAHI's, labels of YOLO, S-alpha, and bad input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::{Files, Run, fails, shared, tilehawk};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::path::Path;

/// The category of crowds, which SAHI turns into objects.
const CROWD: u64 = 5;

/// A picture as `data/slicing/make.py` makes it.
fn pixel(number: u8, x: u32, y: u32) -> Rgb<u8> {
    let byte = |value: u32| u8::try_from(value).unwrap();
    Rgb([byte(x), byte(y), number * 40])
}

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/slicing").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The made-up data set with its pictures.
fn made_up(files: &Files) -> (String, Value) {
    files.folder("in");
    files.folder("in/sub");
    let text = golden("dataset.json");
    let dataset: Value = serde_json::from_str(&text).unwrap();
    for (number, image) in (0u8..).zip(dataset["images"].as_array().unwrap()) {
        let side = |key: &str| u32::try_from(image[key].as_u64().unwrap()).unwrap();
        let picture = RgbImage::from_fn(side("width"), side("height"), |x, y| pixel(number, x, y));
        picture.save(files.path(&format!("in/{}", image["file_name"].as_str().unwrap()))).unwrap();
    }
    (files.write("dataset.json", text.as_bytes()), dataset)
}

fn slice(files: &Files, dataset: &str, extra: &[&str]) -> Run {
    let (images, out) = (files.path("in"), files.path("out"));
    tilehawk(&[&["slice-dataset", dataset, "--images", &images, "--out", &out], extra].concat())
}

/// Where two documents differ. Numbers with a fraction may differ by rounding.
fn differences(ours: &Value, theirs: &Value, place: &str) -> Vec<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().flat_map(|(key, value)| differences(value, &b[key], &format!("{place}.{key}"))).collect()
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.flat_map(|(row, (a, b))| differences(a, b, &format!("{place}[{row}]"))).collect()
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            if (a - b).abs() < 1e-9 { Vec::new() } else { vec![format!("{place}: {a} and {b}")] }
        }
        _ if ours == theirs => Vec::new(),
        _ => vec![format!("{place}: {ours} and {theirs}")],
    }
}

#[test]
fn tiles_and_annotations_are_those_of_sahi() {
    let settings: [(&str, &[&str]); 2] = [
        ("64", &["--tile", "64"]),
        (
            "50x40",
            &["--tile", "50x40", "--overlap", "0.25x0", "--min-area-ratio", "0.5", "--ignore-negative"],
        ),
    ];
    for (name, options) in settings {
        let files = Files::new();
        let (dataset, source) = made_up(&files);
        let run = slice(&files, &dataset, &[options, &["--format", "png"]].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        let ours: Value = serde_json::from_str(&files.read("out/dataset.json")).unwrap();
        let mut theirs: Value = serde_json::from_str(&golden(&format!("sahi_{name}.json"))).unwrap();
        for annotation in theirs["annotations"].as_array_mut().unwrap() {
            if annotation["category_id"] == CROWD {
                annotation["iscrowd"] = json!(1);
            }
        }
        assert_eq!(differences(&ours, &theirs, ""), [""; 0]);
        let images = ours["images"].as_array().unwrap();
        assert_eq!(files.list("out/images").len(), images.len());
        for image in images {
            same_pixels(&files, image["file_name"].as_str().unwrap(), source["images"].as_array().unwrap());
        }
    }
}

/// Checks the pixels of a tile by the numbers in its name.
fn same_pixels(files: &Files, name: &str, source: &[Value]) {
    let mut parts = name.trim_end_matches(".png").rsplit('_').map(|part| part.parse::<u32>().unwrap());
    let mut next = || parts.next().unwrap();
    let (y1, x1, y0, x0, number) = (next(), next(), next(), next(), next());
    let stem = Path::new(source[number as usize]["file_name"].as_str().unwrap()).file_stem().unwrap();
    assert!(name.starts_with(&format!("{}_{number}_", stem.to_str().unwrap())), "{name}");
    let tile = image::open(files.path(&format!("out/images/{name}"))).unwrap().into_rgb8();
    let expected =
        RgbImage::from_fn(x1 - x0, y1 - y0, |x, y| pixel(u8::try_from(number).unwrap(), x + x0, y + y0));
    assert!(tile == expected, "{name}");
}

#[test]
fn the_comparison_can_fail() {
    let theirs: Value = serde_json::from_str(&golden("sahi_64.json")).unwrap();
    for (list, field, value) in [
        ("annotations", "bbox", json!([0.0, 1.0, 2.0, 3.0])),
        ("annotations", "area", json!(3)),
        ("annotations", "segmentation", json!([])),
        ("annotations", "ignore", json!(1)),
        ("images", "id", json!(99)),
        ("images", "file_name", json!("a.png")),
    ] {
        let mut ours = theirs.clone();
        ours[list][3][field] = value;
        assert!(!differences(&ours, &theirs, "").is_empty(), "{list} {field}");
    }
    let mut fewer = theirs.clone();
    fewer["annotations"].as_array_mut().unwrap().pop();
    assert_eq!(differences(&fewer, &theirs, "").len(), 1);
}

#[test]
fn jpegs_are_those_of_sahi_to_the_byte() {
    let files = Files::new();
    let (dataset, _) = made_up(&files);
    let tile = "plain_0_86_46_150_110.jpg";
    let theirs =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/slicing").join(tile)).unwrap();
    for (quality, same) in [("75", true), ("95", false)] {
        let run = slice(&files, &dataset, &["--tile", "64", "--quality", quality, "--force"]);
        assert_eq!(run.code, 0, "{}", run.err);
        let ours = std::fs::read(files.path(&format!("out/images/{tile}"))).unwrap();
        assert_eq!(ours == theirs, same, "{quality}");
    }
}

#[test]
fn labels_of_yolo() {
    let files = Files::new();
    let (dataset, _) = made_up(&files);
    let run = slice(&files, &dataset, &["--tile", "64", "--yolo"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("6 parts of crowds"), "{}", run.err);
    assert_eq!(files.read("out/classes.txt"), "car\nperson\nfield \"a\"\ncrowd\n");
    assert!(files.read("out/data.yaml").contains("train: images\nval: images\nnames:\n  0: \"car\"\n"));
    assert_eq!(
        files.read("out/labels/small_2_0_0_30_20.txt"),
        "0 0.500000 0.500000 1.000000 1.000000\n1 0.354167 0.368750 0.341667 0.187500\n\
         1 0.916667 0.875000 0.166667 0.250000\n"
    );
    assert_eq!(files.read("out/labels/航空_3_0_0_64_64.txt"), "");
    let stems = |folder: &str| -> Vec<String> {
        let names = files.list(folder);
        names.iter().map(|name| name.rsplit_once('.').unwrap().0.to_owned()).collect()
    };
    assert_eq!(stems("out/images"), stems("out/labels"));
}

/// A data set of one picture, 40x30, with `entry` put over its parts.
fn one_picture(files: &Files, name: &str, change: impl FnOnce(&mut Value)) -> String {
    if !files.exists("in") {
        files.folder("in");
        files.picture("in/a.png", 40, 30);
    }
    let mut dataset = json!({
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "car"}],
    });
    change(&mut dataset);
    files.write(name, dataset.to_string().as_bytes())
}

#[test]
fn bad_data_sets_are_refused_before_anything_is_written() {
    type Change = fn(&mut Value);
    let cases: [(Change, &[&str]); 6] = [
        (|d| d["images"] = json!([]), &["d.json: `images` is empty"]),
        (|d| d["images"][0] = json!({"id": 1}), &["image 0, id 1, has no `file_name`"]),
        (
            |d| d["images"][0]["file_name"] = json!("b.png"),
            &["in: 1 of 1 pictures", "first: b.png", "--images"],
        ),
        (|d| d["images"] = json!([d["images"][0], d["images"][0]]), &["both have id 1"]),
        (
            |d| d["categories"] = json!([{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]),
            &["both named \"a\""],
        ),
        (|d| d["annotations"][0]["bbox"] = json!([1, 2, 3]), &["annotation 0, id 1", "3 numbers"]),
    ];
    for (change, reasons) in cases {
        let files = Files::new();
        let dataset = one_picture(&files, "d.json", change);
        fails(&slice(&files, &dataset, &[]), reasons);
        assert!(!files.exists("out"));
    }
    let files = Files::new();
    one_picture(&files, "d.json", |_| {});
    fails(&slice(&files, &files.write("cut.json", b"{\"images\": ["), &[]), &["cut.json", "line 1"]);
    fails(&slice(&files, &files.path("none.json"), &[]), &["none.json: cannot be read"]);
    let dataset = files.path("d.json");
    fails(&slice(&files, &dataset, &["--min-area-ratio", "2"]), &["[0, 1]"]);
    fails(&slice(&files, &dataset, &["--quality", "0"]), &["1..=100"]);
}

#[test]
fn flaws_are_mended_and_counted() {
    let files = Files::new();
    let dataset = one_picture(&files, "d.json", |d| {
        d["images"].as_array_mut().unwrap().push(json!({"id": 2, "file_name": "b.png"}));
        let annotation = |id: u64, image: u64, category: u64, bbox: Value| json!({"id": id, "image_id": image, "category_id": category, "bbox": bbox});
        d["annotations"] = json!([
            annotation(1, 1, 1, json!([1, 2, 3, 4])),
            annotation(1, 1, 1, json!([5, 5, 4, 4])),
            annotation(2, 9, 1, json!([5, 5, 4, 4])),
            annotation(3, 1, 9, json!([5, 5, 4, 4])),
            annotation(4, 1, 1, json!([5, 5, 0, 4])),
            annotation(5, 1, 1, json!([35, 5, 10, 10])),
            annotation(6, 1, 1, json!([100, 5, 10, 10])),
        ]);
    });
    let run = slice(&files, &dataset, &["--skip-missing", "--format", "png"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for note in [
        "1 of 2 pictures",
        "1 annotations of images that are not in the file: left out",
        "1 annotations of categories that are not in the file: left out",
        "1 annotations without an id of their own",
        "2 boxes reaching outside",
        "1 annotations without area: left out",
    ] {
        assert_eq!(run.err.matches(note).count(), 1, "no {note} in {}", run.err);
    }
    assert!(run.out.contains("1 picture, 1 tile with 3 annotations"), "{}", run.out);
    let cut: Value = serde_json::from_str(&files.read("out/d.json")).unwrap();
    assert_eq!(cut["annotations"][2]["bbox"], json!([35.0, 5.0, 5.0, 10.0]));
    let empty = one_picture(&files, "empty.json", |d| d["annotations"] = json!([]));
    let run = slice(&files, &empty, &["--force"]);
    assert!(run.out.contains("1 tile with 0 annotations"), "{}", run.out);
    let none = slice(&files, &empty, &["--force", "--ignore-negative"]);
    assert!(none.out.contains("0 tiles with 0 annotations, 1 without any left out"), "{}", none.out);
}

#[test]
fn pictures_that_cannot_be_cut_are_left_out() {
    let files = Files::new();
    let dataset = one_picture(&files, "d.json", |d| {
        let images = d["images"].as_array_mut().unwrap();
        images.push(json!({"id": 2, "file_name": "bad.png", "width": 40, "height": 30}));
        images.push(json!({"id": 3, "file_name": "turned.png", "width": 40, "height": 30}));
        images.push(json!({"id": 4, "file_name": "other.png", "width": 40, "height": 30}));
    });
    files.write("in/bad.png", b"no picture");
    files.picture("in/turned.png", 30, 40);
    files.picture("in/other.png", 20, 15);
    let run = slice(&files, &dataset, &["--format", "png"]);
    assert_eq!(run.code, 2);
    for reason in
        ["bad.png: not a picture", "turned.png: has 30x40 pixels", "--orient", "other.png: has 20x15"]
    {
        assert!(run.err.contains(reason), "{}", run.err);
    }
    assert!(run.out.contains("1 picture, 1 tile with 1 annotation in") && run.out.contains("3 not done"));
    assert_eq!(files.list("out/images"), ["a_0_0_0_40_30.png"]);
}

#[test]
fn nothing_given_or_made_before_is_overwritten() {
    let files = Files::new();
    let dataset = one_picture(&files, "d.json", |_| {});
    files.folder("out");
    files.write("out/notes.txt", b"mine");
    fails(&slice(&files, &dataset, &[]), &["out: is not empty", "--force"]);
    assert_eq!(slice(&files, &dataset, &["--force"]).code, 0);
    assert_eq!(files.read("out/notes.txt"), "mine");
    let here = Path::new(&dataset).parent().unwrap().to_str().unwrap();
    let into_itself = ["slice-dataset", &dataset, "--images", &files.path("in"), "--out", here, "--force"];
    fails(&tilehawk(&into_itself), &["d.json: is the data set given"]);
}

#[test]
fn fusion_factors_of_a_data_set() {
    let files = Files::new();
    let dataset =
        one_picture(&files, "d.json", |d| {
            let boxes = [[1, 1, 8, 8], [1, 1, 10, 10], [2, 2, 16, 15], [0, 0, 30, 30]];
            d["annotations"] = (1..).zip(boxes).map(|(id, bbox)| {
            json!({"id": id, "image_id": 1, "category_id": 1, "bbox": bbox, "iscrowd": 0})
        }).collect();
            d["annotations"].as_array_mut().unwrap().push(
                json!({"id": 9, "image_id": 1, "category_id": 1, "bbox": [0, 0, 40, 30], "iscrowd": 1}),
            );
        });
    let table = tilehawk(&["fusion-factors", &dataset]);
    assert_eq!(table.code, 0, "{}", table.err);
    let rows: Vec<Vec<&str>> =
        table.out.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [
            vec!["P2", "4", "3", "0.3333"],
            vec!["P3", "8", "1", "0.0000"],
            vec!["P4", "16", "0", "none"],
            vec!["P5", "32", "0"]
        ]
    );
    assert!(
        table.err.contains("stride 16, so the factor of its edge is 0")
            && table.err.contains("stride 16, so the edge from stride 32 has no factor"),
        "{}",
        table.err
    );
    let document = |extra: &[&str]| -> Value {
        let run = tilehawk(&[&["fusion-factors", &dataset, "--json", "-"], extra].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        serde_json::from_str(&run.out).unwrap()
    };
    assert_eq!(document(&["--levels", "4,8"])["s_alpha"], json!([1.0 / 3.0]));
    assert_eq!(document(&["--levels", "4,8,16", "--unfused", "1"])["s_alpha"], json!([1.0 / 3.0]));
    let doubled = document(&["--scale", "2"]);
    assert_eq!(doubled, {
        let mut same = document(&["--input", "80"]);
        same["scale"] = json!(2.0);
        same["input"] = Value::Null;
        same
    });
    assert_eq!(document(&["--rule", "retinanet"])["levels"].as_array().unwrap().len(), 5);
    let written = files.path("s.json");
    assert_eq!(tilehawk(&["fusion-factors", &dataset, "--json", &written]).out, table.out);
    assert_eq!(serde_json::from_str::<Value>(&files.read("s.json")).unwrap(), document(&[]));
    for (extra, reason) in [
        (&["--levels", "8,4"][..], "each larger"),
        (&["--levels", "8"], "2 to 16"),
        (&["--levels", "0,4"], "1..=65536"),
        (&["--unfused", "3"], "at most 2"),
        (&["--anchor-sizes", "8"], "--rule retinanet"),
        (&["--rule", "fpn", "--anchor-sizes", "8"], "1 anchor sizes for 5 levels"),
        (&["--rule", "fpn", "--cells", "4"], "--rule square"),
        (&["--scale", "0"], "above 0"),
        (&["--scale", "2", "--input", "80"], "cannot be used"),
    ] {
        fails(&tilehawk(&[&["fusion-factors", &dataset], extra].concat()), &[reason]);
    }
    let empty = one_picture(&files, "empty.json", |d| d["annotations"] = json!([]));
    fails(&tilehawk(&["fusion-factors", &empty]), &["empty.json: none of 0 annotations"]);
    let before = files.read("d.json");
    fails(&tilehawk(&["fusion-factors", &dataset, "--json", &dataset]), &["is the data set itself"]);
    assert_eq!(files.read("d.json"), before);
}

/// The numbers of `training/fusion.py` for the network's magnification, 320 / sqrt(180 * 420).
#[test]
fn fusion_factors_are_those_of_the_training() {
    if shared("data/hit_uav/train.json").is_none() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/hit_uav/train.json");
    let run =
        tilehawk(&["fusion-factors", path.to_str().unwrap(), "--scale", "1.1638287479252927", "--json", "-"]);
    let found: Value = serde_json::from_str(&run.out).unwrap();
    let expected = [0.753_148_941_695_883_6, 0.557_413_793_103_448_3, 0.242_499_226_724_404_58];
    assert_eq!(found["s_alpha"], json!(expected));
}
