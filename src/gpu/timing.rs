//! The time of a recording.

use super::{Context, Marks, Profile, Recording, encode, map_read};
use crate::error::{Error, Result};
use std::time::Instant;
use wgpu::BufferUsages;

/// How long a recording took, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed {
    /// On the GPU's clock, where it has one that can be believed.
    pub(crate) gpu_ms: Option<f64>,
    /// From submission to completion.
    pub(crate) wall_ms: f64,
}

/// Runs a recording of one stage.
pub(crate) fn time(context: &Context, recording: &Recording) -> Result<Elapsed> {
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
    let wall_ms = started.elapsed().as_secs_f64() * 1e3;
    let Some(profile) = profile else { return Ok(Elapsed { gpu_ms: None, wall_ms }) };
    let view = target.get_mapped_range(..).map_err(|e| Error::device(e.to_string()))?;
    let times = profile.times(&view, context.queue().get_timestamp_period());
    // A clock that stands still or runs wild is not believed.
    let gpu_ms = times.stages.first().map(|stage| stage.ms).filter(|ms| *ms > 0.0 && *ms <= wall_ms);
    Ok(Elapsed { gpu_ms, wall_ms })
}
