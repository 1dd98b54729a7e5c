//! The buffers and recordings of a detector: what pictures of one size need is kept from one to the next.

use super::{DetectOptions, DetectorOptions};
use crate::error::{Error, Result};
use crate::geom::TileGrid;
use crate::gpu::{Context, Recorder, Recording};
use crate::heads::Head;
use crate::kernels::nn::Launch;
use crate::kernels::preprocess::stem;
use crate::kernels::rank::begin;
use crate::model::{ArenaPlan, Model};
use crate::stages::decode::{self, DecodeBuffers, DecodeTargets};
use crate::stages::frame::{Frame, PixelFormat};
use crate::stages::infer::{Arenas, Network, Stem};
use crate::stages::merge::Merger;
use crate::stages::plan::plan;
use crate::stages::preprocess::{self, PixelSource};
use crate::stages::rank::Ranker;
use crate::stages::weights::NetworkWeights;
use crate::stages::{Candidate, Header};
use std::ops::Range;
use wgpu::BufferUsages;

/// What does not change with pictures or capacities.
#[derive(Debug)]
pub(super) struct Fixed {
    pub(super) context: Context,
    pub(super) model: Model,
    pub(super) options: DetectorOptions,
    head: Head,
    pub(super) plan: ArenaPlan,
    pub(super) weights: NetworkWeights,
    pub(super) max_batch: u32,
}

/// Candidates, header and merge buffers of one capacity.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) capacity: u32,
    pub(super) header: wgpu::Buffer,
    candidates: wgpu::Buffer,
    ranker: Ranker,
    merger: Merger,
}

/// Maps and anchors of a chunk.
#[derive(Debug)]
struct Chunk {
    arenas: Arenas,
    decode: DecodeBuffers,
    /// The network by number of tiles and whether its first convolution was computed before: the same for pictures of any
    /// size.
    networks: Vec<((u32, bool), Recording)>,
}

/// Where a picture's pixels come from, as far as recordings depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceKind {
    Frame(PixelFormat),
    Texture,
}

/// Everything recorded for pictures of one size, source and set of options.
#[derive(Debug)]
pub(super) struct PicturePlan {
    key: ([u32; 2], SourceKind, DetectOptions),
    pub(super) grid: TileGrid,
    tiles: wgpu::Buffer,
    pub(super) frame: Option<Frame>,
    begin: Recording,
    chunks: Vec<PlannedChunk>,
    finish: Recording,
    pub(super) more_rounds: Recording,
}

#[derive(Debug)]
struct PlannedChunk {
    tiles: Range<u32>,
    /// Whether preprocessing computes the first convolution, so that the network does not.
    stem: bool,
    /// Empty for a texture: its view may change from call to call.
    preprocess: Recording,
    rest: Recording,
}

/// The buffers of a detector.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Pictures recorded or submitted so far: tells whether the lists still hold a picture's result.
    pub(super) generation: u64,
    /// Most merged boxes that a picture has had.
    pub(super) most_boxes: u32,
    lists: Option<Lists>,
    chunk: Option<Chunk>,
    plan: Option<PicturePlan>,
}

const BEGIN_STAGE: &str = "begin";
const NETWORK_STAGE: &str = "network";

impl Fixed {
    pub(super) fn new(context: &Context, model: &Model, options: DetectorOptions) -> Result<Self> {
        options.validate()?;
        let head = model.info().head.clone().ok_or_else(|| {
            Error::model(format!("model \"{}\" has no detection head that is known", model.info().name))
        })?;
        let f16 = options.precision.is_f16(context)?;
        let plan = plan(context, model, &head.maps(), f16)?;
        let largest = Arenas::max_batch(context, &plan, f16, options.memory_bytes)?;
        // Submissions are split between chunks.
        let largest = largest.min(options.tiles_per_submission.unwrap_or(u32::MAX));
        let max_batch = options.batch.unwrap_or(largest);
        let possible = Arenas::max_batch(context, &plan, f16, u64::MAX)?;
        if max_batch > possible {
            return Err(Error::capacity(format!(
                "a batch of {max_batch} tiles exceeds this device's {possible}"
            )));
        }
        Ok(Self {
            context: context.clone(),
            model: model.clone(),
            weights: NetworkWeights::new(context, model, &plan, f16)?,
            options,
            head,
            plan,
            max_batch,
        })
    }

