//! Times a few ways to run each convolution on the device at hand, and keeps the fastest.

use super::Detector;
use super::work::{Fixed, chunk_ranges};
use crate::error::{Error, Result};
use crate::gpu::{Elapsed, Recorder, Recording, map_read, time};
use crate::kernels::nn::tiling::Tiling;
use crate::stages::infer::{Arenas, Network};
use half::f16;
use std::collections::BTreeSet;
use wgpu::BufferUsages;

/// A trial of less is repeated until it takes as long, in milliseconds.
const ENOUGH_MS: f64 = 3.0;
/// Repetitions of a trial at most.
const MOST_REPEATS: u32 = 64;
/// Trials of a candidate; the fastest counts.
const TRIALS: u32 = 3;
/// What a candidate must gain on the default: less is noise, and would change from run to run.
const GAIN: f64 = 0.03;
/// Bytes that are compared at the beginning and at the end of a map, at most.
const COMPARED_BYTES: u64 = 1 << 20;
/// |a - b| / max(1, |b|) allowed between candidates, in f32 and f16: a driver may fuse multiplications with additions in one
/// of them, and cooperative matrices, which are for f16 alone, add in another order.
const TOLERANCE: [f32; 2] = [1e-4, 2e-2];

/// What [`Detector::tune`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuned {
    /// Classes of work that were timed.
    pub timed: usize,
    /// Those of them where something beat the default.
    pub changed: usize,
    /// Candidates that the driver refused or computed wrongly, and that were left out.
    pub rejected: usize,
}

impl Detector {
    /// Times a few ways to run each convolution of the network in the chunks that a picture of `tiles` tiles is computed in, and
    /// keeps the fastest of each in [`Context::tunings`](crate::gpu::Context::tunings), for this detector and all later ones
    /// of the context. Classes of work that have a choice are left alone.
    ///
    /// It takes about as long as some hundred pictures, compilation of shaders included, and pictures of this detector wait for
    /// it. Results do not change beyond the rounding that a driver adds: every candidate adds in the same order, and
    /// one whose result is off by more than 1e-4 (f32) or 2e-2 (f16) of max(1, value) is not used. Only candidates on cooperative
    /// matrices ([`ContextOptions::matrices`](crate::gpu::ContextOptions::matrices)) add in another order: there the last digit of
    /// f16 may change.
    ///
    /// # Errors
    /// `Device` if the device fails, `Capacity` if it cannot hold a chunk. What was chosen before the error is kept.
    pub fn tune(&self, tiles: u32) -> Result<Tuned> {
        let mut work = self.lock_work();
        // Frees the memory of chunks, and drops what was recorded with other choices.
        work.forget();
        let chunks = chunk_ranges(tiles as usize, self.fixed.max_batch);
        let lengths: BTreeSet<u32> = chunks.iter().map(|range| (range.end - range.start).max(1)).collect();
        let mut tuned = Tuned::default();
        for tiles in lengths {
            tune_chunk(&self.fixed, tiles, &mut tuned)?;
        }
        Ok(tuned)
    }
}

fn tune_chunk(fixed: &Fixed, tiles: u32, tuned: &mut Tuned) -> Result<()> {
    let arenas = Arenas::new(&fixed.context, &fixed.plan, fixed.weights.f16, tiles)?;
    arenas.fill(&fixed.context, fixed.weights.f16)?;
    let network = fixed.network(&arenas);
    for &index in &fixed.plan.nodes {
        let Some(class) = network.class(index, tiles) else { continue };
        if class.chosen(&fixed.context).is_some() {
            continue;
        }
        let trials = Trials { fixed, network: &network, index, tiles };
        let candidates = class.candidates(&fixed.context);
        let (best, rejected) = trials.fastest(&candidates)?;
        fixed.context.tune(class.key(), candidates[best].numbers());
        tuned.timed += 1;
        tuned.changed += usize::from(best > 0);
        tuned.rejected += rejected;
    }
    Ok(())
}

/// Trials of one node.
#[derive(Clone, Copy, Debug)]
struct Trials<'a> {
    fixed: &'a Fixed,
    network: &'a Network<'a>,
    index: usize,
    tiles: u32,
}

