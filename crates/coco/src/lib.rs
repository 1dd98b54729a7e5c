//! COCO data sets: reading, checking and writing them, and judging detections by them.
//!
//! Boxes are `[x, y, width, height]` in pixels of the picture as stored, at pixel edges. No device is used, and all
//! results are the same on every machine.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod breakdown;
mod curve;
mod dataset;
mod detections;
mod entries;
mod error;
mod evaluation;
mod fusion;
mod groups;
mod matching;
mod miss_rate;
mod names;
mod pairs;
#[cfg(feature = "plots")]
pub mod plots;
mod polygon;
mod raw;
mod repairs;
mod settings;
mod slice;
mod sliced;
mod tiny;
mod yolo;

pub use breakdown::{BREAKDOWN_PARTS, Breakdown, BreakdownClass};
pub use dataset::Dataset;
pub use detections::{Detection, Detections, DetectionsForm};
pub use entries::{Annotation, Category, Image};
pub use error::{Error, Result};
pub use evaluation::{ClassResult, Evaluation};
pub use fusion::{Assignment, InputBox, objects_per_level, s_alpha};
pub use names::ImageNames;
pub use pairs::pairs;
pub use repairs::{Repair, Repairs};
pub use settings::{AreaRange, Settings};
pub use slice::{Cut, Objects, ShapeFlaws};
pub use sliced::SlicedDataset;
pub use tiny::{TinyBin, TinyPerson};
pub use yolo::{yolo_line, yolo_yaml};
