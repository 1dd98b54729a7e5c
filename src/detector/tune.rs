//! Times a few ways to run each convolution on the device at hand, alone or with the step before, and keeps the fastest.

use super::Detector;
use super::work::{Fixed, chunk_ranges};
use crate::error::{Error, ErrorKind, Result};
use crate::geom::{GridOptions, TileGrid, TileSize};
use crate::gpu::{Elapsed, Recorder, Recording, map_read, time};
use crate::kernels::nn::Launch;
use crate::kernels::nn::tiling::Class;
use crate::kernels::preprocess::stem;
use crate::stages::frame::{Frame, PixelFormat};
use crate::stages::infer::{Arenas, Network, Stem};
use crate::stages::plan::pair_class;
use crate::stages::preprocess::{self, PixelSource};
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
    /// whether steps that may share a dispatch ([`Context::with_fusion`](crate::gpu::Context::with_fusion)) should, and keeps the
    /// fastest of each in [`Context::tunings`](crate::gpu::Context::tunings), for this detector and all later ones
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
    let context = &fixed.context;
    let arenas = Arenas::new(context, &fixed.plan, fixed.weights.f16, tiles)?;
    arenas.fill(context, fixed.weights.f16)?;
    let network = fixed.network(&arenas);
    for &index in &fixed.plan.nodes {
        let Some(class) = network.class(index, tiles) else { continue };
        if class.chosen(context).is_some() {
            continue;
        }
        let candidates = class.candidates(context);
        let record = |recorder: &mut Recorder<'_>, candidate: usize| {
            network.record_trial(recorder, (index, tiles), candidates[candidate])
        };
        let trials = Trials { fixed, network: &network, index, tiles, record: &record };
        let best = trials.fastest(candidates.len(), tuned)?;
        context.tune(class.key(), candidates[best].numbers());
    }
    if context.tunes_fusion() {
        tune_pairs(fixed, &network, tiles, tuned)?;
        tune_stem(fixed, &network, tiles, tuned)?;
    }
    Ok(())
}

/// What is kept of two steps: whether they share a dispatch, the default first.
const FUSED: [[u32; 1]; 2] = [[1], [0]];

/// Whether a choice of [`FUSED`] was made.
fn is_fusion_tuned(fixed: &Fixed, class: &Class) -> bool {
    fixed.context.tuned(&class.key()).is_some_and(|choice| FUSED.iter().any(|known| *known == choice[..]))
}

/// Depthwise and 1x1 convolutions in one dispatch or two.
fn tune_pairs(fixed: &Fixed, network: &Network<'_>, tiles: u32, tuned: &mut Tuned) -> Result<()> {
    let launch = Launch { f16: fixed.weights.f16, tiles };
    for (&second, &first) in &fixed.plan.pairs {
        let class = pair_class(&fixed.model, [first, second], launch)?;
        if is_fusion_tuned(fixed, &class) {
            continue;
        }
        let record = |recorder: &mut Recorder<'_>, candidate: usize| {
            if candidate == 0 {
                return network.record_planned(recorder, second, Some(first), tiles);
            }
            network.record_planned(recorder, first, None, tiles)?;
            network.record_planned(recorder, second, None, tiles)
        };
        let trials = Trials { fixed, network, index: second, tiles, record: &record };
        let best = trials.fastest(FUSED.len(), tuned)?;
        fixed.context.tune(class.key(), FUSED[best].to_vec());
    }
    Ok(())
}

