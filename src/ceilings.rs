//! What a device can do at most, measured: a yardstick for the time that a network takes.

use crate::error::{Error, ErrorKind, Result};
use crate::gpu::{Context, Recorder, Recording, time};
use crate::kernels::bench::{copy, fma};

/// A run that takes less is too short to be timed, in milliseconds.
const ENOUGH_MS: f64 = 50.0;
/// Runs of the final size; the fastest counts.
const RUNS: u32 = 3;
/// Dispatches of a run at most.
const MOST_DISPATCHES: u32 = 4096;
/// Bytes of a copied buffer, beyond the caches of all devices; less where the device cannot hold it.
const COPY_BYTES: u64 = 256 << 20;
/// Workgroups of a dispatch of arithmetic: 2^20 invocations, more than run at once.
const MOST_GROUPS: u32 = 1 << 14;

/// Highest rates that simple kernels reach on a device. Real kernels reach a part of them; one whose data fits the
/// caches may exceed the bandwidth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceilings {
    /// Bandwidth of a copy from buffer to buffer in 10^9 bytes a second, bytes read and bytes written added up.
    pub copy_gb_per_s: f64,
    /// Rate of 32-bit multiply-adds in 10^9 operations a second, two for each. WGSL leaves open whether `fma` is
    /// fused.
    pub fma_f32_gflop_per_s: f64,
    /// The same for 16 bits; `None` where shaders have no 16-bit floats.
    pub fma_f16_gflop_per_s: Option<f64>,
}

impl Ceilings {
    /// Measures for about a second, a little more on software adapters, and takes up to 512 MiB of GPU memory.
    ///
    /// Work grows until a run takes 50 ms; the fastest of three runs counts. Time is the GPU's own where it has
    /// timestamps, and otherwise that from submission to completion, of which the submission is some 1 %.
    ///
    /// # Errors
    /// `Device` if the device fails, `Capacity` if it cannot hold two buffers of 1 MiB.
    pub fn measure(context: &Context) -> Result<Self> {
        let f16 = context.has_f16().then(|| fma_rate(context, true)).transpose()?;
        Ok(Self {
            copy_gb_per_s: copy_rate(context)?,
            fma_f32_gflop_per_s: fma_rate(context, false)?,
            fma_f16_gflop_per_s: f16,
        })
    }
}

/// 10^9 bytes a second.
fn copy_rate(context: &Context) -> Result<f64> {
    let [src, dst] = copy_buffers(context)?;
    best_rate(context, |recorder, copies| {
        let copies = copies.min(MOST_DISPATCHES);
        for _ in 0..copies {
            copy::record(recorder, &src, &dst)?;
        }
        Ok(u64::from(copies) * 2 * src.size())
    })
}

/// Two buffers as large as the device can hold, within reason.
fn copy_buffers(context: &Context) -> Result<[wgpu::Buffer; 2]> {
    let mut bytes = COPY_BYTES.min(context.max_binding_bytes());
    loop {
        let pair = context.storage("copy source", bytes).and_then(|src| {
            let dst = context.storage("copy target", bytes)?;
            Ok([src, dst])
        });
        match pair {
            Err(error) if error.kind() == ErrorKind::Capacity && bytes >= 2 << 20 => bytes /= 2,
            other => return other,
        }
    }
}

/// 10^9 operations a second.
fn fma_rate(context: &Context, f16: bool) -> Result<f64> {
    let values = context.storage("fma values", fma::bytes(MOST_GROUPS, f16))?;
    best_rate(context, |recorder, groups| {
        let dispatches = groups.div_ceil(MOST_GROUPS).min(MOST_DISPATCHES);
        let groups = groups.min(MOST_GROUPS);
        for _ in 0..dispatches {
            fma::record(recorder, f16, &values, groups)?;
        }
        Ok(u64::from(dispatches) * u64::from(groups) * fma::FLOP_PER_GROUP)
    })
}

/// The highest rate in 10^9 a second of work that `record` makes of a number of units; it returns its size.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float above 0; casts saturate"
)]
fn best_rate(context: &Context, record: impl Fn(&mut Recorder<'_>, u32) -> Result<u64>) -> Result<f64> {
    let mut units = 1u32;
    let mut before = 0;
    loop {
        let mut recorder = Recorder::new(context);
        recorder.stage("work");
        let work = context.checked("measuring the device", || record(&mut recorder, units))??;
        let recording = recorder.finish();
        let mut ms = elapsed_ms(context, &recording)?;
        if ms >= ENOUGH_MS || work == before {
            for _ in 1..RUNS {
                ms = ms.min(elapsed_ms(context, &recording)?);
            }
            return if ms > 0.0 { Ok(work as f64 / ms / 1e6) } else { Err(too_short()) };
        }
        before = work;
        let factor = (1.5 * ENOUGH_MS / ms.max(1e-3)).clamp(2.0, 16.0);
        units = (f64::from(units) * factor).ceil() as u32;
    }
}

/// Milliseconds of one run.
fn elapsed_ms(context: &Context, recording: &Recording) -> Result<f64> {
    let elapsed = time(context, recording)?;
    Ok(elapsed.gpu_ms.unwrap_or(elapsed.wall_ms))
}

fn too_short() -> Error {
    Error::device("the device's clock does not move: its rates cannot be measured")
}
