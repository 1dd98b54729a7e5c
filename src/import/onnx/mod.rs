//! Reads ONNX files: [`import`] turns one into a [`Model`].
//!
//! The protobuf reader is written by hand. The alternatives are generated code with its own compiler (prost)
//! or whole inference frameworks (tract, onnx-ir); the dozen messages needed here are small, and a reader of
//! our own can promise that a hostile file neither panics nor makes it allocate beyond a small multiple of the
//! file and fixed limits.
//!
//! Operator sets 7 to 24 are read. Reshapes, transposes, slices, splits and concatenations are followed
//! symbolically and cost a channel node, a rearrangement or a join only where a computation needs the map. Neither node names nor the
//! order of one exporter matter.

mod arithmetic;
mod beyond;
mod composed;
mod elementwise;
mod fold;
mod heads;
mod join;
mod lower;
mod materialise;
mod movement;
mod notes;
mod options;
mod order;
mod outputs;
mod products;
mod proto;
mod resample;
mod spread;
mod tensor;
mod view;
mod window;
mod wire;

pub use heads::HeadKind;
pub use options::ImportOptions;

use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::model::{Graph, Model, ModelInfo, Weights, fuse};
use lower::Lowering;
use proto::{GraphProto, ModelProto, NodeProto, ValueInfo};
use std::collections::{HashMap, HashSet};
use std::path::{Component, Path};
use std::rc::Rc;

/// Operator sets that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=24;

/// Reads an ONNX file.
///
/// # Errors
/// `Model` if the file is damaged or inconsistent, or if the class names do not fit its head; `Unsupported`,
/// naming the node, the operator and the attribute, if it is beyond what this library computes; `Input` if an
/// option does not fit the file.
pub fn import(bytes: &[u8], options: &ImportOptions) -> Result<Model> {
    import_proto(&ModelProto::read(bytes)?, options)
}

/// Reads an ONNX file and the files beside it that hold its weights, if any.
///
/// # Errors
/// As [`import`], and `Io` if a file cannot be read.
pub fn import_file(path: impl AsRef<Path>, options: &ImportOptions) -> Result<Model> {
    let path = path.as_ref();
    let read = |path: &Path| std::fs::read(path).map_err(|e| Error::from(e).at(path.display()));
    let bytes = read(path)?;
    let at = |e: Error| e.at(path.display());
    let mut proto = ModelProto::read(&bytes).map_err(at)?;
    let mut files: HashMap<String, Vec<u8>> = HashMap::new();
    for location in proto.graph.tensors().filter_map(|tensor| Some(tensor.external?.location)) {
        let inside = Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
        if location.is_empty() || !inside {
            return Err(at(Error::model(format!("external data \"{location}\" is not beside the model"))));
        }
        if !files.contains_key(location) {
            files.insert(location.to_owned(), read(&path.with_file_name(location))?);
        }
    }
    for tensor in proto.graph.tensors() {
        let Some(external) = tensor.external else { continue };
        let file = files.get(external.location).map_or(&[][..], Vec::as_slice);
        let end = external.length.map_or(Some(file.len()), |length| external.offset.checked_add(length));
        let data = end.and_then(|end| file.get(external.offset..end)).ok_or_else(|| {
            at(Error::model(format!("tensor \"{}\" lies beyond \"{}\"", tensor.name, external.location)))
        })?;
        (tensor.raw, tensor.external) = (Some(data), None);
    }
    import_proto(&proto, options).map_err(at)
}

fn import_proto(proto: &ModelProto<'_>, options: &ImportOptions) -> Result<Model> {
    if !OPSETS.contains(&proto.opset) {
        return Err(Error::unsupported(format!(
            "operator set {} is outside {}..={}: export the model with one of these",
            proto.opset,
            OPSETS.start(),
            OPSETS.end()
        )));
    }
    let options = &notes::with_notes(options, proto);
    let lowered = lower(&proto.graph, proto.opset, options)?;
    finish(&proto.graph, lowered, options)
}

/// A graph before fusion.
struct Lowered {
    graph: Graph,
    weights: Weights,
    size: [u32; 2],
    head: Option<heads::Found>,
}