/// Preprocessing and the first convolution in one dispatch or two, of tiles as large as the network's input.
fn tune_stem(fixed: &Fixed, network: &Network<'_>, tiles: u32, tuned: &mut Tuned) -> Result<()> {
    let Some(Stem { node, conv }) = network.stem() else { return Ok(()) };
    let launch = Launch { f16: fixed.weights.f16, tiles };
    let class = stem::class(launch, &conv);
    if is_fusion_tuned(fixed, &class) {
        return Ok(());
    }
    let context = &fixed.context;
    let (grid, places, frame) = match tiles_of_input(fixed, tiles) {
        Ok(made) => made,
        // The default stands where the device cannot hold such a picture.
        Err(error) if matches!(error.kind(), ErrorKind::Device) => return Err(error),
        Err(_) => return Ok(()),
    };
    // Pixels in several bindings are never read by the convolution.
    if frame.bands.len() != 1 {
        return Ok(());
    }
    context.fill(frame.bands.iter().map(|band| &band.buffer), &numbers())?;
    let info = fixed.model.info();
    let picture = || (&grid, &places, 0..tiles);
    let source = PixelSource::Frame(&frame);
    let record = |recorder: &mut Recorder<'_>, candidate: usize| {
        if candidate == 0 {
            return preprocess::record_stem(recorder, launch, source, picture(), (&info.input, &conv));
        }
        preprocess::record(recorder, launch, source, picture(), (&info.input, conv.src))?;
        network.record_planned(recorder, node, None, tiles)
    };
    let trials = Trials { fixed, network, index: node, tiles, record: &record };
    let best = trials.fastest(FUSED.len(), tuned)?;
    context.tune(class.key(), FUSED[best].to_vec());
    Ok(())
}

/// A picture of tiles as large as the network's input, one below the other.
fn tiles_of_input(fixed: &Fixed, tiles: u32) -> Result<(TileGrid, wgpu::Buffer, Frame)> {
    let (context, input) = (&fixed.context, &fixed.model.info().input);
    let [width, height] = [input.width, input.height];
    let rows = height.checked_mul(tiles).ok_or_else(|| Error::capacity("too many tiles for one picture"))?;
    if u64::from(rows) * u64::from(width) * 3 > context.max_binding_bytes() {
        return Err(Error::capacity("the picture is beyond one binding"));
    }
    let options =
        GridOptions { tile: TileSize::Fixed { width, height }, overlap: [0.0; 2], full_image: false };
    let grid = TileGrid::new(width, rows, &options)?;
    let places = preprocess::source_tiles(&grid, input)?;
    let places = context.buffer_with("tiles", bytemuck::cast_slice(&places), BufferUsages::STORAGE)?;
    let frame = Frame::new(context, [width, rows], PixelFormat::Rgb8, fixed.options.max_band_bytes)?;
    Ok((grid, places, frame))
}

/// Pixels for trials.
fn numbers() -> Vec<u8> {
    (0..1 << 16).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Trials of candidates that make the map of one node.
struct Trials<'a> {
    fixed: &'a Fixed,
    network: &'a Network<'a>,
    index: usize,
    tiles: u32,
    /// Records a candidate.
    record: &'a dyn Fn(&mut Recorder<'_>, usize) -> Result<()>,
}

