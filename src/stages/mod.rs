//! The steps from a picture to boxes, each over one or more kernels.

mod header;
pub(crate) mod merge;
pub(crate) mod rank;

pub use header::{Candidate, Header};
