//! tilehawk finds small objects in large pictures, wholly on the GPU.

pub mod error;
pub mod geom;
pub mod heads;
pub mod import;
pub mod model;
#[doc(hidden)]
pub mod reference;

pub use error::{Error, ErrorKind, Result};
