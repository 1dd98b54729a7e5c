//! Image in, detections out: tiling, network, decoding and merging in one submission with one read-back.

mod detections;
mod options;
mod pending;
mod texture;
mod tune;
mod work;

pub use detections::{Detection, Detections, Stats};
pub use options::{DetectOptions, DetectorOptions};
pub use pending::Pending;
pub use texture::DetectionBuffers;
pub use tune::Tuned;

use crate::error::{Error, Result};
use crate::gpu::Context;
use crate::kernels::nn::Launch;
use crate::model::{Cost, Model};
use crate::stages::ImageView;
use crate::stages::plan::fused_pairs;
use pending::{Slot, Source};
use std::sync::{Mutex, MutexGuard, PoisonError};
use work::{Fixed, Work};

/// A model on a device, ready for pictures. `Send + Sync`; pictures may be submitted from several threads.
#[derive(Debug)]
pub struct Detector {
    fixed: Fixed,
    work: Mutex<Work>,
    slots: Mutex<Vec<Slot>>,
}

impl Detector {
    /// Uploads the weights and plans the memory of `model`.
    ///
    /// # Errors
    /// `Model` if the model has no known head, `Capacity` if one tile does not fit the device, `Unsupported` if
    /// the precision asked for does not exist there.
    pub fn new(context: &Context, model: &Model, options: DetectorOptions) -> Result<Self> {
        let fixed = Fixed::new(context, model, options)?;
        Ok(Self { fixed, work: Mutex::default(), slots: Mutex::default() })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.fixed.model
    }

    /// The device.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.fixed.context
    }

    /// What one tile costs as this detector runs the first chunk of a picture of `tiles` tiles: nodes that share a dispatch count
    /// as the last of them. A first convolution that reads the picture itself counts as if it read the network's input.
    ///
    /// # Errors
    /// As [`Model::cost`].
    pub fn cost(&self, tiles: u32) -> Result<Cost> {
        let Fixed { context, model, plan, weights, max_batch, .. } = &self.fixed;
        let chunks = tiles.div_ceil(*max_batch).max(1);
        let launch = Launch { f16: weights.f16, tiles: tiles.div_ceil(chunks).max(1) };
        model.cost_of(plan, fused_pairs(context, model, plan, launch)?)
    }

    /// Finds the objects of a picture and waits for them.
    ///
    /// # Errors
    /// `Input` if an option is out of range, `Capacity` if the device cannot hold the work, `Device` if it fails.
    pub fn detect(&self, image: &ImageView<'_>, options: &DetectOptions) -> Result<Detections> {
        self.submit(image, options)?.wait()
    }

    /// [`Detector::detect`] as a future; needs no runtime.
    ///
    /// # Errors
    /// As [`Detector::detect`].
    pub async fn detect_async(&self, image: &ImageView<'_>, options: &DetectOptions) -> Result<Detections> {
        self.submit(image, options)?.await
    }

    /// Sends a picture off without waiting. Several may be in flight; they run in the order they were sent.
    ///
    /// # Errors
    /// As [`Detector::detect`].
    pub fn submit<'a>(&'a self, image: &ImageView<'a>, options: &DetectOptions) -> Result<Pending<'a>> {
        self.send(Source::Image(*image), options)
    }

    /// Finds the objects of a texture of this device: 2-D, one sample, a filterable or unfilterable float format
    /// such as `Rgba8Unorm`; the view has the texture's own format and its first level. Values of sRGB formats
    /// are encoded back, since networks see pixels as stored; values below 0 count as 0. The texture must not change
    /// before the result is there: a picture with more candidates than fit runs again.
    ///
    /// # Errors
    /// As [`Detector::detect`], and `Unsupported` for another kind of texture.
    pub fn submit_texture<'a>(
        &'a self,
        view: &'a wgpu::TextureView,
        options: &DetectOptions,
    ) -> Result<Pending<'a>> {
        texture::check(self, view)?;
        self.send(Source::Texture(view), options)
    }

    fn send<'a>(&'a self, source: Source<'a>, options: &DetectOptions) -> Result<Pending<'a>> {
        options.validate()?;
        let mut stats = Stats::default();
        let flight = pending::launch(self, &mut self.lock_work(), source, options, &mut stats)?;
        Ok(Pending::new(self, source, options.clone(), flight, stats))
    }

    fn lock_work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of a result whose last kernel did not run.
fn unfinished() -> Error {
    Error::device(
        "the device did not finish the picture (a watchdog may have stopped it); \
         try a smaller batch or `tiles_per_submission`",
    )
}
