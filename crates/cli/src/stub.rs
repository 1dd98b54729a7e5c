//! Stands in for the detector of the library until it is joined; every call returns an error.

use serde::Serialize;
use std::convert::Infallible;
use tilehawk::geom::{GridOptions, RectPx};
use tilehawk::gpu::Context;
use tilehawk::model::Model;
use tilehawk::{Error, ErrorKind, MergeOptions, Precision, Result};

fn missing<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, format!("{what} is not part of this build yet")))
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