impl Trials<'_> {
    /// The index of the fastest candidate, of which the first is the default, and how many were rejected.
    fn fastest(&self, candidates: &[Tiling]) -> Result<(usize, usize)> {
        let (mut default, reference) = self.trial(candidates[0])?;
        let mut rejected = 0;
        let mut found = Vec::new();
        for (number, &candidate) in candidates.iter().enumerate().skip(1) {
            match self.trial(candidate) {
                Ok((elapsed, values)) if agree(&values, &reference, self.tolerance()) => {
                    found.push((number, elapsed));
                }
                Err(error) if self.fixed.context.lost_error().is_some() => return Err(error),
                _ => rejected += 1,
            }
        }
        // Once more at the end: a GPU's clock may have risen since.
        default = least(default, self.trial(candidates[0])?.0);
        let on_gpu = default.gpu_ms.is_some() && found.iter().all(|(_, elapsed)| elapsed.gpu_ms.is_some());
        let ms = |elapsed: Elapsed| elapsed.gpu_ms.filter(|_| on_gpu).unwrap_or(elapsed.wall_ms);
        let best = found.into_iter().min_by(|(_, a), (_, b)| ms(*a).total_cmp(&ms(*b)));
        match best {
            Some((number, elapsed)) if ms(elapsed) < ms(default) * (1.0 - GAIN) => Ok((number, rejected)),
            _ => Ok((0, rejected)),
        }
    }

    fn tolerance(&self) -> f32 {
        TOLERANCE[usize::from(self.fixed.weights.f16)]
    }

    /// The time of one dispatch, and values of its map.
    fn trial(&self, tiling: Tiling) -> Result<(Elapsed, Vec<f32>)> {
        let context = &self.fixed.context;
        self.clear()?;
        let once = self.record(tiling, 1)?;
        // The first run may compile.
        time(context, &once)?;
        let values = self.values()?;
        let first_ms = time(context, &once)?.wall_ms;
        let mut repeats = 1;
        while f64::from(repeats) * first_ms < ENOUGH_MS && repeats < MOST_REPEATS {
            repeats *= 2;
        }
        let recording = self.record(tiling, repeats)?;
        let mut best = time(context, &recording)?;
        for _ in 1..TRIALS {
            best = least(best, time(context, &recording)?);
        }
        let share = |ms: f64| ms / f64::from(repeats);
        Ok((Elapsed { gpu_ms: best.gpu_ms.map(share), wall_ms: share(best.wall_ms) }, values))
    }

    fn record(&self, tiling: Tiling, repeats: u32) -> Result<Recording> {
        let mut recorder = Recorder::new(&self.fixed.context);
        recorder.stage("trial");
        self.fixed.context.checked("a trial", || {
            for _ in 0..repeats {
                self.network.record_trial(&mut recorder, (self.index, self.tiles), tiling)?;
            }
            Ok::<(), Error>(())
        })??;
        Ok(recorder.finish())
    }

    /// Buffer, first byte and bytes of the map, with what lies between its tiles.
    fn map(&self) -> Result<(&wgpu::Buffer, u64, u64)> {
        let map = self.network.map(&self.fixed.model.info().graph.nodes[self.index].name)?;
        let unit = if self.fixed.weights.f16 { 8 } else { 16 };
        Ok((
            map.buffer,
            u64::from(map.base) * unit,
            (u64::from(self.tiles - 1) * u64::from(map.tile) + map.shape.padded_len() / 4) * unit,
        ))
    }

    /// Removes the result of the trial before.
    fn clear(&self) -> Result<()> {
        let (buffer, at, len) = self.map()?;
        self.fixed.context.checked("a trial", || {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = self.fixed.context.device().create_command_encoder(&descriptor);
            encoder.clear_buffer(buffer, at, Some(len));
            self.fixed.context.queue().submit([encoder.finish()]);
        })
    }

    /// The values at the beginning and at the end of the map.
    fn values(&self) -> Result<Vec<f32>> {
        let context = &self.fixed.context;
        let (buffer, at, len) = self.map()?;
        let part = len.min(COMPARED_BYTES);
        let target = context.buffer("trial", 2 * part, BufferUsages::COPY_DST | BufferUsages::MAP_READ)?;
        let submission = context.checked("a trial", || {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = context.device().create_command_encoder(&descriptor);
            encoder.copy_buffer_to_buffer(buffer, at, &target, 0, part);
            encoder.copy_buffer_to_buffer(buffer, at + len - part, &target, part, part);
            context.queue().submit([encoder.finish()])
        })?;
        map_read(context, &target, submission)?.wait()?;
        let view = target.get_mapped_range(..2 * part).map_err(|e| Error::device(e.to_string()))?;
        Ok(if self.fixed.weights.f16 {
            view.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
        } else {
            view.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        })
    }
}

/// The least of both clocks.
fn least(a: Elapsed, b: Elapsed) -> Elapsed {
    let gpu_ms = a.gpu_ms.zip(b.gpu_ms).map(|(a, b)| a.min(b));
    Elapsed { gpu_ms, wall_ms: a.wall_ms.min(b.wall_ms) }
}

/// Whether two maps are equal within a tolerance; what is no number must be none in both.
fn agree(found: &[f32], expected: &[f32], tolerance: f32) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(a, b)| {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(1.0)
        })
}

#[cfg(test)]
mod tests {
    use super::agree;

    #[test]
    fn maps_that_differ_do_not_agree() {
        assert!(agree(&[1.0, f32::NAN, 300.0], &[1.00005, f32::NAN, 300.02], 1e-4));
        assert!(!agree(&[1.0], &[1.001], 1e-4));
        assert!(!agree(&[f32::NAN], &[1.0], 1e-4));
        assert!(!agree(&[1.0], &[f32::NAN], 1e-4));
        assert!(!agree(&[1.0], &[1.0, 2.0], 1e-4));
    }
}