fn lower<'a>(proto: &'a GraphProto<'a>, opset: i64, options: &ImportOptions) -> Result<Lowered> {
    let mut lowering = Lowering::new(proto, opset);
    let inputs: Vec<_> = proto.inputs.iter().filter(|i| !lowering.is_initializer(i.name)).collect();
    let (pictures, others): (Vec<_>, Vec<_>) = inputs.into_iter().partition(|input| input.dims.len() == 4);
    let &[input] = pictures.as_slice() else {
        return Err(Error::unsupported(format!(
            "the graph has {} inputs of 4 axes: only one picture is read",
            pictures.len()
        )));
    };
    let (size, channels_last, batch) =
        input_size(&input.dims, options).map_err(|e| e.at(format!("input \"{}\"", input.name)))?;
    lowering.batch = batch;
    for other in others {
        lowering.set(other.name, picture_fact(other, size)?)?;
    }
    lowering.input(input.name, Shape::new(3, size[0], size[1]), channels_last)?;
    let given: HashSet<&str> = proto.inputs.iter().map(|input| input.name).collect();
    for node in order::live(proto, &|name| given.contains(name) || lowering.is_initializer(name))? {
        lowering.node(node).map_err(|e| e.at(place(node)))?;
    }
    let mut names: Vec<&str> = Vec::with_capacity(proto.outputs.len());
    for value in &proto.outputs {
        if !matches!(lowering.value(value.name)?, lower::Value::Beyond) {
            names.push(value.name);
        }
    }
    if names.len() < proto.outputs.len() {
        names.extend(lowering.frontier.clone());
    }
    for name in names {
        outputs::add(&mut lowering, name).map_err(|e| e.at(format!("output \"{name}\"")))?;
    }
    let head = heads::find(&mut lowering, size, options)?;
    Ok(Lowered { graph: lowering.graph, weights: lowering.weights, size, head })
}

fn finish(proto: &GraphProto<'_>, lowered: Lowered, options: &ImportOptions) -> Result<Model> {
    let Lowered { graph, weights, size, head } = lowered;
    let (head, count) = head.map_or((None, None), |found| (Some(found.head), Some(found.classes)));
    let keep: Vec<&str> = head.as_ref().map(|head| head.maps()).unwrap_or_default();
    let (graph, weights) = fuse(graph, weights, &keep);
    let name = options.name.clone().unwrap_or_else(|| proto.name.to_owned());
    let input = options.input_spec(size, head.as_ref());
    let info = ModelInfo {
        licence: options.licence.clone(),
        source: options.source.clone(),
        classes: options.class_names(count)?,
        head,
        ..ModelInfo::new(name, input, graph)
    };
    Model::new(info, weights)
}

/// A second input: facts about the picture as PaddleDetection's files take them, the size of the input or the scale from
/// the picture to it, which is 1 since boxes are wanted in pixels of the input.
fn picture_fact(input: &ValueInfo<'_>, [height, width]: [u32; 2]) -> Result<lower::Value> {
    if !matches!(input.dims.as_slice(), [_, Some(2)]) {
        return Err(Error::unsupported(format!(
            "input \"{}\" of shape {:?} is neither a picture nor two facts about it, [1, 2]",
            input.name, input.dims
        )));
    }
    let values = if input.name.contains("shape") {
        [height, width].map(|side| f32::from(u16::try_from(side).unwrap_or(u16::MAX)))
    } else {
        [1.0; 2]
    };
    Ok(lower::Value::Constant(Rc::new(tensor::Constant::floats(vec![1, 2], values.to_vec()))))
}

/// Height and width of the input, whether its channels come last, and the batch that the file fixes.
fn input_size(dims: &[Option<i64>], options: &ImportOptions) -> Result<([u32; 2], bool, usize)> {
    let &[batch, a, b, c] = dims else {
        return Err(Error::unsupported(format!(
            "it has {} axes: only [1, 3, height, width] and [1, height, width, 3] are read",
            dims.len()
        )));
    };
    let (sides, channels_last) = match (a, c) {
        (Some(3), _) => ([b, c], false),
        (_, Some(3)) => ([a, b], true),
        _ => return Err(Error::unsupported(format!("neither axis 1 nor axis 3 of {dims:?} has 3 channels"))),
    };
    let mut size = [0; 2];
    for (axis, side) in sides.into_iter().enumerate() {
        let wanted = options.size.map(|size| size[axis]);
        let side = side.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        size[axis] = match (side, wanted) {
            (Some(side), Some(wanted)) if side != wanted => {
                return Err(Error::input(format!("the file fixes a side of {side}, not {wanted}")));
            }
            (Some(side), _) => side,
            (None, Some(wanted)) => wanted,
            (None, None) => {
                return Err(Error::input("the file leaves its height and width open: give the input size"));
            }
        };
    }
    let batch = usize::try_from(batch.unwrap_or(1)).unwrap_or(1);
    Ok((size, channels_last, batch))
}

/// Where a node's error lies.
fn place(node: &NodeProto<'_>) -> String {
    match (node.name, node.outputs.first()) {
        ("", Some(output)) => format!("the {} that makes \"{output}\"", node.op),
        (name, _) => format!("node \"{name}\" ({})", node.op),
    }
}
