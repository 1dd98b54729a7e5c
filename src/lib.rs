//! tilehawk finds small objects in large pictures, wholly on the GPU.

mod detector;
pub mod error;
pub mod forward;
pub mod geom;
pub mod gpu;
pub mod heads;
pub mod import;
mod kernels;
pub mod merge;
pub mod model;
#[doc(hidden)]
pub mod reference;
pub mod stages;

pub use detector::{
    DetectOptions, Detection, DetectionBuffers, Detections, Detector, DetectorOptions, Pending, Stats,
};
pub use error::{Error, ErrorKind, Result};
pub use forward::{Forward, Precision};
pub use merge::{Algorithm, BoxMerger, MergeBox, MergeOptions, MergeStats, Merged, merge_boxes};
pub use stages::{ImageView, PixelFormat};
pub use wgpu;
