//! Stands in for the parts of the library that are not joined yet; every call returns an error.

use serde::Serialize;
use std::convert::Infallible;
use tilehawk::geom::{GridOptions, Metric, RectPx};
use tilehawk::gpu::Context;
use tilehawk::model::Model;
use tilehawk::{Error, ErrorKind, Result};

fn missing<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, format!("{what} is not part of this build yet")))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    Auto,
    F32,
    F16,
}

#[derive(Clone, Debug)]
pub(crate) struct DetectorOptions {
    pub(crate) precision: Precision,
    pub(crate) batch: Option<u32>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) split_ms: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PixelFormat {
    Rgb8,
}

pub(crate) struct ImageView<'a>(std::marker::PhantomData<&'a [u8]>);

impl<'a> ImageView<'a> {
    pub(crate) fn new(_: u32, _: u32, _: PixelFormat, _: &'a [u8]) -> Result<Self> {
        Ok(Self(std::marker::PhantomData))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct DetectOptions {
    pub(crate) grid: GridOptions,
    pub(crate) confidence: f32,
    pub(crate) merge: MergeOptions,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Detection {
    pub(crate) rect: RectPx,
    pub(crate) score: f32,
    pub(crate) class_id: u32,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Stats {
    pub(crate) tiles: u32,
    pub(crate) submissions: u32,
    pub(crate) maps: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Detections {
    pub(crate) items: Vec<Detection>,
    pub(crate) stats: Stats,
}

pub(crate) struct Detector(Infallible);

impl Detector {
    pub(crate) fn new(_: &Context, _: &Model, _: DetectorOptions) -> Result<Self> {
        missing("the detector")
    }

    pub(crate) fn submit(&self, _: &ImageView<'_>, _: &DetectOptions) -> Result<Pending> {
        match self.0 {}
    }
}

pub(crate) struct Pending(Infallible);

impl Pending {
    pub(crate) fn wait(self) -> Result<Detections> {
        match self.0 {}
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Nms,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MergeOptions {
    pub(crate) algorithm: Algorithm,
    pub(crate) metric: Metric,
    pub(crate) threshold: f32,
    pub(crate) class_agnostic: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MergeBox {
    pub(crate) rect: RectPx,
    pub(crate) score: f32,
    pub(crate) class_id: u32,
}

pub(crate) struct Merged {
    pub(crate) kept: Vec<u32>,
}

pub(crate) fn merge_boxes(_: &Context, _: &[MergeBox], _: &MergeOptions) -> Result<Merged> {
    missing("the merge")
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ImportOptions {
    pub(crate) names: Option<Vec<String>>,
    pub(crate) name: Option<String>,
    pub(crate) licence: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) order: Option<tilehawk::model::ChannelOrder>,
    pub(crate) mean: Option<[f32; 3]>,
    pub(crate) std: Option<[f32; 3]>,
    pub(crate) resize: Option<tilehawk::geom::ResizeMode>,
    pub(crate) pad: Option<f32>,
    pub(crate) size: Option<[u32; 2]>,
    pub(crate) head_centre: Option<f32>,
}

pub(crate) fn import(_: &[u8], _: &ImportOptions) -> Result<Model> {
    missing("the ONNX import")
}
