//! Readers of other model formats. Pure: no GPU.

#[cfg(feature = "onnx")]
pub mod onnx;
