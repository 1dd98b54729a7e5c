//! Named tensors, f32 in memory, f32 or f16 in the file.

use crate::error::{Error, Result};
use half::f16;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;

/// A dense tensor in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// Elements.
    pub data: Vec<f32>,
}

/// The tensors of a model by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    /// The tensor of that name.
    ///
    /// # Errors
    /// `Model` if there is none.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| Error::model(format!("there is no tensor \"{name}\"")))
    }

    /// Adds or replaces a tensor.
    ///
    /// # Errors
    /// `Model` if the shape does not hold the elements or one is not finite.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) -> Result<()> {
        let name = name.into();
        let count = tensor.shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        if count != Some(tensor.data.len()) {
            return Err(Error::model(format!(
                "tensor \"{name}\": shape {:?} does not hold {} elements",
                tensor.shape,
                tensor.data.len()
            )));
        }
        if let Some(index) = tensor.data.iter().position(|value| !value.is_finite()) {
            return Err(Error::model(format!(
                "tensor \"{name}\": element {index} is {}, which is not a weight",
                tensor.data[index]
            )));
        }
        self.tensors.insert(name, tensor);
        Ok(())
    }

    /// Removes a tensor.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.tensors.remove(name)
    }

    /// Names and tensors in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Number of elements of all tensors.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.data.len()).sum()
    }

    pub(super) fn from_safetensors(file: &SafeTensors<'_>) -> Result<Self> {
        let mut weights = Self::default();
        for (name, view) in file.tensors() {
            let data: Vec<f32> = match view.dtype() {
                Dtype::F32 => view
                    .data()
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
                Dtype::F16 => {
                    view.data().chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
                }
                other => {
                    return Err(Error::model(format!(
                        "tensor \"{name}\" is of type {other:?}: only F32 and F16 are read"
                    )));
                }
            };
            weights.insert(name, Tensor { shape: view.shape().to_vec(), data })?;
        }
        Ok(weights)
    }

    pub(super) fn to_bytes(&self, half: bool) -> Vec<(String, Dtype, Vec<usize>, Vec<u8>)> {
        let encode = |tensor: &Tensor| -> Vec<u8> {
            if half {
                tensor.data.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect()
            } else {
                tensor.data.iter().flat_map(|v| v.to_le_bytes()).collect()
            }
        };
        let dtype = if half { Dtype::F16 } else { Dtype::F32 };
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), dtype, tensor.shape.clone(), encode(tensor)))
            .collect()
    }
}
