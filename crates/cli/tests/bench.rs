//! `bench` as a whole: tables, JSON, CSV, plots, layers, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Files, fails, on_device, tilehawk};
use serde_json::Value;

const PARTS: [&str; 8] = ["total", "upload", "preprocess", "network", "decode", "merge", "readback", "other"];

/// A number above 0, or null where there are no timestamps.
fn is_measured(value: &Value, timestamps: bool) -> bool {
    if timestamps { value.as_f64().is_some_and(|value| value > 0.0) } else { value.is_null() }
}

fn check_rows(document: &Value) {
    let timestamps = document["timestamps"].as_bool().unwrap();
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    // 200x150 in tiles of 96 with an overlap of 19, and of 128 with one of 25.
    for (row, (tile, tiles, chunk)) in rows.iter().zip([(96, 6, 3), (128, 4, 2)]) {
        assert!(row["tile"] == tile && row["tiles"] == tiles && row["net"] == 320, "{row}");
        assert!(row["runs"] == 2 && row["chunk"] == chunk && row["error"].is_null(), "{row}");
        let number = |name: &str| row[name].as_f64().unwrap();
        let (low, middle, high) =
            (number("pictures_per_s_min"), number("pictures_per_s"), number("pictures_per_s_max"));
        assert!(0.0 < low && low <= middle && middle <= high, "{row}");
        assert!((number("tiles_per_s") / middle - f64::from(tiles)).abs() < 1e-6, "{row}");
        assert!((number("mpix_per_s") / middle - 0.03).abs() < 1e-6, "{row}");
        assert!((row["ms"]["total"].as_f64().unwrap() * middle - 1e3).abs() < 1e-6, "{row}");
        assert!(number("gpu_bytes") > 1e6 && row["ms"]["upload"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!(row["ms"].as_object().unwrap().keys().collect::<Vec<_>>(), PARTS);
        for part in ["preprocess", "network", "decode", "merge"] {
            assert!(is_measured(&row["ms"][part], timestamps), "{part}: {row}");
        }
        for share in ["fma", "copy", "bound"] {
            assert!(is_measured(&row["share_of"][share], timestamps), "{share}: {row}");
        }
    }
}

fn check_layers(document: &Value) {
    let layers = document["layers"].as_array().unwrap();
    assert_eq!(document["layers_of"]["tile"], 128);
    // A stem of a picture in grey: 3 channels in, 8 out, at half the size of 320.
    let stem = &layers[0];
    assert!(stem["name"] == "stem" && stem["op"] == "conv" && stem["kind"] == "conv 3x3", "{stem}");
    assert_eq!(
        (stem["kernel"].to_string(), stem["output"].to_string()),
        ("[3,3]".into(), "[8,160,160]".into())
    );
    let flop: f64 = layers.iter().map(|layer| layer["flop"].as_f64().unwrap()).sum();
    assert_eq!(flop, document["flop_per_tile"].as_f64().unwrap() * 4.0);
    for layer in layers {
        assert!(layer["ms"].as_f64().unwrap() >= 0.0 && layer["bytes"].as_f64().unwrap() > 0.0, "{layer}");
        assert!(layer["bound"] == "copy" || layer["bound"] == "fma", "{layer}");
    }
    let kinds = document["layer_kinds"].as_array().unwrap();
    let count: u64 = kinds.iter().map(|kind| kind["layers"].as_u64().unwrap()).sum();
    assert_eq!(count, layers.len() as u64);
}

fn check_csv(text: &str, document: &Value) {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    let column = lines[0].iter().position(|name| *name == "ms_total").unwrap();
    assert_eq!(lines[0][0], "tile");
    for (line, row) in lines[1..].iter().zip(document["rows"].as_array().unwrap()) {
        assert_eq!(line[0], row["tile"].to_string());
        assert_eq!(line[column], row["ms"]["total"].to_string());
    }
}

/// Every element is closed, in order, and there is text.
fn check_svg(text: &str, all_words: &[&str]) {
    let mut open: Vec<&str> = Vec::new();
    for tag in text.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None if tag.ends_with('/') || tag.starts_with(['?', '!']) => {}
            None => open.push(tag.split_whitespace().next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for words in all_words {
        assert!(text.contains(words), "{words}");
    }
}

#[test]
fn tables_json_csv_plots_and_layers() {
    let files = Files::new();
    let (image, json, csv) = (files.picture("grey.png", 200, 150), files.path("b.json"), files.path("b.csv"));
    let plots = files.path("plots");
    let Some(run) = on_device(&[
        "bench",
        "--image",
        &image,
        "--tile-sizes",
        "96,128",
        "--overlap",
        "0.2",
        "--runs",
        "2",
        "--warm-up",
        "1",
        "--batch",
        "3",
        "--in-flight",
        "3",
        "--full-image=false",
        "--layers=128",
        "--json",
        &json,
        "--csv",
        &csv,
        "--plots",
        &plots,
    ]) else {
        return;
    };
    assert_eq!(run.code, 0, "{}", run.err);
    for words in [
        "ceilings  copy ",
        "pictures/s",
        "3 in flight",
        "of bound",
        "GPU MiB",
        "ms for a picture",
        "readback",
    ] {
        assert!(run.out.contains(words), "{words}: {}", run.out);
    }
    assert!(run.out.lines().all(|line| line.chars().count() < 120), "{}", run.out);
    let document: Value = serde_json::from_str(&files.read("b.json")).unwrap();
    for name in ["device", "driver", "backend", "version"] {
        assert!(document[name].is_string(), "{name}: {document}");
    }
    assert!(document["model"] == "thermal-nano" && document["image"] == image.as_str(), "{document}");
    assert!(document["width"] == 200 && document["height"] == 150 && document["runs"] == 2, "{document}");
    for rate in ["copy_gb_per_s", "fma_f32_gflops"] {
        assert!(document["ceilings"][rate].as_f64().unwrap() > 0.0, "{document}");
    }
    check_rows(&document);
    for row in document["rows"].as_array().unwrap() {
        let rates =
            ["", "_min", "_max"].map(|end| row[format!("pictures_per_s_in_flight{end}")].as_f64().unwrap());
        assert!(rates[1] > 0.0 && rates[1] <= rates[0] && rates[0] <= rates[2], "{row}");
    }
    check_csv(&files.read("b.csv"), &document);
    if document["timestamps"] == true {
        check_layers(&document);
        assert!(run.out.contains("layers at tile 128, 4 tiles: "), "{}", run.out);
    } else {
        assert!(run.err.contains("timestamps") && document["layers"].is_null(), "{}", run.err);
    }
    assert_eq!(files.list("plots"), ["throughput.png", "throughput.svg"]);
    check_svg(
        &files.read("plots/throughput.svg"),
        &["pictures per second", "tiles per second", "tile side in pixels", "thermal-nano on "],
    );
    let plot = image::open(files.path("plots/throughput.png")).unwrap().to_rgb8();
    let (white, all) = (plot.pixels().filter(|pixel| pixel.0 == [255; 3]).count(), plot.pixels().count());
    assert!(white > all / 2 && white < all * 99 / 100, "{white} of {all} pixels are white");
}

#[test]
fn pictures_as_large_as_their_tiles() {
    let files = Files::new();
    let plots = files.path("plots");
    let base = ["bench", "--rounds", "2", "--runs", "1", "--warm-up", "0", "--json", "-", "--plots", &plots];
    let sizes = ["--tile-sizes", "100", "--overlap", "0.25x0", "--tile-counts", "1,6,5"];
    let Some(run) = on_device(&[&base[..], &sizes].concat()) else { return };
    assert_eq!(run.code, 0, "{}", run.err);
    let document: Value = serde_json::from_str(&run.out).unwrap();
    assert!(document["width"].is_null() && document["in_flight"] == 1, "{document}");
    let rows = document["rows"].as_array().unwrap();
    let found = rows.iter().map(|row| ["tiles", "width", "height"].map(|name| row[name].as_u64().unwrap()));
    assert_eq!(found.collect::<Vec<_>>(), [[1, 100, 100], [6, 250, 200], [5, 400, 100]]);
    assert!(rows.iter().all(|row| row["tile"] == 100 && row["pictures_per_s_in_flight"].is_null()));
    assert!(document["rounds"] == 2 && rows.iter().all(|row| row["runs"] == 2), "{document}");
    check_svg(&files.read("plots/throughput.svg"), &["ms for a picture", "share of merging in %"]);
}

#[test]
fn a_tile_size_that_does_not_work_leaves_the_others() {
    // Tiles of one pixel are more than 2^20; one of 2000 is larger than the picture.
    let base = ["bench", "--size", "1100x1000", "--runs", "1", "--warm-up", "0"];
    let Some(run) = on_device(&[&base[..], &["--tile-sizes", "1,2000", "--json", "-"]].concat()) else {
        return;
    };
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(
        run.err.contains("warning: tile size 1 is left out: ") && run.err.contains("tiles"),
        "{}",
        run.err
    );
    let document: Value = serde_json::from_str(&run.out).unwrap();
    let [bad, good] = &document["rows"].as_array().unwrap()[..] else { unreachable!("two rows") };
    assert!(bad["tile"] == 1 && bad["error"].is_string(), "{bad}");
    for name in ["tiles", "pictures_per_s", "tiles_per_s", "gpu_bytes"] {
        assert!(bad[name].is_null(), "{bad}");
    }
    assert!(PARTS.iter().all(|part| bad["ms"][part].is_null()), "{bad}");
    assert!(good["tiles"] == 1 && good["error"].is_null(), "{good}");
    assert!(document["layers"].is_null() && document["image"].is_null(), "{document}");

    let too_many = ["--tile-sizes", "640,512", "--batch", "4294967295", "--csv", "-"];
    let run = tilehawk(&[&base[..], &too_many].concat());
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("tile size 512 is left out: ") && run.err.contains("exceeds"), "{}", run.err);
    assert_eq!(run.out.lines().count(), 3, "{}", run.out);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let files = Files::new();
    let image = files.picture("grey.png", 64, 64);
    let before = files.len("grey.png");
    let absent = files.path("absent/b.json");
    for (extra, reasons) in [
        (&["--tile-sizes", "0"][..], &["--tile-sizes", "1.."][..]),
        (&["--tile-sizes", "640,x"], &["--tile-sizes", "x"]),
        (&["--size", "63x100"], &["--size", "64 to 65536"]),
        (&["--size", "640", "--image", &image], &["cannot be used with"]),
        (&["--runs", "0"], &["--runs"]),
        (&["--tile", "640"], &["--tile is not an option of bench", "--tile-sizes"]),
        (&["--tile-counts", "4"], &["--tile-counts goes with one tile size", "--tile-sizes N"]),
        (&["--tile-counts", "4", "--size", "640"], &["cannot be used with"]),
        (&["--tile-counts", "4", "--tile-sizes", "64", "--full-image"], &["--full-image"]),
        (&["--tile-counts", "100000", "--tile-sizes", "640"], &["too large", "give fewer"]),
        (&["--in-flight", "0"], &["--in-flight"]),
        (&["--auto"], &["--auto is not an option of bench"]),
        (&["--tile-sizes", "320", "--layers=640"], &["--layers=640", "--tile-sizes"]),
        (&["--json", "-", "--csv", "-"], &["--json - and --csv -", "give one of them a file"]),
        (&["--json", &absent], &["absent", "cannot be written to"]),
        (&["--image", &image, "--json", &image], &["grey.png", "is another file of this run"]),
        (&["--image", &files.path("none.png")], &["none.png", "cannot be read"]),
        (&["--model", "absent"], &["absent: cannot be read", "thermal-nano"]),
        (&["--exclude-class", "boat"], &["no class \"boat\""]),
        (&["--sigma", "0.5"], &["--sigma", "soft-nms"]),
        (&["--csv", &files.path("b"), "--json", &files.path("b")], &["is another file of this run"]),
    ] {
        fails(&tilehawk(&[&["bench"], extra].concat()), reasons);
    }
    assert_eq!(files.len("grey.png"), before);
    assert!(!files.exists("b"));
}
