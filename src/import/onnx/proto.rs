//! The ONNX messages the importer needs. Nesting is fixed by the types: no message here contains itself, so a
//! hostile file cannot make the reader recurse. Unknown fields are skipped.

use super::wire::{Fields, Wire};
use crate::error::{Error, Result};

/// `ModelProto`: the version of the default operator set and the graph.
#[derive(Debug)]
pub(super) struct ModelProto<'a> {
    pub(super) opset: i64,
    /// What the exporter noted about the model.
    pub(super) notes: Vec<(&'a str, &'a str)>,
    pub(super) graph: GraphProto<'a>,
}

/// `GraphProto`.
#[derive(Debug, Default)]
pub(super) struct GraphProto<'a> {
    pub(super) name: &'a str,
    pub(super) nodes: Vec<NodeProto<'a>>,
    pub(super) initializers: Vec<TensorProto<'a>>,
    pub(super) inputs: Vec<ValueInfo<'a>>,
    pub(super) outputs: Vec<ValueInfo<'a>>,
}

/// `NodeProto`.
#[derive(Debug, Default)]
pub(super) struct NodeProto<'a> {
    pub(super) name: &'a str,
    pub(super) op: &'a str,
    pub(super) domain: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) attributes: Vec<(&'a str, Attribute<'a>)>,
}

/// The value of an `AttributeProto`.
#[derive(Debug)]
pub(super) enum Attribute<'a> {
    Float(f32),
    Int(i64),
    Text(&'a str),
    Tensor(TensorProto<'a>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Other,
}

/// `TensorProto`, not yet decoded.
#[derive(Debug, Default)]
pub(super) struct TensorProto<'a> {
    pub(super) name: &'a str,
    pub(super) dims: Vec<i64>,
    pub(super) data_type: i64,
    pub(super) raw: Option<&'a [u8]>,
    pub(super) floats: Vec<f32>,
    pub(super) ints: Vec<i64>,
    /// Where its elements lie in another file.
    pub(super) external: Option<External<'a>>,
}

/// Elements of a tensor in another file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct External<'a> {
    /// Path from the folder of the model.
    pub(super) location: &'a str,
    /// First byte.
    pub(super) offset: usize,
    /// Bytes; to the end of the file if none.
    pub(super) length: Option<usize>,
}

/// `ValueInfoProto`; an unknown or symbolic size is none.
#[derive(Debug, Default)]
pub(super) struct ValueInfo<'a> {
    pub(super) name: &'a str,
    /// The type of its elements, as a tensor states it; 0 if unknown.
    pub(super) data_type: i64,
    pub(super) dims: Vec<Option<i64>>,
}

impl<'a> ModelProto<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self> {
        let (mut opset, mut graph, mut notes) = (None, None, Vec::new());
        let mut fields = Fields::new(bytes);
        while let Some((field, wire)) = fields.next()? {
            match field {
                7 => graph = Some(GraphProto::read(wire.bytes()?)?),
                8 => {
                    let (mut domain, mut version) = ("", 0);
                    let mut inner = Fields::new(wire.bytes()?);
                    while let Some((field, wire)) = inner.next()? {
                        match field {
                            1 => domain = wire.text()?,
                            2 => version = wire.int()?,
                            _ => {}
                        }
                    }
                    if domain.is_empty() || domain == "ai.onnx" {
                        opset = Some(version);
                    }
                }
                14 => notes.push(entry(wire)?),
                _ => {}
            }
        }
        let graph = graph.ok_or_else(|| Error::model("not an ONNX file: it has no graph"))?;
        let opset = opset.ok_or_else(|| Error::model("not an ONNX file: it names no operator set"))?;
        Ok(Self { opset, notes, graph })
    }
}

impl<'a> GraphProto<'a> {
    /// All tensors of the graph.
    pub(super) fn tensors(&mut self) -> impl Iterator<Item = &mut TensorProto<'a>> {
        let attributes = self.nodes.iter_mut().flat_map(|node| &mut node.attributes);
        let values = attributes.filter_map(|(_, attribute)| match attribute {
            Attribute::Tensor(tensor) => Some(tensor),
            _ => None,
        });
        self.initializers.iter_mut().chain(values)
    }

    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut graph = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some((field, wire)) = fields.next()? {
            match field {
                1 => graph.nodes.push(NodeProto::read(wire.bytes()?)?),
                2 => graph.name = wire.text()?,
                5 => graph.initializers.push(TensorProto::read(wire.bytes()?)?),
                11 => graph.inputs.push(ValueInfo::read(wire.bytes()?)?),
                12 => graph.outputs.push(ValueInfo::read(wire.bytes()?)?),
                _ => {}
            }
        }
        Ok(graph)
    }
}

