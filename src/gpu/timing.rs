//! The time of a recording.

use super::{Context, Marks, Profile, Recording, encode, map_read};
use crate::error::{Error, Result};
use std::time::Instant;
use wgpu::BufferUsages;

/// Milliseconds that a recording of one stage takes: on the GPU's clock where it has one, else from submission to completion.
pub(crate) fn time_ms(context: &Context, recording: &Recording) -> Result<f64> {
    let mut profile = Profile::new(context, Marks { stages: 2, layers: 0 })?;
    let bytes = profile.as_ref().map_or(0, Profile::bytes);
    let target = context.buffer("times", bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?;
    let started = Instant::now();
    let submission = context.checked("timing", || {
        let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encode(&mut encoder, &[recording], profile.as_mut());
        if let Some(profile) = &profile {
            profile.resolve(&mut encoder, &target, 0);
        }
        context.queue().submit([encoder.finish()])
    })?;
    map_read(context, &target, submission)?.wait()?;
    let wall = started.elapsed().as_secs_f64() * 1e3;
    let Some(profile) = profile else { return Ok(wall) };
    let view = target.get_mapped_range(..).map_err(|e| Error::device(e.to_string()))?;
    let times = profile.times(&view, context.queue().get_timestamp_period());
    // A clock that stands still or runs wild is not believed.
    let believed = times.stages.first().map(|stage| stage.ms).filter(|ms| *ms > 0.0 && *ms <= wall);
    Ok(believed.unwrap_or(wall))
}
