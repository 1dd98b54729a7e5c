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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::map_read;
    use crate::gpu::testing::context;

    /// Sends `parts` one after another, all before the first is waited for, and reads them back.
    fn send(context: &Context, ring: &StagingRing, parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let target = context.storage("target", 64).unwrap();
        let sent = parts.iter().map(|bytes| {
            let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
            let back = context.buffer("back", 64, usage).unwrap();
            let mut encoder =
                context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut staged = Staged::default();
            ring.write(context, &mut encoder, &target, bytes, &mut staged).unwrap();
            encoder.copy_buffer_to_buffer(&target, 0, &back, 0, 64);
            let submission = context.queue().submit([encoder.finish()]);
            ring.recycle(staged);
            (map_read(context, &back, submission).unwrap(), back, bytes.len())
        });
        let sent: Vec<_> = sent.collect();
        let read = sent.iter().map(|(signal, back, len)| {
            signal.wait().unwrap();
            back.get_mapped_range(..).unwrap()[..*len].to_vec()
        });
        read.collect()
    }

    #[test]
    fn buffers_come_back_and_keep_what_they_carry_apart() {
        let Some(context) = context() else { return };
        let ring = StagingRing::new(20);
        let spare = || ring.spare.lock().unwrap().iter().map(wgpu::Buffer::size).collect::<Vec<_>>();
        let parts: [&[u8]; 3] = [&[1; 7], &[2; 8], &[3; 5]];
        assert_eq!(send(&context, &ring, &parts), parts);
        // Three were in flight at once; 20 bytes hold two of them.
        assert_eq!(spare(), [8, 8]);
        let kept: Vec<wgpu::Buffer> = ring.spare.lock().unwrap().clone();
        assert_eq!(send(&context, &ring, &[&[4; 6]]), [[4; 6]]);
        assert!(ring.spare.lock().unwrap().iter().all(|buffer| kept.contains(buffer)));
        // One of another size does not fit beside them.
        assert_eq!(send(&context, &ring, &[&[5; 9]]), [[5; 9]]);
        assert_eq!(spare(), [8, 8]);
    }
}