impl<'a> NodeProto<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut node = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some((field, wire)) = fields.next()? {
            match field {
                1 => node.inputs.push(wire.text()?),
                2 => node.outputs.push(wire.text()?),
                3 => node.name = wire.text()?,
                4 => node.op = wire.text()?,
                5 => node.attributes.push(read_attribute(wire.bytes()?)?),
                7 => node.domain = wire.text()?,
                _ => {}
            }
        }
        Ok(node)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// An integer attribute or its default; one of another type counts as absent.
    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        match self.attribute(name) {
            Some(Attribute::Int(value)) => *value,
            _ => default,
        }
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        match self.attribute(name) {
            Some(Attribute::Float(value)) => *value,
            _ => default,
        }
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attribute(name) {
            Some(Attribute::Ints(values)) => Some(values),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str, default: &'static str) -> &str {
        match self.attribute(name) {
            Some(Attribute::Text(value)) => value,
            _ => default,
        }
    }
}

fn read_attribute(bytes: &[u8]) -> Result<(&str, Attribute<'_>)> {
    let (mut name, mut kind) = ("", 0);
    let (mut float, mut int, mut text, mut tensor) = (None, None, None, None);
    let (mut floats, mut ints) = (Vec::new(), Vec::new());
    let mut fields = Fields::new(bytes);
    while let Some((field, wire)) = fields.next()? {
        match field {
            1 => name = wire.text()?,
            2 => float = Some(wire.float()?),
            3 => int = Some(wire.int()?),
            4 => text = std::str::from_utf8(wire.bytes()?).ok(),
            5 => tensor = Some(TensorProto::read(wire.bytes()?)?),
            7 => wire.floats(&mut floats)?,
            8 => wire.ints(&mut ints)?,
            20 => kind = wire.int()?,
            _ => {}
        }
    }
    let value = match (kind, float, int, text, tensor) {
        (1, float, ..) => Attribute::Float(float.unwrap_or(0.0)),
        (2, _, int, ..) => Attribute::Int(int.unwrap_or(0)),
        (3, _, _, text, _) => Attribute::Text(text.unwrap_or("")),
        (0 | 4, _, _, _, Some(tensor)) => Attribute::Tensor(tensor),
        (6, ..) => Attribute::Floats(floats),
        (7, ..) => Attribute::Ints(ints),
        // Files older than IR version 2 do not state the type.
        (0, Some(float), ..) => Attribute::Float(float),
        (0, _, Some(int), ..) => Attribute::Int(int),
        (0, _, _, Some(text), _) => Attribute::Text(text),
        (0, ..) if !floats.is_empty() => Attribute::Floats(floats),
        (0, ..) if !ints.is_empty() => Attribute::Ints(ints),
        _ => Attribute::Other,
    };
    Ok((name, value))
}

impl<'a> TensorProto<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut tensor = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some((field, wire)) = fields.next()? {
            match field {
                1 => wire.ints(&mut tensor.dims)?,
                2 => tensor.data_type = wire.int()?,
                4 => wire.floats(&mut tensor.floats)?,
                5 | 7 => wire.ints(&mut tensor.ints)?,
                8 => tensor.name = wire.text()?,
                9 => tensor.raw = Some(wire.bytes()?),
                10 => wire.doubles(&mut tensor.floats)?,
                13 => tensor.external.get_or_insert_default().entry(wire)?,
                14 if wire.int()? == 1 => {
                    tensor.external.get_or_insert_default();
                }
                _ => {}
            }
        }
        Ok(tensor)
    }
}

impl<'a> External<'a> {
    /// Reads a key and its value.
    fn entry(&mut self, wire: Wire<'a>) -> Result<()> {
        let (key, value) = entry(wire)?;
        let number = || {
            value.parse::<usize>().map_err(|_| Error::model(format!("external data: {key} is \"{value}\"")))
        };
        match key {
            "location" => self.location = value,
            "offset" => self.offset = number()?,
            "length" => self.length = Some(number()?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> ValueInfo<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut info = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some((field, wire)) = fields.next()? {
            match field {
                1 => info.name = wire.text()?,
                2 => {
                    for tensor in within(wire, 1)? {
                        for data_type in within(tensor, 1)? {
                            info.data_type = data_type.int()?;
                        }
                    }
                    for shape in within(wire, 1)?.into_iter().map(|tensor| within(tensor, 2)) {
                        for dim in shape?.into_iter().map(|shape| within(shape, 1)) {
                            for dim in dim? {
                                info.dims.push(size_of(dim)?);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(info)
    }
}

/// A `StringStringEntryProto`.
fn entry(wire: Wire<'_>) -> Result<(&str, &str)> {
    let (mut key, mut value) = ("", "");
    let mut fields = Fields::new(wire.bytes()?);
    while let Some((field, wire)) = fields.next()? {
        match field {
            1 => key = wire.text()?,
            2 => value = wire.text()?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// All fields of that number of an embedded message.
fn within(wire: Wire<'_>, number: u64) -> Result<Vec<Wire<'_>>> {
    let mut found = Vec::new();
    let mut fields = Fields::new(wire.bytes()?);
    while let Some((field, wire)) = fields.next()? {
        if field == number {
            found.push(wire);
        }
    }
    Ok(found)
}

fn size_of(dim: Wire<'_>) -> Result<Option<i64>> {
    let size = within(dim, 1)?.first().map(|wire| wire.int()).transpose()?;
    Ok(size.filter(|&size| size > 0))
}
