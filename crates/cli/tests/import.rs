//! `import`, its check against the original, and `inspect`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::{Files, Run, fails, on_device, shared, tilehawk};
use serde_json::{Value, json};
use std::process::Command;

/// A shared network in `files`.
fn network(files: &Files, name: &str) -> Option<String> {
    Some(files.write("net.onnx", &shared(&format!("models/{name}.onnx"))?))
}

/// A Python with ONNX Runtime: `TILEHAWK_PYTHON` or `python3`; none is a failure with `CI=true`.
fn python() -> Option<String> {
    let python = std::env::var("TILEHAWK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import onnxruntime, numpy"]).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{python} has no onnxruntime and numpy");
    println!("skipped: {python} has no onnxruntime and numpy");
    None
}

/// A check of the ONNX file against the original.
fn check(input: &str, rest: &[&str]) -> Option<Run> {
    let python = python()?;
    on_device(&[&["import", input, "--python", &python, "--check"], rest].concat())
}

/// A protobuf field of bytes.
fn field(number: u8, data: &[u8]) -> Vec<u8> {
    let (low, high) = (data.len() % 128, data.len() / 128);
    assert!(high < 128);
    [&[number << 3 | 2, u8::try_from(low).unwrap() | 128, u8::try_from(high).unwrap()], data].concat()
}

