//! Uploads through buffers that stay mapped from one picture to the next.

use super::Context;
use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};
use wgpu::BufferUsages;

/// Buffers that the host can write to at once. They come back by themselves once the device has copied from them.
#[derive(Debug)]
pub(crate) struct StagingRing {
    spare: Arc<Mutex<Vec<wgpu::Buffer>>>,
    /// Most bytes of spare buffers.
    most_bytes: u64,
}

/// Buffers written for a submission that is not sent yet.
#[derive(Debug, Default)]
#[must_use = "give them back with StagingRing::recycle"]
pub(crate) struct Staged(Vec<wgpu::Buffer>);

impl StagingRing {
    /// A ring that keeps at most `most_bytes` of buffers that are not in use.
    pub(crate) fn new(most_bytes: u64) -> Self {
        Self { spare: Arc::default(), most_bytes }
    }

    /// Records the upload of `bytes` to the start of `target`, up to three bytes of which follow them undefined.
    pub(crate) fn write(
        &self,
        context: &Context,
        encoder: &mut wgpu::CommandEncoder,
        target: &wgpu::Buffer,
        bytes: &[u8],
        staged: &mut Staged,
    ) -> Result<()> {
        let size = (bytes.len() as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        let buffer = self.take(context, size)?;
        match buffer.get_mapped_range_mut(..) {
            Ok(mut view) => view.slice(..bytes.len()).copy_from_slice(bytes),
            Err(error) => {
                let lost = context.lost_error();
                return Err(lost.unwrap_or_else(|| Error::device(format!("staging buffer: {error}"))));
            }
        }
        buffer.unmap();
        encoder.copy_buffer_to_buffer(&buffer, 0, target, 0, size);
        staged.0.push(buffer);
        Ok(())
    }

    /// Takes the buffers back after their submission was sent.
    pub(crate) fn recycle(&self, staged: Staged) {
        for buffer in staged.0 {
            let (spare, most_bytes, mapped) = (Arc::clone(&self.spare), self.most_bytes, buffer.clone());
            buffer.map_async(wgpu::MapMode::Write, .., move |result| {
                let mut spare = spare.lock().unwrap_or_else(PoisonError::into_inner);
                let kept: u64 = spare.iter().map(wgpu::Buffer::size).sum();
                if result.is_ok() && kept + mapped.size() <= most_bytes {
                    spare.push(mapped);
                }
            });
        }
    }

    /// A mapped buffer of `size` bytes.
    fn take(&self, context: &Context, size: u64) -> Result<wgpu::Buffer> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = spare.iter().position(|buffer| buffer.size() == size) {
            return Ok(spare.swap_remove(place));
        }
        drop(spare);
        let descriptor = wgpu::BufferDescriptor {
            label: Some("staging"),
            size,
            usage: BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        };
        context.checked("staging", || context.device().create_buffer(&descriptor))
    }
}
