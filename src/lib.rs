//! tilehawk finds small objects in large pictures, wholly on the GPU.
//!
//! A picture is cut into overlapping tiles; each is resized and normalised, a detector runs on all of them, and the
//! boxes are sorted and merged. All of it is WGSL compute shaders in one submission with one read-back, on any GPU
//! that [wgpu] runs on, or on a software driver.
//!
//! ```no_run
//! use tilehawk::gpu::{Context, ContextOptions};
//! use tilehawk::model::Model;
//! use tilehawk::{DetectOptions, Detector, DetectorOptions, ImageView, PixelFormat};
//!
//! fn main() -> tilehawk::Result<()> {
//!     let context = Context::new(&ContextOptions::default())?;
//!     let model = Model::load("yolox_nano.safetensors")?;
//!     let detector = Detector::new(&context, &model, DetectorOptions::default())?;
//!
//!     let (width, height, rgb) = (4000, 2250, vec![0; 4000 * 2250 * 3]);
//!     let image = ImageView::new(width, height, PixelFormat::Rgb8, &rgb)?;
//!     let found = detector.detect(&image, &DetectOptions::default())?;
//!     for item in &found.items {
//!         println!("{} {:.2} {:?}", model.label(item.class_id), item.score, item.rect);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! - [`Detector::detect`] waits; [`Detector::detect_async`] and [`Detector::submit`] do not, and several pictures may
//!   be in flight. No async runtime is needed.
//! - [`gpu::Context::from_device`] takes the device of a host application, and [`Detector::encode`] records into its
//!   command encoder and leaves the boxes in GPU buffers, ready for an indirect draw.
//! - [`BoxMerger`] merges boxes of any detector, [`Forward`] runs a network alone.
//! - [`Stats`] has the time of each stage and, with [`DetectorOptions::profile_layers`], of each layer; [`Ceilings`] what
//!   the device could do at most.
//! - [`model`] reads and writes model files; `import::onnx`, of the feature `onnx`, makes them from ONNX files.
//!
//! # Units
//!
//! Boxes are `x0 y0 x1 y1` in pixels of the whole picture, x to the right and y down, at pixel edges: pixel `i` spans
//! `[i, i + 1)`. Scores lie in 0 to 1, overlaps and thresholds too. Sizes named `_bytes` are bytes.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `onnx` | no | the ONNX importer; no further dependency |
//!
//! # wgpu
//!
//! This release uses wgpu 30, which [`wgpu`] re-exports; a device handed over must come from the same major version.
//! WebGPU's default limits suffice. 16-bit floats, subgroups and timestamps are used where the device has them.

mod ceilings;
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

pub use ceilings::Ceilings;
pub use detector::{
    DetectOptions, Detection, DetectionBuffers, Detections, Detector, DetectorOptions, Pending, Stats, Tuned,
};
pub use error::{Error, ErrorKind, Result};
pub use forward::{Forward, Precision};
pub use merge::{
    Algorithm, BoxMerger, GpuBoxes, MergeBox, MergeBuffers, MergeOptions, MergeStats, Merged, MergedBuffer,
    merge_boxes,
};
pub use stages::{ImageView, PixelFormat};
pub use wgpu;

/// The example of the README, compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