/// A protobuf field of a number below 128.
fn number(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

/// A size of 0 is left open.
fn value_info(name: &str, element: u8, dims: &[u8]) -> Vec<u8> {
    let dim = |dim| if dim == 0 { Vec::new() } else { number(1, dim) };
    let dims: Vec<u8> = dims.iter().flat_map(|&size| field(1, &dim(size))).collect();
    let tensor = [number(1, element), field(2, &dims)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

/// The nodes of a small network: name of an operator, inputs, output, integer attributes.
type Nodes<'a> = &'a [(&'a str, &'a [&'a str], &'a str, &'a [(&'a str, u8)])];

/// An ONNX file, written by hand; elements 1 are f32, 2 u8.
fn onnx(nodes: Nodes<'_>, inputs: &[(&str, u8, &[u8])], outputs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut graph = Vec::new();
    for (op, inputs, output, attributes) in nodes {
        let mut node: Vec<u8> = inputs.iter().flat_map(|input| field(1, input.as_bytes())).collect();
        node.extend(field(2, output.as_bytes()));
        node.extend(field(4, op.as_bytes()));
        for (name, value) in *attributes {
            let attribute = [field(1, name.as_bytes()), number(3, *value), vec![0xa0, 1, 2]].concat();
            node.extend(field(5, &attribute));
        }
        graph.extend(field(1, &node));
    }
    graph.extend(field(2, b"graph"));
    for (name, element, dims) in inputs {
        graph.extend(field(11, &value_info(name, *element, dims)));
    }
    for (name, dims) in outputs {
        graph.extend(field(12, &value_info(name, 1, dims)));
    }
    [number(1, 8), field(8, &number(2, 13)), field(7, &graph)].concat()
}

/// A picture in, its sigmoid out.
fn sigmoid() -> Vec<u8> {
    onnx(&[("Sigmoid", &["x"], "y", &[])], &[("x", 1, &[1, 3, 24, 32])], &[("y", &[1, 3, 24, 32])])
}

#[test]
fn head_help_needs_no_file() {
    let run = tilehawk(&["import", "--head-help"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for part in ["yolox ", "fastestdet ", "[1, 4 + C, N]", "objectness^0.6", "box and score"] {
        assert!(run.out.contains(part), "{}", run.out);
    }
    fails(&tilehawk(&["import"]), &["IN.onnx", "--head-help"]);
}

#[test]
fn bad_options_say_what_to_give() {
    let import = |rest: &[&str]| tilehawk(&[&["import", "a.onnx", "-o", "a.safetensors"], rest].concat());
    fails(&import(&["--head", "yolo9000"]), &["there is no head \"yolo9000\"", "retinanet"]);
    fails(&import(&["--anchors", "10,13 x"]), &["\"x\" is not W,H"]);
    fails(&import(&["--python", "python3"]), &["--check"]);
    fails(&tilehawk(&["import", "a.onnx"]), &["--out"]);
    fails(&tilehawk(&["import", "a.onnx", "--check", "absent.png"]), &["absent.png", "cannot be read"]);
    fails(&tilehawk(&["inspect", "absent.onnx"]), &["absent.onnx", "cannot be read"]);
}

#[test]
fn what_was_recognised_is_printed() {
    let files = Files::new();
    let Some(input) = network(&files, "yolox_nano_416") else { return };
    let out = files.path("m.safetensors");
    let run = tilehawk(&["import", &input, "-o", &out]);
    assert_eq!(run.code, 0, "{}", run.err);
    for part in [
        "416x416 BGR, values 0..255, letterbox-top-left-floor, padded with 114",
        "yolox: centre (cell + xy) * stride",
        "stride 32: boxes 4x13x13",
        "80 without names",
        "\"output\" [1, 3549, 85]",
    ] {
        assert!(run.out.contains(part), "no {part:?} in {}", run.out);
    }
    assert!(run.err.contains("warning: ") && run.err.contains("--names FILE"), "{}", run.err);
    let names = (0..80).map(|class| format!("thing {class}\n")).collect::<String>();
    let names = files.write("names", names.as_bytes());
    let run = tilehawk(&["import", &input, "-o", &out, "--names", &names]);
    assert!(run.out.contains("80: thing 0, thing 1,") && run.out.contains("... (from "), "{}", run.out);
    assert!(!run.err.contains("--names"), "{}", run.err);
    fails(&tilehawk(&["inspect", &out, "--size", "640"]), &["m.safetensors", "--size", ".onnx only"]);
    fails(&tilehawk(&["import", &input, "-o", &input]), &["net.onnx", "another name"]);
}

#[test]
fn a_model_without_a_head_says_what_comes_nearest() {
    let files = Files::new();
    let input = files.write("plain.onnx", &sigmoid());
    let out = files.path("plain.safetensors");
    let run = tilehawk(&["import", &input, "-o", &out]);
    assert_eq!(run.code, 0, "{}", run.err);
    let reasons = [
        "no detection head",
        "\"y\" [1, 3, 24, 32]",
        "nearest heads: ",
        "--head KIND",
        "--head-help",
        "yunet",
    ];
    assert!(reasons.iter().all(|reason| run.err.contains(reason)), "{}", run.err);
    let run = tilehawk(&["import", &input, "-o", &out, "--head", "raw"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let run = tilehawk(&["import", &input, "-o", &out, "--head", "retinanet"]);
    fails(&run, &["plain.onnx", "\"retinanet\"", "\"y\" [1, 3, 24, 32]", "--head-help"]);
    let picture = files.picture("grey.png", 8, 8);
    for model in [&input, &out] {
        let run = tilehawk(&["detect", &picture, "--model", model, "--json", "-"]);
        fails(&run, &["plain.", "no detection head", "nearest heads: ", "--head KIND"]);
    }
}

#[test]
fn open_sizes_are_asked_for() {
    let files = Files::new();
    let model = onnx(&[("Sigmoid", &["x"], "y", &[])], &[("x", 1, &[1, 3, 0, 0])], &[("y", &[1, 3, 0, 0])]);
    let model = files.write("open.onnx", &model);
    fails(&tilehawk(&["inspect", &model]), &["open.onnx", "\"x\"", "with --size N or WxH"]);
    let run = tilehawk(&["inspect", &model, "--size", "32x24"]);
    assert!(run.code == 0 && run.out.contains("\"y\" [1, 3, 24, 32]"), "{} {}", run.out, run.err);
}

#[test]
fn operations_of_the_known_networks() {
    for (name, flop, parameters) in [
        ("yolox_nano_416", 1.05e9, 904_463),
        ("nanodet_plus_m_416", 1.52e9, 1_186_346),
        ("picodet_s_416", 1.19e9, 983_891),
    ] {
        let files = Files::new();
        let Some(input) = network(&files, name) else { return };
        let run = tilehawk(&["inspect", &input, "--json"]);
        assert_eq!(run.code, 0, "{}", run.err);
        let document: Value = serde_json::from_str(&run.out).unwrap();
        assert!((document["flop"].as_f64().unwrap() - flop).abs() < 0.006e9, "{name}: {}", document["flop"]);
        assert_eq!(document["parameters"], parameters);
        assert_eq!(document["weight_bytes"], json!({"f32": parameters * 4, "f16": parameters * 2}));
    }
}

#[test]
fn inspect_tells_all() {
    let files = Files::new();
    let Some(input) = network(&files, "yolox_nano_416") else { return };
    let out = files.path("m.safetensors");
    assert_eq!(tilehawk(&["import", &input, "-o", &out, "--name", "nano", "--licence", "MIT"]).code, 0);
    let run = tilehawk(&["inspect", &out, "--layers"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for part in [
        "m.safetensors: \"nano\"\n",
        "licence     MIT\n",
        "134: 113 conv, ",
        "operations  1.045 GFLOP a tile\n",
        "weights     3.5 MiB in f32, 1.7 MiB in f16\n",
        "activations ",
        "inputs -> output",
        " -> 16x208x208",
    ] {
        assert!(run.out.contains(part), "no {part:?} in {}", run.out);
    }
    let document: Value = serde_json::from_str(&tilehawk(&["inspect", &out, "--json"]).out).unwrap();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    let expected = [
        "name",
        "licence",
        "source",
        "input",
        "head",
        "classes",
        "recommended",
        "focus",
        "fusion",
        "outputs",
        "parameters",
        "flop",
        "weight_bytes",
        "activation_bytes",
        "map_bytes",
        "map_bytes_fused",
        "ops",
        "layers",
    ];
    assert_eq!(keys, expected);
    assert_eq!(document["outputs"], json!([{"name": "output", "shape": [1, 3549, 85]}]));
    let layers = document["layers"].as_array().unwrap();
    let sum = |key: &str| layers.iter().map(|layer| layer[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(Some(sum("flop")), document["flop"].as_u64());
    assert_eq!(Some(sum("parameters")), document["parameters"].as_u64());
}

#[test]
fn a_check_of_a_real_network_passes() {
    let files = Files::new();
    let Some(input) = network(&files, "yolox_nano_416") else { return };
    let Some(cars) = shared("images/small-vehicles1.jpeg") else { return };
    let cars = files.write("cars.jpeg", &cars);
    let Some(run) = check(&input, &[&cars, "--precision", "f32"]) else { return };
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("cars.jpeg: ") && run.out.contains("against ONNX Runtime "), "{}", run.out);
    assert!(run.out.contains("\"output\"  [1, 3549, 85]  ok"), "{}", run.out);
    assert!(!run.out.contains("f16 worst"), "{}", run.out);
}

#[test]
fn a_check_feeds_what_the_file_declares() {
    let files = Files::new();
    let plain = files.write("plain.onnx", &sigmoid());
    let Some(run) = check(&plain, &[]) else { return };
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("a built-in pattern") && run.out.contains("  ok "), "{}", run.out);
    // Bytes, channels last, cast by the network itself.
    let bytes = onnx(
        &[("Cast", &["x"], "f", &[("to", 1)]), ("Sigmoid", &["f"], "y", &[])],
        &[("x", 2, &[1, 24, 32, 3])],
        &[("y", &[1, 24, 32, 3])],
    );
    let bytes = files.write("bytes.onnx", &bytes);
    let run = check(&bytes, &[]).unwrap();
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(!run.err.contains("--mean 0 --std 1"), "{}", run.err);
    let run = check(&bytes, &["--std", "255"]).unwrap();
    assert!(run.err.contains("--mean 0 --std 1"), "{}", run.err);
    // A fixed batch, and a fact about the picture that is added: 1, for its name says no shape.
    let facts = onnx(
        &[("ReduceSum", &["scale_factor"], "s", &[("keepdims", 0)]), ("Mul", &["x", "s"], "y", &[])],
        &[("x", 1, &[2, 3, 24, 32]), ("scale_factor", 1, &[1, 2])],
        &[("y", &[2, 3, 24, 32])],
    );
    let run = check(&files.write("facts.onnx", &facts), &[]).unwrap();
    assert_eq!(run.code, 0, "{}", run.err);
}

#[test]
fn a_check_names_what_is_missing() {
    let files = Files::new();
    let input = files.write("plain.onnx", &sigmoid());
    let Some(run) = on_device(&["import", &input, "--check", "--python", "no-such-python"]) else { return };
    fails(&run, &["no-such-python", "cannot be started", "pip install onnxruntime numpy", "--python PATH"]);
}

#[cfg(unix)]
#[test]
fn a_check_says_when_an_output_differs_and_what_python_said() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::new();
    let input = files.write("plain.onnx", &sigmoid());
    let script = |name: &str, text: &str| {
        let path = files.write(name, text.as_bytes());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    // Stands for Python: an original that answers zeros. Its arguments are -c, the program, the folder.
    let zeros = |name: &str, half: bool| {
        let answer =
            json!({"version": "0", "raw": false, "half": half, "shapes": [[1, 3, 24, 32]], "moves": [0]});
        script(
            name,
            &format!("#!/bin/sh\nhead -c 9216 /dev/zero > \"$3/output0\"\necho '{answer}' > \"$3/answer\"\n"),
        )
    };
    let half = zeros("half", true);
    let Some(run) = on_device(&["import", &input, "--check", "--python", &half]) else { return };
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("  -  ") && run.err.contains("16 bits"), "{} {}", run.out, run.err);
    let run = tilehawk(&["import", &input, "--check", "--python", &zeros("zeros", false)]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.out.contains("FAIL"), "{}", run.out);
    for part in ["error: ", "plain.onnx: 1 of 1 outputs differ", "\"y\" by ", "please report"] {
        assert!(run.err.contains(part), "{}", run.err);
    }
    let lacking = script("lacking", "#!/bin/sh\necho 'ModuleNotFoundError: onnxruntime' >&2\nexit 3\n");
    let run = tilehawk(&["import", &input, "--check", "--python", &lacking]);
    fails(&run, &["lacking lacks (ModuleNotFoundError: onnxruntime)", "pip install"]);
    let broken = script("broken", "#!/bin/sh\necho 'Fail: no kernel' >&2\nexit 4\n");
    let run = tilehawk(&["import", &input, "--check", "--python", &broken]);
    fails(&run, &["plain.onnx: ONNX Runtime cannot run the original: Fail: no kernel"]);
}
