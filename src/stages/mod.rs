//! The steps from a picture to boxes, each over one or more kernels.

mod header;

pub use header::{Candidate, Header};
