//! Files that made a reader panic, hang or allocate without bound, as the fuzz targets found them (`scripts/fuzz`). Each
//! is refused with an error.

#![cfg(feature = "onnx")]
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use tilehawk::ErrorKind;
use tilehawk::import::onnx::{ImportOptions, import};

/// A file of `tests/golden/fuzz`, what it did, and a part of the error.
const FOUND: [(&str, &str, &str); 13] = [
    ("conv_transpose_output_shape.onnx", "panic: padding from a side of -2^63", "output_shape"),
    ("depth_to_space_block.onnx", "panic: the square of the block size", "blocks of"),
    ("empty_add.onnx", "allocation: 2^40 offsets of a constant of shape [2^20, 2^20, 0]", ""),
    ("empty_concat.onnx", "hang: 2^60 rows of nothing", ""),
    ("empty_expand.onnx", "allocation: 2^50 indices of a side beside one of 0", ""),
    ("empty_reduce.onnx", "allocation: 2^40 sums of nothing", "do not fit"),
    ("empty_slice.onnx", "allocation: as empty_add", ""),
    ("empty_tile.onnx", "allocation: as empty_expand", ""),
    ("empty_transpose.onnx", "allocation: as empty_add", ""),
    (
        "flat_slice.onnx",
        "hang: a flat picture less one element, as 16384 crops joined three at a time",
        "crops",
    ),
    ("instance_normalization_2_axes.onnx", "panic: a tensor of one axis has no channels", "no positions"),
    ("pad_least.onnx", "panic: the absolute value of -2^63", "attribute pads"),
    ("tile_overflow.onnx", "panic: a side times 2^62", "overflows"),
];

#[test]
fn found_files_are_refused() {
    for (file, was, part) in FOUND {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fuzz").join(file);
        let error = import(&std::fs::read(path).unwrap(), &ImportOptions::default()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Model | ErrorKind::Unsupported), "{file} ({was}): {error}");
        assert!(error.to_string().contains(part), "{file} ({was}): {error}");
    }
}

/// 600 nodes of 1.5 KB took over ten seconds in the instrumented build: each of 64,680 numbers was hashed for each node.
#[test]
fn a_file_of_many_joins_is_read_at_once() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fuzz/many_joins.onnx");
    let model = import(&std::fs::read(path).unwrap(), &ImportOptions::default()).unwrap();
    assert_eq!(model.info().graph.nodes.len(), 600);
}

fn varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

/// Protobuf: a field of stated length.
fn bytes(field: usize, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, (field << 3) | 2);
    varint(&mut out, payload.len());
    out.extend(payload);
    out
}

/// Protobuf: an integer.
fn int(field: usize, value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, field << 3);
    varint(&mut out, value);
    out
}

fn node(op: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|name| bytes(1, name.as_bytes())).collect::<Vec<_>>();
    bytes(1, &[inputs, bytes(2, output.as_bytes()), bytes(4, op.as_bytes())].concat())
}

fn value(field: usize, name: &str, sides: [usize; 4]) -> Vec<u8> {
    let sides = sides.iter().flat_map(|&side| bytes(1, &int(1, side))).collect::<Vec<_>>();
    let kind = bytes(2, &bytes(1, &[int(1, 1), bytes(2, &sides)].concat()));
    bytes(field, &[bytes(1, name.as_bytes()), kind].concat())
}

fn ints(name: &str, values: &[i64]) -> Vec<u8> {
    let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    bytes(5, &[int(1, values.len()), int(2, 7), bytes(8, name.as_bytes()), bytes(9, &raw)].concat())
}

fn file(graph: &[Vec<u8>], sides: [usize; 4]) -> Vec<u8> {
    let graph = [graph.concat(), value(11, "x", sides)].concat();
    [bytes(7, &graph), bytes(8, &int(2, 13))].concat()
}

/// Each sum copied a table of 4 MiB: 2 GiB of a file of 20 KiB, and more of a longer one.
#[test]
fn copies_of_a_table_are_limited() {
    let sides = [1, 3, 1024, 1024];
    let mut graph = vec![ints("s", &[1, 1, 1024, 1024]), node("ConstantOfShape", &["s"], "k")];
    for index in 0..500 {
        let name = format!("y{index}");
        graph.extend([node("Add", &["x", "k"], &name), value(12, &name, sides)]);
    }
    let error = import(&file(&graph, sides), &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("the graph is too large"), "{error}");
}

/// Twenty thousand maps of one name: finding a free number for each took time that grew with the square.
#[test]
fn many_maps_of_one_name_are_numbered_at_once() {
    let sides = [1, 3, 1, 8];
    let mut inputs = vec!["x"; 20_000];
    inputs[0] = "r";
    let graph = [node("Relu", &["x"], "r"), node("Sum", &inputs, "z"), value(12, "z", sides)];
    let error = import(&file(&graph, sides), &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("nodes are more than"), "{error}");
}
