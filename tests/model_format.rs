//! docs/MODEL_FORMAT.md: its example is a model, and damaged files are refused with a message that names the place.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tilehawk::ErrorKind;
use tilehawk::geom::{IRectPx, TileTransform};
use tilehawk::model::Model;
use tilehawk::reference::{decode, network};

/// A tensor of a file: type, shape, bytes.
#[derive(Clone)]
struct Stored {
    dtype: &'static str,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// A file before it is written.
#[derive(Clone)]
struct File {
    document: Value,
    tensors: BTreeMap<&'static str, Stored>,
}

fn floats(shape: &[usize], data: &[f32]) -> Stored {
    assert_eq!(shape.iter().product::<usize>(), data.len());
    let bytes = data.iter().flat_map(|v| v.to_le_bytes()).collect();
    Stored { dtype: "F32", shape: shape.to_vec(), bytes }
}

/// `count` zeros but for `(index, value)`.
fn sparse(shape: &[usize], set: &[(usize, f32)]) -> Stored {
    let mut data = vec![0.0; shape.iter().product()];
    for &(index, value) in set {
        data[index] = value;
    }
    floats(shape, &data)
}

/// The example of the page.
fn example() -> File {
    let page = include_str!("../docs/MODEL_FORMAT.md");
    let json = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let tensors = BTreeMap::from([
        ("stem.weight", sparse(&[2, 3, 2, 2], &[(0, 1.0)])),
        ("stem.bias", sparse(&[2], &[])),
        ("all.weight", sparse(&[7, 2, 1, 1], &[(12, 2.0)])),
        ("all.bias", floats(&[7], &[0.5, 0.5, 0.0, 0.0, 1.0, 0.0, -1.0])),
    ]);
    File { document: serde_json::from_str(json).expect("JSON"), tensors }
}

/// Length, header, data.
fn assemble(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

impl File {
    fn header(&self) -> (Value, Vec<u8>) {
        let mut header = json!({"__metadata__": {"tilehawk": self.document.to_string()}});
        let mut data = Vec::new();
        for (name, tensor) in &self.tensors {
            let start = data.len();
            data.extend(&tensor.bytes);
            header[name] =
                json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [start, data.len()]});
        }
        (header, data)
    }

    fn bytes(&self) -> Vec<u8> {
        let (header, data) = self.header();
        assemble(&header.to_string(), &data)
    }

    /// The file with its header changed.
    fn with_header(&self, change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let (mut header, data) = self.header();
        change(&mut header);
        assemble(&header.to_string(), &data)
    }

    /// The file with its document changed.
    fn with(&self, pointer: &str, value: Value) -> Vec<u8> {
        let mut file = self.clone();
        *file.document.pointer_mut(pointer).expect("a field") = value;
        file.bytes()
    }

    /// The file with a field of the document added.
    fn and(&self, pointer: &str, field: &str, value: Value) -> Vec<u8> {
        let mut file = self.clone();
        file.document.pointer_mut(pointer).expect("an object")[field] = value;
        file.bytes()
    }

    /// The file without a field of the document.
    fn without(&self, pointer: &str, field: &str) -> Vec<u8> {
        let mut file = self.clone();
        let object = file.document.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
        object.remove(field).expect("a field");
        file.bytes()
    }

    /// The file with another tensor.
    fn with_tensor(&self, name: &'static str, tensor: Stored) -> Vec<u8> {
        let mut file = self.clone();
        file.tensors.insert(name, tensor);
        file.bytes()
    }
}

#[test]
fn the_example_is_a_model_and_does_what_the_page_says() {
    let model = Model::from_bytes(&example().bytes()).unwrap();
    assert_eq!((model.info().name.as_str(), model.label(1).as_str()), ("tiny", "car"));
    let red: Vec<f32> = (0..48).map(|i| if i < 16 { 1.0 } else { 0.0 }).collect();
    let maps = network::run(&model, &red).unwrap();
    let input = &model.info().input;
    let transform = TileTransform::new(IRectPx::new(0, 0, 4, 4), [4, 4], input.resize);
    let tile = decode::PlacedTile { transform, index: 0, picture: [4, 4] };
    let found = decode::decode(&model, &maps, &tile, &[Some(0.5); 2]).candidates;
    assert_eq!(found.len(), 4);
    let sigmoid = 1.0 / (1.0 + (-1.0f32).exp());
    for (candidate, [x, y]) in found.iter().zip([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]) {
        assert_eq!(candidate.rect.to_array(), [x, y, x + 2.0, y + 2.0]);
        assert_eq!(candidate.class_id, 1);
        assert!((candidate.score - sigmoid * sigmoid).abs() < 1e-6 && (candidate.score - 0.534).abs() < 1e-3);
    }
}

#[test]
fn a_written_model_reads_back_the_same() {
    let model = Model::from_bytes(&example().bytes()).unwrap();
    assert_eq!(Model::from_bytes(&model.to_bytes(false).unwrap()).unwrap(), model);
    // All weights of the example fit 16 bits.
    assert_eq!(Model::from_bytes(&model.to_bytes(true).unwrap()).unwrap(), model);
}

