//! Constant tensors: decoding from the file, and indexing.

use super::proto::TensorProto;
use crate::error::{Error, Result};
use half::f16;

/// Constants that grow at import beyond their inputs may not have more elements.
pub(super) const MAX_FILLED: usize = 1 << 20;

/// A tensor known at import.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

/// Elements, widened: all integers and booleans to i64, all floats to f32.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Float(Vec<f32>),
    Int(Vec<i64>),
}

/// Elements of a shape, or none beyond `usize`.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side))
}

/// Row-major distance between neighbours on each axis.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

impl Constant {
    pub(super) fn ints(shape: Vec<usize>, data: Vec<i64>) -> Self {
        Self { shape, data: Data::Int(data) }
    }

    pub(super) fn floats(shape: Vec<usize>, data: Vec<f32>) -> Self {
        Self { shape, data: Data::Float(data) }
    }

    pub(super) fn len(&self) -> usize {
        match &self.data {
            Data::Float(data) => data.len(),
            Data::Int(data) => data.len(),
        }
    }

    pub(super) fn as_ints(&self) -> Option<&[i64]> {
        match &self.data {
            Data::Int(data) => Some(data),
            Data::Float(_) => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "ONNX casts integers the same way")]
    pub(super) fn to_floats(&self) -> Vec<f32> {
        match &self.data {
            Data::Float(data) => data.clone(),
            Data::Int(data) => data.iter().map(|&v| v as f32).collect(),
        }
    }

    /// The elements at `indices`, as a tensor of `shape`; none if an index is outside.
    pub(super) fn pick(&self, shape: Vec<usize>, indices: &[usize]) -> Option<Self> {
        fn pick<T: Copy>(data: &[T], indices: &[usize]) -> Option<Vec<T>> {
            indices.iter().map(|&index| data.get(index).copied()).collect()
        }
        let data = match &self.data {
            Data::Float(data) => Data::Float(pick(data, indices)?),
            Data::Int(data) => Data::Int(pick(data, indices)?),
        };
        Some(Self { shape, data })
    }

    /// Decodes a tensor of the file.
    pub(super) fn read(tensor: &TensorProto<'_>) -> Result<Self> {
        let at = |e: Error| e.at(format!("tensor \"{}\"", tensor.name));
        if let Some(external) = tensor.external {
            return Err(at(Error::unsupported(format!(
                "its data is in another file, \"{}\": import the model by its path, or save it as one file",
                external.location
            ))));
        }
        let shape = tensor
            .dims
            .iter()
            .map(|&side| usize::try_from(side))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| at(Error::model(format!("shape {:?} is negative", tensor.dims))))?;
        let data = match tensor.raw {
            Some(raw) => from_raw(tensor.data_type, raw),
            None => from_lists(tensor),
        };
        let data = data.map_err(at)?;
        let constant = Self { shape, data };
        if count(&constant.shape) != Some(constant.len()) {
            return Err(at(Error::model(format!(
                "shape {:?} does not hold {} elements",
                constant.shape,
                constant.len()
            ))));
        }
        Ok(constant)
    }
}

fn unknown_type(data_type: i64) -> Error {
    Error::unsupported(format!(
        "element type {data_type} is not read: only f32, f16, f64, i64, i32, i8, u8 and bool are"
    ))
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32 in this library")]
fn from_raw(data_type: i64, raw: &[u8]) -> Result<Data> {
    fn cells<const N: usize, T>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Result<Vec<T>> {
        let (cells, rest) = raw.as_chunks::<N>();
        if rest.is_empty() {
            Ok(cells.iter().map(|&cell| read(cell)).collect())
        } else {
            Err(Error::model("its data ends inside an element"))
        }
    }
    Ok(match data_type {
        1 => Data::Float(cells(raw, f32::from_le_bytes)?),
        10 => Data::Float(cells(raw, |b| f16::from_le_bytes(b).to_f32())?),
        11 => Data::Float(cells(raw, |b| f64::from_le_bytes(b) as f32)?),
        7 => Data::Int(cells(raw, i64::from_le_bytes)?),
        6 => Data::Int(cells(raw, |b| i64::from(i32::from_le_bytes(b)))?),
        3 => Data::Int(cells(raw, |b| i64::from(i8::from_le_bytes(b)))?),
        2 | 9 => Data::Int(raw.iter().map(|&b| i64::from(b)).collect()),
        other => return Err(unknown_type(other)),
    })
}

fn from_lists(tensor: &TensorProto<'_>) -> Result<Data> {
    Ok(match tensor.data_type {
        1 | 11 => Data::Float(tensor.floats.clone()),
        10 => Data::Float(
            tensor
                .ints
                .iter()
                .map(|&v| f16::from_bits(u16::try_from(v).unwrap_or(0x7e00)).to_f32())
                .collect(),
        ),
        2 | 3 | 6 | 7 | 9 => Data::Int(tensor.ints.clone()),
        other => return Err(unknown_type(other)),
    })
}