    pub(super) fn network<'a>(&'a self, arenas: &'a Arenas) -> Network<'a> {
        Network { model: &self.model, plan: &self.plan, weights: &self.weights, arenas }
    }

    /// Whether the first convolution of a chunk is computed with the preprocessing: all pixels must be in one binding, of the
    /// `frame` or of a texture. Tuning may change the answer at any time.
    fn fuses_stem(&self, network: &Network<'_>, tiles: u32, frame: Option<&Frame>) -> bool {
        let whole = frame.is_none_or(|frame| frame.bands.len() == 1);
        let launch = Launch { f16: self.weights.f16, tiles };
        let class = network.stem().map(|stem| stem::class(launch, &stem.conv));
        whole && class.is_some_and(|class| self.context.fuses_class(&class.key()))
    }
}

impl Lists {
    fn new(context: &Context, capacity: u32) -> Result<Self> {
        let ranker = Ranker::new(context, capacity)?;
        let usage =
            BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST | BufferUsages::INDIRECT;
        Ok(Self {
            capacity,
            header: context.buffer("header", size_of::<Header>() as u64, usage)?,
            candidates: context.storage("candidates", u64::from(capacity) * size_of::<Candidate>() as u64)?,
            merger: Merger::new(context, &ranker)?,
            ranker,
        })
    }

    pub(super) fn boxes(&self) -> &wgpu::Buffer {
        self.merger.boxes()
    }

    fn bytes(&self) -> u64 {
        self.header.size() + self.candidates.size() + self.ranker.bytes() + self.merger.bytes()
    }
}

impl Work {
    /// Drops the maps of chunks and all that was recorded.
    pub(super) fn forget(&mut self) {
        self.chunk = None;
        self.plan = None;
        self.generation += 1;
    }

    /// Buffers for at least `candidates` candidates; recordings over smaller ones are dropped.
    pub(super) fn reserve(&mut self, fixed: &Fixed, candidates: u32) -> Result<&Lists> {
        if self.lists.as_ref().is_none_or(|lists| lists.capacity < candidates) {
            self.plan = None;
            self.lists = None;
            self.generation += 1;
        }
        match &mut self.lists {
            Some(lists) => Ok(lists),
            empty => Ok(empty.insert(Lists::new(&fixed.context, candidates)?)),
        }
    }

    /// GPU memory held, weights included.
    pub(super) fn bytes(&self, fixed: &Fixed) -> u64 {
        let lists = self.lists.as_ref().map_or(0, Lists::bytes);
        let chunk = self.chunk.as_ref().map_or(0, |chunk| chunk.arenas.bytes + chunk.decode.bytes);
        let plan = self
            .plan
            .as_ref()
            .map_or(0, |plan| plan.tiles.size() + plan.frame.as_ref().map_or(0, |frame| frame.bytes));
        fixed.weights.bytes + lists + chunk + plan
    }

    /// The lists and the recordings for a picture, made unless the last picture was alike.
    pub(super) fn prepare(
        &mut self,
        fixed: &Fixed,
        size: [u32; 2],
        source: SourceKind,
        options: &DetectOptions,
    ) -> Result<(&Lists, &PicturePlan)> {
        let key = (size, source, options.clone());
        if self.plan.as_ref().is_none_or(|plan| plan.key != key) {
            self.plan = None;
            let grid = TileGrid::new(size[0], size[1], &options.grid)?;
            let least = options.least_scores(fixed.model.info().classes.len())?;
            self.reserve(fixed, fixed.options.candidate_capacity.max(1))?;
            let chunks = chunk_ranges(grid.tiles.len(), fixed.max_batch);
            self.reserve_chunk(fixed, chunks.first().map_or(1, ExactSizeIterator::len))?;
            let (Some(lists), Some(chunk)) = (&self.lists, &mut self.chunk) else {
                return Err(Error::device("buffers are missing"));
            };
            let place = "recording a picture";
            let plan = fixed
                .context
                .checked(place, || PicturePlan::new(fixed, lists, chunk, key, (grid, &least), chunks))??;
            self.plan = Some(plan);
        }
        match (&self.lists, &self.plan) {
            (Some(lists), Some(plan)) => Ok((lists, plan)),
            _ => Err(Error::device("buffers are missing")),
        }
    }