fn refused(what: &str, bytes: &[u8], names: &str) {
    let error = Model::from_bytes(bytes).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Model, "{what}: {error}");
    assert!(error.to_string().contains(names), "{what}: \"{error}\" does not name \"{names}\"");
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let bytes = example().bytes();
    for length in 0..bytes.len() {
        refused(&format!("{length} bytes"), &bytes[..length], "safetensors");
    }
    let mut longer = bytes;
    longer.push(0);
    refused("a byte too many", &longer, "safetensors");
}

#[test]
fn no_change_of_a_byte_panics() {
    let bytes = example().bytes();
    for at in 0..bytes.len() {
        for change in [1, 0x20, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= change;
            if let Err(error) = Model::from_bytes(&damaged) {
                assert_eq!(error.kind(), ErrorKind::Model, "byte {at}: {error}");
            }
        }
    }
}

#[test]
fn damaged_containers_are_refused() {
    let file = example();
    let offsets = |name: &'static str, range: [u64; 2]| {
        file.with_header(move |header| header[name]["data_offsets"] = json!(range))
    };
    let twice = {
        let (header, data) = file.header();
        let extra = r#","stem.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        assemble(&(header.to_string().trim_end_matches('}').to_owned() + "}" + extra), &data)
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "safetensors"),
        ("another file", b"\x89PNG\r\n\x1a\n0123456789".to_vec(), "safetensors"),
        ("an absurd header length", [0xff; 16].to_vec(), "safetensors"),
        ("not JSON", assemble("{\"a\": ", &[]), "safetensors"),
        ("overlapping offsets", offsets("stem.bias", [0, 8]), "safetensors"),
        ("offsets beyond the file", offsets("stem.weight", [92, 1 << 40]), "safetensors"),
        ("reversed offsets", offsets("stem.bias", [92, 84]), "safetensors"),
        (
            "a shape of another size",
            file.with_header(|h| h["stem.bias"]["shape"] = json!([3])),
            "safetensors",
        ),
        (
            "a shape that overflows",
            file.with_header(|h| h["stem.bias"]["shape"] = json!([u64::MAX, u64::MAX])),
            "safetensors",
        ),
        ("two tensors of one name", twice, "safetensors"),
        (
            "no metadata",
            file.with_header(|h| drop(h.as_object_mut().map(|h| h.remove("__metadata__")))),
            "tilehawk",
        ),
        ("no document", file.with_header(|h| h["__metadata__"] = json!({"format": "pt"})), "tilehawk"),
        (
            "a document that is not JSON",
            file.with_header(|h| h["__metadata__"]["tilehawk"] = json!("{")),
            "tilehawk",
        ),
    ];
    for (what, bytes, names) in cases {
        refused(what, &bytes, names);
    }
}

#[test]
fn wrong_documents_are_refused() {
    let file = example();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a newer version", file.with("/version", json!(2)), "version 2"),
        ("no version", file.without("", "version"), "version"),
        ("no input", file.without("", "input"), "input"),
        ("an unknown field of the input", file.and("/input", "scale", json!(1)), "scale"),
        ("an input side of 0", file.with("/input/width", json!(0)), "input side 0"),
        ("an absurd input side", file.with("/input/height", json!(8193)), "input side 8193"),
        ("a negative side", file.with("/input/height", json!(-4)), "-4"),
        ("a std of 0", file.with("/input/std/1", json!(0)), "std"),
        // Whether it is infinite or no number hangs on a feature of serde_json.
        ("a mean beyond f32", file.with("/input/mean/0", json!(1e39)), ""),
        ("a pad beyond 255", file.with("/input/pad", json!(256)), "pad 256"),
        ("an unknown order", file.with("/input/order", json!("gbr")), "gbr"),
        ("an unknown resize", file.with("/input/resize", json!("crop")), "crop"),
        ("no class", file.with("/classes", json!([])), "class"),
        ("a class too few", file.with("/classes", json!(["car"])), "\"classes\" has 2 channels, needs 1"),
        ("an unknown head", file.with("/head/kind", json!("ssd")), "ssd"),
        ("a head without levels", file.with("/head/levels", json!([])), "yolox"),
        ("a map that is not there", file.with("/head/levels/0/boxes", json!("nowhere")), "nowhere"),
        (
            "a map of other channels",
            file.with("/head/levels/0/boxes", json!("classes")),
            "map \"classes\" has 2 channels, needs 4",
        ),
        ("another stride", file.with("/head/levels/0/stride", json!(4)), "stride 4"),
        ("a stride of 0", file.with("/head/levels/0/stride", json!(0)), "stride 0"),
    ];
    for (what, bytes, names) in cases {
        refused(what, &bytes, names);
    }
}

