//! The network alone: prepared inputs in, the imported network's outputs out. For checking a model against the
//! original and for timing it; [`Detector`](crate::Detector) is what finds objects.

use crate::error::{Error, Result};
use crate::gpu::{Context, Recorder, Recording, encode, map_read};
use crate::model::{ArenaPlan, Model};
use crate::stages::infer::{Arenas, Network, unpack};
use crate::stages::plan::plan;
use crate::stages::weights::NetworkWeights;
use half::f16;
use std::collections::HashMap;

/// How maps and weights are stored on the device; sums are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 16 bits on a GPU that has them, 32 bits otherwise and on software adapters.
    #[default]
    Auto,
    /// 32 bits.
    F32,
    /// 16 bits.
    F16,
}

impl Precision {
    /// Whether maps and weights take 16 bits on `context`.
    ///
    /// # Errors
    /// `Unsupported` if 16 bits are asked for and the device has none.
    pub fn is_f16(self, context: &Context) -> Result<bool> {
        match self {
            Self::Auto => Ok(context.has_f16() && !context.is_software()),
            Self::F32 => Ok(false),
            Self::F16 if context.has_f16() => Ok(true),
            Self::F16 => Err(Error::unsupported(format!(
                "adapter \"{}\" has no 16-bit floats in shaders: use f32",
                context.info().name
            ))),
        }
    }
}

/// A network ready to run on batches of a fixed size.
#[derive(Debug)]
pub struct Forward {
    context: Context,
    model: Model,
    plan: ArenaPlan,
    arenas: Arenas,
    recording: Recording,
    f16: bool,
    tiles: u32,
}

impl Forward {
    /// Prepares `model` for batches of `tiles` inputs. A model without outputs computes the maps of its head.
    ///
    /// # Errors
    /// `Model` if the model has neither, `Capacity` if the batch does not fit the device.
    pub fn new(context: &Context, model: &Model, tiles: u32, precision: Precision) -> Result<Self> {
        let f16 = precision.is_f16(context)?;
        let mut wanted = model.info().result_maps();
        if wanted.is_empty() || tiles == 0 {
            return Err(Error::model("nothing to compute: no outputs and no head, or a batch of 0"));
        }
        // Kept, so that several runs may follow one upload.
        wanted.push(&model.info().graph.input);
        let plan = plan(context, model, &wanted, f16)?;
        let largest = Arenas::max_batch(context, &plan, f16, u64::MAX)?;
        if tiles > largest {
            return Err(Error::capacity(format!("a batch of {tiles} exceeds this device's {largest}")));
        }
        let weights = NetworkWeights::new(context, model, &plan, f16)?;
        let arenas = Arenas::new(context, &plan, f16, tiles)?;
        let network = Network { model, plan: &plan, weights: &weights, arenas: &arenas };
        let mut recorder = Recorder::new(context);
        context.checked("network", || network.record(&mut recorder, tiles, None))??;
        let recording = recorder.finish();
        Ok(Self { context: context.clone(), model: model.clone(), plan, arenas, recording, f16, tiles })
    }

    /// Dispatches of one run.
    #[must_use]
    pub fn dispatches(&self) -> usize {
        self.recording.dispatches()
    }

    /// Uploads a batch: `[tiles, 3, height, width]`, normalised.
    ///
    /// # Errors
    /// `Input` if the length is wrong.
    pub fn upload(&self, input: &[f32]) -> Result<()> {
        let name = &self.model.info().graph.input;
        let shape = self.model.shapes().get(name)?;
        let pixels = shape.pixels() as usize;
        if input.len() != pixels * 3 * self.tiles as usize {
            return Err(Error::input(format!(
                "an input of {} values is not {} x 3 x {} x {}",
                input.len(),
                self.tiles,
                shape.height,
                shape.width
            )));
        }
        let mut packed = vec![0.0f32; pixels * 4 * self.tiles as usize];
        for (tile, values) in input.chunks_exact(pixels * 3).enumerate() {
            for (at, value) in values.iter().enumerate() {
                packed[(tile * pixels + at % pixels) * 4 + at / pixels] = *value;
            }
        }
        let (buffer, offset) = self.place(name, 0)?;
        let halves: Vec<f16>;
        let bytes: &[u8] = if self.f16 {
            halves = packed.iter().map(|&value| f16::from_f32(value)).collect();
            bytemuck::cast_slice(&halves)
        } else {
            bytemuck::cast_slice(&packed)
        };
        self.context.checked("network input", || self.context.queue().write_buffer(buffer, offset, bytes))
    }

    /// Runs the network on what was uploaded and waits for the device.
    ///
    /// # Errors
    /// `Device` if the device fails.
    pub fn run(&self) -> Result<()> {
        let submission = self.context.checked("network", || {
            let mut encoder =
                self.context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encode(&mut encoder, &[&self.recording], None);
            self.context.queue().submit([encoder.finish()])
        })?;
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
        self.context.device().poll(wait).map(drop).map_err(|e| Error::device(e.to_string()))
    }

    /// The network's outputs for one tile of the batch, in the imported file's layout, by output.
    ///
    /// # Errors
    /// `Input` if the batch has no such tile, `Device` if the device fails.
    pub fn outputs(&self, tile: u32) -> Result<Vec<Vec<f32>>> {
        if tile >= self.tiles {
            return Err(Error::input(format!("tile {tile} of a batch of {}", self.tiles)));
        }
        let outputs = &self.model.info().graph.outputs;
        let mut maps = HashMap::new();
        for name in outputs.iter().flat_map(|output| &output.maps) {
            maps.insert(name.as_str(), self.download(name, tile)?);
        }
        outputs
            .iter()
            .map(|output| {
                output
                    .layout(self.model.shapes(), |name| maps.get(name).map(Vec::as_slice))
                    .map_err(|e| e.at(&output.name))
            })
            .collect()
    }

    /// The buffer of a map, and its first byte for a tile of the batch.
    fn place(&self, name: &str, tile: u32) -> Result<(&wgpu::Buffer, u64)> {
        let place = self.plan.places.get(name).ok_or_else(|| Error::model(format!("no map \"{name}\"")))?;
        let unit = if self.f16 { 8 } else { 16 };
        let first = place.offset * u64::from(self.tiles) + place.inside + u64::from(tile) * place.stride;
        Ok((self.arenas.buffer(place.arena), first * unit))
    }

    fn download(&self, name: &str, tile: u32) -> Result<Vec<f32>> {
        let shape = self.model.shapes().get(name)?;
        let bytes = shape.padded_len() * if self.f16 { 2 } else { 4 };
        let (buffer, offset) = self.place(name, tile)?;
        let target = self.context.buffer(
            "network output",
            bytes,
            wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        )?;
        let submission = self.context.checked("network output", || {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = self.context.device().create_command_encoder(&descriptor);
            encoder.copy_buffer_to_buffer(buffer, offset, &target, 0, bytes);
            self.context.queue().submit([encoder.finish()])
        })?;
        map_read(&self.context, &target, submission)?.wait()?;
        let view = target.get_mapped_range(..bytes).map_err(|e| Error::device(e.to_string()))?;
        let values: Vec<f32> = if self.f16 {
            bytemuck::cast_slice::<u8, f16>(&view).iter().map(|v| v.to_f32()).collect()
        } else {
            bytemuck::cast_slice(&view).to_vec()
        };
        Ok(unpack(&values, shape))
    }
}