    fn reserve_chunk(&mut self, fixed: &Fixed, tiles: usize) -> Result<()> {
        let tiles = u32::try_from(tiles).unwrap_or(u32::MAX).max(1);
        if self.chunk.as_ref().is_some_and(|chunk| chunk.arenas.max_tiles >= tiles) {
            return Ok(());
        }
        self.chunk = None;
        let arenas = Arenas::new(&fixed.context, &fixed.plan, fixed.weights.f16, tiles)?;
        let decode = DecodeBuffers::new(&fixed.context, &fixed.network(&arenas), &fixed.head, tiles)?;
        self.chunk = Some(Chunk { arenas, decode, networks: Vec::new() });
        Ok(())
    }

    /// The preprocessing of a chunk from the caller's texture, recorded anew at each call.
    pub(super) fn record_texture(
        &self,
        fixed: &Fixed,
        chunk: usize,
        (view, srgb): (&wgpu::TextureView, bool),
    ) -> Result<Recording> {
        let (Some(plan), Some(buffers)) = (&self.plan, &self.chunk) else {
            return Err(Error::device("buffers are missing"));
        };
        let PlannedChunk { tiles, stem, .. } = &plan.chunks[chunk];
        let tiles = (&plan.grid, &plan.tiles, tiles.clone());
        record_preprocess(fixed, buffers, tiles, PixelSource::Texture(view, srgb), *stem)
    }
}

impl Chunk {
    /// The network for a number of tiles, recorded at its first use.
    fn network(&mut self, fixed: &Fixed, tiles: u32, has_stem: bool) -> Result<Recording> {
        let network = fixed.network(&self.arenas);
        let stem = network.stem().filter(|_| has_stem);
        let key = (tiles, has_stem);
        if let Some((_, known)) = self.networks.iter().find(|(known, _)| *known == key) {
            return Ok(known.clone());
        }
        let mut recorder = Recorder::new(&fixed.context);
        recorder.stage(NETWORK_STAGE);
        network.record(&mut recorder, tiles, stem.as_ref())?;
        let recording = recorder.finish();
        self.networks.push((key, recording.clone()));
        Ok(recording)
    }
}

impl PicturePlan {
    fn new(
        fixed: &Fixed,
        lists: &Lists,
        buffers: &mut Chunk,
        key: ([u32; 2], SourceKind, DetectOptions),
        (grid, least): (TileGrid, &[Option<f32>]),
        ranges: Vec<Range<u32>>,
    ) -> Result<Self> {
        let (context, input) = (&fixed.context, &fixed.model.info().input);
        let frame = match key.1 {
            SourceKind::Frame(format) => {
                Some(Frame::new(context, key.0, format, fixed.options.max_band_bytes)?)
            }
            SourceKind::Texture => None,
        };
        let tiles = preprocess::source_tiles(&grid, input)?;
        let tiles = context.buffer_with("tiles", bytemuck::cast_slice(&tiles), BufferUsages::STORAGE)?;
        let least_scores = decode::least_scores(context, least)?;
        let mut begin = Recorder::new(context);
        begin.stage(BEGIN_STAGE);
        begin::record(&mut begin, &lists.header, lists.capacity)?;

        let network_of = |range: &Range<u32>| {
            let count = range.end - range.start;
            let stem = fixed.fuses_stem(&fixed.network(&buffers.arenas), count, frame.as_ref());
            Ok((stem, buffers.network(fixed, count, stem)?))
        };
        let networks: Vec<(bool, Recording)> = ranges.iter().map(network_of).collect::<Result<_>>()?;
        let network = fixed.network(&buffers.arenas);
        let targets = DecodeTargets {
            tiles: &tiles,
            header: &lists.header,
            candidates: &lists.candidates,
            least_scores: &least_scores,
        };
        let mut chunks: Vec<PlannedChunk> = Vec::with_capacity(ranges.len());
        for (range, (stem, mut rest)) in ranges.into_iter().zip(networks) {
            let count = range.end - range.start;
            let mut recorder = Recorder::new(context);
            recorder.stage("decode");
            decode::record(&mut recorder, &network, &buffers.decode, &targets, (range.start, count))?;
            rest.append(&recorder.finish());
            let preprocess = match &frame {
                None => Recording::default(),
                Some(frame) => {
                    let tiles = (&grid, &tiles, range.clone());
                    record_preprocess(fixed, buffers, tiles, PixelSource::Frame(frame), stem)?
                }
            };
            chunks.push(PlannedChunk { tiles: range, stem, preprocess, rest });
        }
        let (finish, more_rounds) = record_merge(context, lists, &key.2)?;
        Ok(Self { key, grid, tiles, frame, begin: begin.finish(), chunks, finish, more_rounds })
    }

