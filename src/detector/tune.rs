//! Times a few ways to run each convolution on the device at hand, and keeps the fastest.

use super::Detector;
use super::work::Fixed;
use crate::error::{Error, Result};
use crate::gpu::{Recorder, map_read, time_ms};
use crate::stages::infer::{Arenas, Network};
use half::f16;
use wgpu::BufferUsages;

/// A trial of less is repeated until it takes as long, in milliseconds.
const ENOUGH_MS: f64 = 3.0;
/// Repetitions of a trial at most.
const MOST_REPEATS: u32 = 64;
/// Trials of a candidate; the fastest counts.
const TRIALS: u32 = 3;
/// What a candidate must gain on the default: less is noise, and would change from run to run.
const GAIN: f64 = 0.03;
/// Bytes of a map that are compared, at most.
const COMPARED_BYTES: u64 = 1 << 20;
/// |a - b| / max(1, |b|) allowed between candidates: a driver may fuse multiplications with additions in one of them.
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
    /// Times a few ways to run each convolution of the network in chunks of up to `tiles` tiles, and keeps the fastest of each
    /// in [`Context::tunings`](crate::gpu::Context::tunings), for this detector and all later ones of the context. Classes of
    /// work that have a choice are left alone, so a second call costs nothing.
    ///
    /// It takes about as long as some hundred pictures, compilation of shaders included. Results do not change beyond the
    /// rounding that a driver adds: every candidate adds in the same order, and one whose result is off is not used.
    ///
    /// # Errors
    /// `Device` if the device fails, `Capacity` if it cannot hold a chunk.
    pub fn tune(&self, tiles: u32) -> Result<Tuned> {
        let fixed = &self.fixed;
        let mut work = self.lock_work();
        // Frees the memory of chunks, and drops what was recorded with other choices.
        work.forget();
        let tiles = tiles.clamp(1, fixed.max_batch);
        let arenas = Arenas::new(&fixed.context, &fixed.plan, fixed.weights.f16, tiles)?;
        arenas.fill(&fixed.context, fixed.weights.f16)?;
        let network = fixed.network(&arenas);
        let mut tuned = Tuned::default();
        for &index in &fixed.plan.nodes {
            let Some(class) = network.class(index, tiles) else { continue };
            let key = class.key();
            if fixed.context.tuned(&key).is_some() {
                continue;
            }
            let candidates: Vec<Vec<u32>> =
                class.candidates(&fixed.context).into_iter().map(|tiling| tiling.numbers()).collect();
            let chosen = fastest(fixed, &network, (index, tiles), &key, &candidates, &mut tuned);
            // Also where a trial failed: none of them may stay.
            let choice = chosen.as_ref().map_or(0, |chosen| *chosen);
            fixed.context.tune(key, candidates[choice].clone());
            tuned.timed += 1;
            tuned.changed += usize::from(chosen? > 0);
        }
        Ok(tuned)
    }
}

/// The index of the fastest candidate.
fn fastest(
    fixed: &Fixed,
    network: &Network<'_>,
    (index, tiles): (usize, u32),
    key: &str,
    candidates: &[Vec<u32>],
    tuned: &mut Tuned,
) -> Result<usize> {
    let mut reference = Vec::new();
    let (mut best, mut best_ms) = (0, f64::INFINITY);
    for (number, candidate) in candidates.iter().enumerate() {
        fixed.context.tune(key.to_owned(), candidate.clone());
        let trial = trial(fixed, network, (index, tiles));
        let (ms, values) = match trial {
            Ok(trial) => trial,
            Err(error) if number == 0 || fixed.context.lost_error().is_some() => return Err(error),
            Err(_) => {
                tuned.rejected += 1;
                continue;
            }
        };
        if number == 0 {
            (reference, best_ms) = (values, ms * (1.0 - GAIN));
        } else if !agree(&values, &reference, TOLERANCE[usize::from(fixed.weights.f16)]) {
            tuned.rejected += 1;
        } else if ms < best_ms {
            (best, best_ms) = (number, ms);
        }
    }
    Ok(best)
}

/// Milliseconds of one dispatch of a node, and the first values of its map.
fn trial(fixed: &Fixed, network: &Network<'_>, (index, tiles): (usize, u32)) -> Result<(f64, Vec<f32>)> {
    let record = |repeats: u32| -> Result<_> {
        let mut recorder = Recorder::new(&fixed.context);
        recorder.stage("trial");
        for _ in 0..repeats {
            network.record_only(&mut recorder, tiles, index)?;
        }
        Ok(recorder.finish())
    };
    let once = fixed.context.checked("a trial", || record(1))??;
    // The first run may compile.
    time_ms(&fixed.context, &once)?;
    let values = values(fixed, network, (index, tiles))?;
    let first_ms = time_ms(&fixed.context, &once)?;
    let mut repeats = 1;
    while f64::from(repeats) * first_ms < ENOUGH_MS && repeats < MOST_REPEATS {
        repeats *= 2;
    }
    let recording = fixed.context.checked("a trial", || record(repeats))??;
    let mut best = f64::INFINITY;
    for _ in 0..TRIALS {
        best = best.min(time_ms(&fixed.context, &recording)? / f64::from(repeats));
    }
    Ok((best, values))
}

/// The first values of a node's map.
fn values(fixed: &Fixed, network: &Network<'_>, (index, tiles): (usize, u32)) -> Result<Vec<f32>> {
    let map = network.map(&fixed.model.info().graph.nodes[index].name)?;
    let unit = if fixed.weights.f16 { 8 } else { 16 };
    let all = map.shape.padded_len() / 4 * u64::from(tiles) * unit;
    let bytes = all.min(COMPARED_BYTES);
    let usage = BufferUsages::COPY_DST | BufferUsages::MAP_READ;
    let target = fixed.context.buffer("trial", bytes, usage)?;
    let submission = fixed.context.checked("a trial", || {
        let descriptor = wgpu::CommandEncoderDescriptor::default();
        let mut encoder = fixed.context.device().create_command_encoder(&descriptor);
        encoder.copy_buffer_to_buffer(map.buffer, u64::from(map.base) * unit, &target, 0, bytes);
        fixed.context.queue().submit([encoder.finish()])
    })?;
    map_read(&fixed.context, &target, submission)?.wait()?;
    let view = target.get_mapped_range(..bytes).map_err(|e| Error::device(e.to_string()))?;
    Ok(if fixed.weights.f16 {
        view.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
    } else {
        view.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    })
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