impl Trials<'_> {
    /// The fastest of `count` candidates, of which the first is the default.
    fn fastest(&self, count: usize, tuned: &mut Tuned) -> Result<usize> {
        tuned.timed += 1;
        let (mut default, reference) = self.trial(0)?;
        let mut found = Vec::new();
        for candidate in 1..count {
            match self.trial(candidate) {
                Ok((elapsed, values)) if agree(&values, &reference, self.tolerance()) => {
                    found.push((candidate, elapsed));
                }
                Err(error) if self.fixed.context.lost_error().is_some() => return Err(error),
                _ => tuned.rejected += 1,
            }
        }
        // Once more at the end: a GPU's clock may have risen since.
        default = least(default, self.trial(0)?.0);
        let on_gpu = default.gpu_ms.is_some() && found.iter().all(|(_, elapsed)| elapsed.gpu_ms.is_some());
        let ms = |elapsed: Elapsed| elapsed.gpu_ms.filter(|_| on_gpu).unwrap_or(elapsed.wall_ms);
        let best = found.into_iter().min_by(|(_, a), (_, b)| ms(*a).total_cmp(&ms(*b)));
        match best {
            Some((candidate, elapsed)) if ms(elapsed) < ms(default) * (1.0 - GAIN) => {
                tuned.changed += 1;
                Ok(candidate)
            }
            _ => Ok(0),
        }
    }

    fn tolerance(&self) -> f32 {
        TOLERANCE[usize::from(self.fixed.weights.f16)]
    }

    /// The time of a candidate, and values of the map.
    fn trial(&self, candidate: usize) -> Result<(Elapsed, Vec<f32>)> {
        let context = &self.fixed.context;
        self.clear()?;
        let once = self.recorded(candidate, 1)?;
        // The first run may compile.
        time(context, &once)?;
        let values = self.values()?;
        let first_ms = time(context, &once)?.wall_ms;
        let mut repeats = 1;
        while f64::from(repeats) * first_ms < ENOUGH_MS && repeats < MOST_REPEATS {
            repeats *= 2;
        }
        let recording = self.recorded(candidate, repeats)?;
        let mut best = time(context, &recording)?;
        for _ in 1..TRIALS {
            best = least(best, time(context, &recording)?);
        }
        let share = |ms: f64| ms / f64::from(repeats);
        Ok((Elapsed { gpu_ms: best.gpu_ms.map(share), wall_ms: share(best.wall_ms) }, values))
    }

    fn recorded(&self, candidate: usize, repeats: u32) -> Result<Recording> {
        let mut recorder = Recorder::new(&self.fixed.context);
        recorder.stage("trial");
        self.fixed.context.checked("a trial", || {
            for _ in 0..repeats {
                (self.record)(&mut recorder, candidate)?;
            }
            Ok::<(), Error>(())
        })??;
        Ok(recorder.finish())
    }

    /// Buffer of the map, its first byte in each tile, and its bytes in a tile.
    fn map(&self) -> Result<(&wgpu::Buffer, Vec<u64>, u64)> {
        let map = self.network.map(&self.fixed.model.info().graph.nodes[self.index].name)?;
        let unit = if self.fixed.weights.f16 { 8 } else { 16 };
        let first = |tile: u32| (u64::from(map.base) + u64::from(tile) * u64::from(map.tile)) * unit;
        Ok((map.buffer, (0..self.tiles).map(first).collect(), map.shape.padded_len() / 4 * unit))
    }

    /// Removes the result of the trial before, and nothing of maps beside it.
    fn clear(&self) -> Result<()> {
        let (buffer, tiles, len) = self.map()?;
        self.fixed.context.checked("a trial", || {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = self.fixed.context.device().create_command_encoder(&descriptor);
            tiles.iter().for_each(|&at| encoder.clear_buffer(buffer, at, Some(len)));
            self.fixed.context.queue().submit([encoder.finish()]);
        })
    }

    /// The values at the beginning of the map in the first tile and at its end in the last.
    fn values(&self) -> Result<Vec<f32>> {
        let context = &self.fixed.context;
        let (buffer, tiles, len) = self.map()?;
        let part = len.min(COMPARED_BYTES);
        let [first, last] = [tiles.first(), tiles.last()].map(|at| at.copied().unwrap_or(0));
        let target = context.buffer("trial", 2 * part, BufferUsages::COPY_DST | BufferUsages::MAP_READ)?;
        let submission = context.checked("a trial", || {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = context.device().create_command_encoder(&descriptor);
            encoder.copy_buffer_to_buffer(buffer, first, &target, 0, part);
            encoder.copy_buffer_to_buffer(buffer, last + len - part, &target, part, part);
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
    use super::super::{DetectOptions, DetectorOptions};
    use super::*;
    use crate::forward::Precision;
    use crate::gpu::Context;
    use crate::gpu::testing::context;
    use crate::heads::{GflHead, GflLevel, Head};
    use crate::model::{Activation, Graph, InputSpec, Model, ModelInfo, Node, Op, Residual, Tensor, Weights};
    use crate::stages::ImageView;

    #[test]
    fn maps_that_differ_do_not_agree() {
        assert!(agree(&[1.0, f32::NAN, 300.0], &[1.00005, f32::NAN, 300.02], 1e-4));
        assert!(!agree(&[1.0], &[1.001], 1e-4));
        assert!(!agree(&[f32::NAN], &[1.0], 1e-4));
        assert!(!agree(&[1.0], &[f32::NAN], 1e-4));
        assert!(!agree(&[1.0], &[1.0, 2.0], 1e-4));
    }

    /// A stem, a depthwise and a 1x1 convolution, and a head.
    fn model() -> Model {
        let mut weights = Weights::default();
        let mut nodes = Vec::new();
        let mut conv = |name: &str, input: &str, shape: [usize; 4], stride, activation| {
            let data =
                (0..shape.iter().product()).map(|i: usize| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
            weights.insert(name, Tensor { shape: shape.to_vec(), data }).unwrap();
            let op = Op::Conv {
                weight: name.into(),
                bias: None,
                stride: [stride; 2],
                padding: [(shape[3] / 2) as u32; 4],
                dilation: [1, 1],
                groups: if name == "deep" { 8 } else { 1 },
                activation,
                residual: Residual::None,
            };
            nodes.push(Node { name: name.into(), inputs: vec![input.into()], op });
        };
        conv("stem", "in", [8, 3, 3, 3], 2, Activation::Relu);
        conv("deep", "stem", [8, 1, 3, 3], 1, Activation::Silu);
        conv("point", "deep", [8, 8, 1, 1], 1, Activation::Relu);
        conv("classes", "point", [2, 8, 1, 1], 1, Activation::Sigmoid);
        conv("distances", "point", [8, 8, 1, 1], 1, Activation::None);
        let level = GflLevel { stride: 2, classes: "classes".into(), distances: "distances".into() };
        let head = GflHead { bins: 2, centre: 0.5, sigmoid: false, levels: vec![level] };
        let graph = Graph { input: "in".into(), nodes, outputs: Vec::new() };
        let info = ModelInfo::new("test", InputSpec::plain(32, 24), graph);
        let info = ModelInfo { classes: vec!["a".into(), "b".into()], head: Some(Head::Gfl(head)), ..info };
        Model::new(info, weights).unwrap()
    }

    #[test]
    fn steps_that_are_slower_in_one_dispatch_are_two() {
        let Some(context) = context() else { return };
        let context = context.with_fusion_by_default();
        let make = |context: &Context| {
            let options =
                DetectorOptions { precision: Precision::F32, batch: Some(3), ..DetectorOptions::default() };
            Detector::new(context, &model(), options).unwrap()
        };
        let detector = make(&context);
        assert_eq!(detector.cost(2).unwrap().pairs.len(), 1);
        let tuned = detector.tune(2).unwrap();
        assert!(tuned.changed <= tuned.timed && tuned.rejected == 0, "{tuned:?}");
        let launch = Launch { f16: false, tiles: 2 };
        let arenas = Arenas::new(&context, &detector.fixed.plan, false, 2).unwrap();
        let stem = detector.fixed.network(&arenas).stem().unwrap();
        let keys =
            [pair_class(&detector.fixed.model, [1, 2], launch).unwrap(), stem::class(launch, &stem.conv)];
        let found = keys.map(|class| context.tuned(&class.key()).unwrap());
        assert!(found.iter().all(|choice| FUSED.iter().any(|known| *known == choice[..])), "{found:?}");

        let pixels: Vec<u8> = (0..64 * 24 * 3u32).map(|i| (i % 251 * (i % 13)) as u8).collect();
        let image = ImageView::new(64, 24, PixelFormat::Rgb8, &pixels).unwrap();
        let tile = TileSize::Fixed { width: 32, height: 24 };
        let grid = GridOptions { tile, overlap: [0.0; 2], full_image: false };
        let options = DetectOptions { grid, confidence: 0.01, ..DetectOptions::default() };
        let detect = |context: &Context| {
            let detector = make(context);
            let found = detector.detect(&image, &options).unwrap();
            (detector.cost(2).unwrap().pairs.len(), found.items)
        };
        let mut results = Vec::new();
        for choice in FUSED {
            keys.iter().for_each(|class| context.tune(class.key(), choice.to_vec()));
            results.push(detect(&context));
            // What is asked for holds whatever was found.
            let [on, off] = [true, false].map(|fused| detect(&context.with_fusion(fused)));
            assert_eq!((on.0, off.0), (1, 0));
            assert!(on.1 == off.1 && on.1 == results[0].1);
        }
        assert!(!results[0].1.is_empty());
        assert_eq!([results[0].0, results[1].0], [1, 0]);
        assert!(results[0].1 == results[1].1);
        assert_eq!(make(&context).tune(2).unwrap().timed, 0, "all of it done");
    }
}