#[test]
fn wrong_graphs_are_refused() {
    let file = example();
    let node =
        |index: usize, field: &str, value: Value| file.with(&format!("/graph/nodes/{index}/{field}"), value);
    let mut reversed = file.clone();
    reversed.document["graph"]["nodes"].as_array_mut().expect("nodes").swap(0, 1);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("an unknown op", node(3, "op", json!("einsum")), "einsum"),
        ("an op without its field", file.without("/graph/nodes/0", "stride"), "stride"),
        ("an unknown activation", node(0, "activation", json!({"kind": "swirl"})), "swirl"),
        ("an unknown residual", file.and("/graph/nodes/0", "residual", json!("twice")), "twice"),
        ("a node of itself", node(1, "inputs", json!(["all"])), "node \"all\""),
        ("a cycle", node(0, "inputs", json!(["all"])), "node \"stem\": input \"all\""),
        ("a forward reference", reversed.bytes(), "node \"all\": input \"stem\""),
        ("an unknown input", node(0, "inputs", json!(["camera"])), "camera"),
        ("no input", node(0, "inputs", json!([])), "node \"stem\": has 0 inputs, needs 1"),
        ("an input too many", node(3, "inputs", json!(["all", "all"])), "node \"scores\": has 2 inputs"),
        (
            "a residual without a second input",
            file.and("/graph/nodes/0", "residual", json!("before_activation")),
            "node \"stem\": has 1 inputs, needs 2",
        ),
        ("two nodes of one name", node(3, "name", json!("boxes")), "two maps are named \"boxes\""),
        ("a node named as the input", node(3, "name", json!("picture")), "two maps are named \"picture\""),
        ("a stride of 0", node(0, "stride", json!([0, 2])), "node \"stem\""),
        ("a dilation beyond the map", node(0, "dilation", json!([4096, 1])), "node \"stem\""),
        ("an absurd padding", node(0, "padding", json!([0, 0, 4_000_000_000u32, 0])), "node \"stem\""),
        ("groups of 0", node(0, "groups", json!(0)), "node \"stem\""),
        ("groups that do not divide", node(0, "groups", json!(2)), "node \"stem\": weight \"stem.weight\""),
        (
            "an output of another shape",
            file.with("/graph/outputs/0/shape", json!([1, 2, 5])),
            "output \"output\"",
        ),
        ("an output of no map", file.with("/graph/outputs/0/maps", json!(["nowhere"])), "nowhere"),
        (
            "a channel that is not there",
            node(4, "map", json!([[0, 7, 0, 0]])),
            "node \"objectness\": channel 0",
        ),
        (
            "an input that is not there",
            node(4, "map", json!([[1, 4, 0, 0]])),
            "node \"objectness\": channel 0",
        ),
        ("a step that does not divide", node(4, "step", json!(3)), "node \"objectness\": step 3"),
        ("a map without channels", node(4, "map", json!([])), "objectness"),
    ];
    for (what, bytes, names) in cases {
        refused(what, &bytes, names);
    }
    let mut large = file;
    large.document["graph"]["nodes"][3] = json!({"name": "scores", "inputs": ["all"], "op": "resize",
        "kind": "linear_half_pixel", "size": [4_000_000_000u32, 4_000_000_000u32]});
    refused("a map beyond 2^30 elements", &large.bytes(), "\"scores\"");
}

#[test]
fn wrong_tensors_are_refused() {
    let file = example();
    let mut missing = file.clone();
    missing.tensors.remove("all.bias");
    let nan = sparse(&[7, 2, 1, 1], &[(3, f32::NAN)]);
    let half_inf = Stored { dtype: "F16", shape: vec![2], bytes: vec![0, 0x7c, 0, 0] };
    let double = Stored { dtype: "F64", shape: vec![2], bytes: vec![0; 16] };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a missing tensor", missing.bytes(), "all.bias"),
        ("a NaN", file.with_tensor("all.weight", nan), "tensor \"all.weight\": element 3 is NaN"),
        (
            "an infinite f16",
            file.with_tensor("stem.bias", half_inf),
            "tensor \"stem.bias\": element 0 is inf",
        ),
        ("another type", file.with_tensor("stem.bias", double), "tensor \"stem.bias\" is of type F64"),
        (
            "a weight of one axis",
            file.with_tensor("stem.weight", sparse(&[24], &[])),
            "weight \"stem.weight\"",
        ),
        (
            "a weight of other channels",
            file.with_tensor("stem.weight", sparse(&[2, 4, 2, 2], &[])),
            "node \"stem\": weight \"stem.weight\"",
        ),
        ("a weight of no output", file.with_tensor("stem.weight", sparse(&[0, 3, 2, 2], &[])), "stem"),
        (
            "a kernel larger than the map",
            file.with_tensor("stem.weight", sparse(&[2, 3, 5, 2], &[])),
            "node \"stem\": a window of 5",
        ),
        ("a bias of another length", file.with_tensor("all.bias", sparse(&[6], &[])), "bias \"all.bias\""),
    ];
    for (what, bytes, names) in cases {
        refused(what, &bytes, names);
    }
}

#[test]
fn a_file_is_named_in_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    std::fs::write(&path, b"not a model").unwrap();
    let error = Model::load(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    assert!(error.to_string().contains("broken.safetensors"), "{error}");
    let error = Model::load(folder.path().join("absent.safetensors")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("absent.safetensors"), "{error}");
}
