//! COCO data sets: reading, checking and writing them, and judging detections by them.
//!
//! Boxes are `[x, y, width, height]` in pixels of the picture as stored, at pixel edges. No device is used, and all
//! results are the same on every machine.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod dataset;
mod detections;
mod error;
mod fusion;
mod polygon;
mod raw;
mod repairs;
mod slice;
mod yolo;

pub use dataset::{Annotation, Category, Dataset, Image};
pub use detections::{Detection, Detections, DetectionsForm};
pub use error::{Error, Result};
pub use fusion::{Assignment, InputBox, objects_per_level, s_alpha};
pub use repairs::{Repair, Repairs};
pub use slice::{Cut, Objects, ShapeFlaws, SlicedDataset};
pub use yolo::{yolo_line, yolo_yaml};
