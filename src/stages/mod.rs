//! The steps from a picture to boxes, each over one or more kernels.

pub(crate) mod decode;
pub(crate) mod frame;
mod header;
pub(crate) mod infer;
pub(crate) mod merge;
pub(crate) mod plan;
pub(crate) mod preprocess;
pub(crate) mod rank;
pub(crate) mod weights;

pub use frame::{ImageView, PixelFormat};
pub use header::{Candidate, Header};

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "tests of small sizes")]
mod gpu_tests;
