//! Detection inside a host application's own command encoder.

use super::work::SourceKind;
use super::{DetectOptions, Detector};
use crate::error::{Error, Result};
use crate::gpu::encode;

/// Where [`Detector::encode`] leaves its result.
///
/// `header` starts with [`Header`](crate::stages::Header): its first four words are the arguments of an indirect
/// draw of four vertices (a triangle strip) per box. `boxes` holds [`Candidate`](crate::stages::Candidate)s of
/// 32 bytes, best first, as a storage or instance buffer.
#[derive(Clone, Debug)]
pub struct DetectionBuffers {
    /// Counters; usable as `INDIRECT`, `STORAGE` and `COPY_SRC`.
    pub header: wgpu::Buffer,
    /// Boxes; usable as `STORAGE`, `VERTEX` and `COPY_SRC`.
    pub boxes: wgpu::Buffer,
    /// Most boxes that fit.
    pub capacity: u32,
}

/// Refuses textures that the kernels cannot load from.
pub(super) fn check(detector: &Detector, view: &wgpu::TextureView) -> Result<()> {
    let texture = view.texture();
    let float = matches!(
        texture.format().sample_type(None, Some(detector.context().features())),
        Some(wgpu::TextureSampleType::Float { .. })
    );
    if texture.dimension() != wgpu::TextureDimension::D2 || texture.sample_count() != 1 || !float {
        return Err(Error::unsupported(format!(
            "a texture of {:?}, {} samples, {:?} cannot be read: it must be 2-D, of one sample and a float format",
            texture.dimension(),
            texture.sample_count(),
            texture.format()
        )));
    }
    if texture.format().components() < 3 {
        return Err(Error::unsupported(format!(
            "a texture of {:?} has fewer than three channels: copy it to one of four, such as Rgba8Unorm",
            texture.format()
        )));
    }
    if !texture.usage().contains(wgpu::TextureUsages::TEXTURE_BINDING) {
        return Err(Error::input("the texture was made without TEXTURE_BINDING usage"));
    }
    Ok(())
}

/// Whether loads from the view decode sRGB.
pub(super) fn is_srgb(view: &wgpu::TextureView) -> bool {
    view.texture().format().is_srgb()
}

impl Detector {
    /// Records the detection of a texture into the caller's encoder, which the caller submits to the queue of
    /// this detector's device. Nothing is read back, so nothing can grow: if the header's `candidates` exceeds
    /// its `capacity` or `undecided` is not 0 the result is incomplete; see [`Detector::reserve`].
    ///
    /// The buffers are overwritten by the next picture of this detector. While a [`Pending`](super::Pending) of the
    /// same detector exists do not submit what this recorded: use a detector for each of the two.
    ///
    /// # Errors
    /// As [`Detector::submit_texture`].
    pub fn encode(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        view: &wgpu::TextureView,
        options: &DetectOptions,
    ) -> Result<DetectionBuffers> {
        options.validate()?;
        check(self, view)?;
        let mut work = self.lock_work();
        let texture = view.texture();
        let size = [texture.width(), texture.height()];
        let chunks = work.prepare(&self.fixed, size, SourceKind::Texture, options)?.1.chunks();
        let textures = self.fixed.context.checked("preprocessing", || {
            let record = |chunk| work.record_texture(&self.fixed, chunk, (view, is_srgb(view)));
            (0..chunks).map(record).collect::<Result<Vec<_>>>()
        })??;
        work.generation += 1;
        let (lists, plan) = work.prepare(&self.fixed, size, SourceKind::Texture, options)?;
        for group in plan.groups(&textures, None) {
            encode(encoder, &group, None);
        }
        Ok(DetectionBuffers {
            header: lists.header.clone(),
            boxes: lists.boxes().clone(),
            capacity: lists.capacity,
        })
    }

    /// Makes room for `candidates` candidates, so that [`Detector::encode`] does not overflow with fewer.
    ///
    /// # Errors
    /// `Capacity` if the device cannot hold them.
    pub fn reserve(&self, candidates: u32) -> Result<()> {
        self.lock_work().reserve(&self.fixed, candidates).map(drop)
    }
}
