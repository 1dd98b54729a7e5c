//! GPU time per stage, from timestamps inside the one compute pass where the device has them.

use super::Context;
use crate::error::Result;

/// GPU time of one stage of a picture.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct StageTime {
    /// Name of the stage.
    pub stage: &'static str,
    /// Milliseconds on the GPU, summed over chunks.
    pub ms: f64,
}

/// Timestamps of one submission.
#[derive(Debug)]
pub(crate) struct Profile {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    capacity: u32,
    names: Vec<&'static str>,
}

impl Profile {
    /// Room for `marks` stage marks and the end; `None` where the device has no timestamps inside passes.
    pub(crate) fn new(context: &Context, marks: u32) -> Result<Option<Self>> {
        let capacity = marks.saturating_add(1).min(wgpu::QUERY_SET_MAX_QUERIES);
        let needed = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        if !context.features().contains(needed) {
            return Ok(None);
        }
        let descriptor = wgpu::QuerySetDescriptor {
            label: Some("stage times"),
            ty: wgpu::QueryType::Timestamp,
            count: capacity,
        };
        let queries = context.checked("stage times", || context.device().create_query_set(&descriptor))?;
        let resolved = context.buffer(
            "stage times",
            u64::from(capacity) * 8,
            wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
        )?;
        Ok(Some(Self { queries, resolved, capacity, names: Vec::new() }))
    }

    pub(crate) fn mark(&mut self, pass: &mut wgpu::ComputePass<'_>, name: &'static str) {
        let index = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        if index < self.capacity {
            pass.write_timestamp(&self.queries, index);
            self.names.push(name);
        }
    }

    /// Forgets the marks of an earlier submission.
    pub(crate) fn restart(&mut self) {
        self.names.clear();
    }

    /// Bytes that [`Profile::resolve`] writes.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.capacity) * 8
    }

    /// Copies the timestamps into `target` at `offset`.
    pub(crate) fn resolve(&self, encoder: &mut wgpu::CommandEncoder, target: &wgpu::Buffer, offset: u64) {
        let count = u32::try_from(self.names.len()).unwrap_or(0);
        encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, target, offset, u64::from(count) * 8);
    }

    /// Times per stage from the bytes that were read back; `period_ns` is the queue's timestamp period.
    #[expect(clippy::cast_precision_loss, reason = "a duration, not a count")]
    pub(crate) fn times(&self, bytes: &[u8], period_ns: f32) -> Vec<StageTime> {
        let ticks: Vec<u64> = bytes
            .chunks_exact(8)
            .take(self.names.len())
            .map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
            .collect();
        let mut times: Vec<StageTime> = Vec::new();
        for (pair, &stage) in ticks.windows(2).zip(&self.names) {
            let ms = pair[1].saturating_sub(pair[0]) as f64 * f64::from(period_ns) / 1e6;
            if stage.is_empty() {
                continue;
            }
            match times.iter_mut().find(|time| time.stage == stage) {
                Some(time) => time.ms += ms,
                None => times.push(StageTime { stage, ms }),
            }
        }
        times
    }
}