    /// Number of chunks.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The recordings of a picture in order, split into groups of at most `tiles` tiles, at least a chunk each.
    /// `textures` holds the preprocessing of each chunk where the source is a texture.
    pub(super) fn groups<'a>(
        &'a self,
        textures: &'a [Recording],
        tiles: Option<u32>,
    ) -> Vec<Vec<&'a Recording>> {
        let mut groups = vec![vec![&self.begin]];
        let mut in_group = 0;
        for (index, chunk) in self.chunks.iter().enumerate() {
            let count = chunk.tiles.end - chunk.tiles.start;
            if in_group > 0 && tiles.is_some_and(|limit| in_group + count > limit) {
                groups.push(Vec::new());
                in_group = 0;
            }
            in_group += count;
            if let Some(group) = groups.last_mut() {
                group.extend([textures.get(index).unwrap_or(&chunk.preprocess), &chunk.rest]);
            }
        }
        if let Some(group) = groups.last_mut() {
            group.push(&self.finish);
        }
        groups
    }
}

fn record_preprocess(
    fixed: &Fixed,
    buffers: &Chunk,
    (grid, tiles, range): (&TileGrid, &wgpu::Buffer, Range<u32>),
    source: PixelSource<'_>,
    has_stem: bool,
) -> Result<Recording> {
    let network = fixed.network(&buffers.arenas);
    let launch = Launch { f16: fixed.weights.f16, tiles: range.end - range.start };
    let info = fixed.model.info();
    let mut recorder = Recorder::new(&fixed.context);
    recorder.stage("preprocess");
    if let Some(Stem { node, conv }) = network.stem().filter(|_| has_stem) {
        recorder.stage(NETWORK_STAGE);
        recorder.layer(node, launch.tiles);
        preprocess::record_stem(&mut recorder, launch, source, (grid, tiles, range), (&info.input, &conv))?;
    } else {
        let target = (&info.input, network.map(&info.graph.input)?);
        preprocess::record(&mut recorder, launch, source, (grid, tiles, range), target)?;
    }
    Ok(recorder.finish())
}

/// Sort and merge, and the further rounds of the merge.
fn record_merge(context: &Context, lists: &Lists, options: &DetectOptions) -> Result<(Recording, Recording)> {
    let input = options.merge.input(&lists.ranker, &lists.candidates, &lists.header);
    let mut finish = Recorder::new(context);
    lists.ranker.record(&mut finish, &lists.candidates, &lists.header, !options.merge.class_agnostic)?;
    lists.merger.record(&mut finish, &input)?;
    let mut more = Recorder::new(context);
    lists.merger.record_more(&mut more, &input)?;
    Ok((finish.finish(), more.finish()))
}

