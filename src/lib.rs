//! tilehawk finds small objects in large pictures, wholly on the GPU.

pub mod error;
pub mod geom;
pub mod gpu;
pub mod heads;
pub mod import;
mod kernels;
pub mod model;
pub mod stages;

pub use error::{Error, ErrorKind, Result};
pub use wgpu;