/// `tiles` tiles in the fewest chunks of at most `max`, as even as they get, the longest first.
pub(super) fn chunk_ranges(tiles: usize, max: u32) -> Vec<Range<u32>> {
    let tiles = u32::try_from(tiles).unwrap_or(u32::MAX);
    let chunks = tiles.div_ceil(max.max(1)).max(1);
    let (size, longer) = (tiles / chunks, tiles % chunks);
    let start = |chunk: u32| chunk * size + chunk.min(longer);
    (0..chunks).map(|chunk| start(chunk)..start(chunk + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Precision;
    use crate::gpu::testing::context;

    #[test]
    fn chunks_are_even_and_whole() {
        let lengths = |tiles, max| -> Vec<usize> {
            let ranges = chunk_ranges(tiles, max);
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            ranges.iter().map(ExactSizeIterator::len).collect()
        };
        assert_eq!(lengths(84, 20), [17, 17, 17, 17, 16]);
        assert_eq!(lengths(1, 20), [1]);
        assert_eq!(lengths(3, 1), [1, 1, 1]);
        assert_eq!(lengths(5, 9), [5]);
    }

    /// Dispatches of the first chunk of a picture.
    fn dispatches(context: &Context, model: &Model, max_band_bytes: Option<u64>) -> usize {
        let options =
            DetectorOptions { max_band_bytes, precision: Precision::F32, ..DetectorOptions::default() };
        let fixed = Fixed::new(context, model, options).unwrap();
        let mut work = Work::default();
        let kind = SourceKind::Frame(PixelFormat::Rgb8);
        let (_, plan) = work.prepare(&fixed, [500, 320], kind, &DetectOptions::default()).unwrap();
        plan.chunks[0].preprocess.dispatches() + plan.chunks[0].rest.dispatches()
    }

    #[test]
    fn fused_steps_are_fewer_dispatches() {
        let Some(context) = context() else { return };
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/thermal-nano.safetensors");
        let model = Model::load(path).unwrap();
        let of = |fused, bands| dispatches(&context.with_fusion(fused), &model, bands);
        assert_eq!(of(true, None) + 1, of(false, None));
        // Pixels in several bindings are sampled first.
        assert_eq!(of(true, Some(200_000)), of(false, Some(200_000)));
        // One dispatch was found slower.
        let tuned = context.with_fusion_by_default();
        assert_eq!(dispatches(&tuned, &model, None), of(true, None));
        let options = DetectorOptions { precision: Precision::F32, ..DetectorOptions::default() };
        let fixed = Fixed::new(&tuned, &model, options).unwrap();
        let arenas = Arenas::new(&tuned, &fixed.plan, false, 1).unwrap();
        let first = fixed.network(&arenas).stem().unwrap();
        tuned.tune(stem::class(Launch { f16: false, tiles: 1 }, &first.conv).key(), vec![0]);
        assert_eq!(dispatches(&tuned, &model, None), of(false, None));
        assert_eq!(dispatches(&tuned.with_fusion(true), &model, None), of(true, None));
    }

    #[test]
    fn a_texture_is_read_as_the_network_was_recorded() {
        let Some(context) = context() else { return };
        let context = context.with_fusion_by_default();
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/thermal-nano.safetensors");
        let options = DetectorOptions { precision: Precision::F32, ..DetectorOptions::default() };
        let fixed = Fixed::new(&context, &Model::load(path).unwrap(), options).unwrap();
        let texture = context.device().create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: 320, height: 320, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::TEXTURE_BINDING,
            view_formats: &[],
        });
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let mut work = Work::default();
        let mut dispatches = || {
            let options = DetectOptions::default();
            let (_, plan) = work.prepare(&fixed, [320, 320], SourceKind::Texture, &options).unwrap();
            let rest = plan.chunks[0].rest.dispatches();
            // Of the preprocessing only a stem is a layer.
            let layers = work.record_texture(&fixed, 0, (&view, false)).unwrap().marks().layers;
            (layers, rest)
        };
        let before = dispatches();
        assert_eq!(before.0, 1);
        let arenas = Arenas::new(&context, &fixed.plan, false, 1).unwrap();
        let first = fixed.network(&arenas).stem().unwrap();
        let class = stem::class(Launch { f16: false, tiles: 1 }, &first.conv);
        context.tune(class.key(), vec![0]);
        assert_eq!(dispatches(), before, "what was recorded stays as it is");
        let mut again = Work::default();
        let options = DetectOptions::default();
        let (_, plan) = again.prepare(&fixed, [320, 320], SourceKind::Texture, &options).unwrap();
        assert_eq!(plan.chunks[0].rest.dispatches(), before.1 + 1);
    }
}
