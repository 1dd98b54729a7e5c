//! Decoding and compaction on the device against their CPU oracles.

use super::{context, info, input, run};
use crate::geom::{Edges, GridOptions, MAX_TILES, ResizeMode, TileGrid, TileSize, TileTransform};
use crate::gpu::{Context, Recorder};
use crate::heads::{GflHead, GflLevel, Head, YoloxHead, YoloxLevel};
use crate::kernels::rank::begin;
use crate::model::{Activation, ArenaPlan, Graph, Model, Node, Op, Residual, Sharing, Tensor, Weights};
use crate::reference::decode as oracle;
use crate::stages::decode::{self, DecodeBuffers, DecodeTargets};
use crate::stages::infer::{Arenas, Network};
use crate::stages::weights::NetworkWeights;
use crate::stages::{Candidate, Header, preprocess};
use half::f16;

/// A model whose head reads channels of the input directly: [3, h, w] cannot hold a head, so constant convolutions
/// make its maps from bias alone and the test overwrites them.
fn head_model(head: Head, maps: &[(&str, u32, u32)], options: (usize, ResizeMode)) -> Model {
    let maps: Vec<_> = maps.iter().map(|&(name, channels, stride)| (name, channels, [stride; 2])).collect();
    strided_head_model(head, &maps, options)
}

/// The same with strides by height and width.
pub(super) fn strided_head_model(
    head: Head,
    maps: &[(&str, u32, [u32; 2])],
    (classes, resize): (usize, ResizeMode),
) -> Model {
    let mut weights = Weights::default();
    let mut nodes = Vec::new();
    let mut add = |name: String, channels: u32, stride| {
        let data = vec![0.0; (channels * 3) as usize];
        let shape = vec![channels as usize, 3, 1, 1];
        weights.insert(name.clone(), Tensor { shape, data }).unwrap();
        let op = Op::Conv {
            weight: name.clone(),
            bias: None,
            stride,
            padding: [0; 4],
            dilation: [1; 2],
            groups: 1,
            activation: Activation::None,
            residual: Residual::None,
        };
        nodes.push(Node { name, inputs: vec!["input".into()], op });
    };
    for &(name, channels, stride) in maps {
        add(name.to_owned(), channels, stride);
        add(format!("beside {name}"), 4, stride);
    }
    // Each map is the end of another as well, where a plan may store it.
    for &(name, channels, _) in maps {
        let map =
            (0..4).map(|channel| [0, channel, 0, 0]).chain((0..channels).map(|channel| [1, channel, 0, 0]));
        let inputs = vec![format!("beside {name}"), name.to_owned()];
        nodes.push(Node { name: whole(name), inputs, op: Op::Channels { step: 1, map: map.collect() } });
    }
    let graph = Graph { input: "input".into(), nodes, outputs: Vec::new() };
    Model::new(info(input([64, 64], resize), graph, Some(head), classes), weights).unwrap()
}

fn whole(name: &str) -> String {
    format!("whole of {name}")
}

/// Values in a range, seeded.
pub(super) fn random(seed: u64, count: usize, low: f32, high: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            low + (high - low) * ((state >> 40) as f32 / (1u64 << 24) as f32)
        })
        .collect()
}

/// Puts `values` `[channels, h, w]` of a tile into a map on the device.
fn write_map(context: &Context, network: &Network<'_>, name: &str, tile: u32, values: &[f32]) {
    let map = network.map(name).unwrap();
    let pixels = map.shape.pixels() as usize;
    let mut packed = vec![0.0f32; map.shape.padded_len() as usize];
    for (at, value) in values.iter().enumerate() {
        let (channel, pixel) = (at / pixels, at % pixels);
        packed[(channel / 4 * pixels + pixel) * 4 + channel % 4] = *value;
    }
    let halves: Vec<f16>;
    let bytes: &[u8] = if network.weights.f16 {
        halves = packed.into_iter().map(f16::from_f32).collect();
        bytemuck::cast_slice(&halves)
    } else {
        bytemuck::cast_slice(&packed)
    };
    let unit = bytes.len() as u64 * 4 / map.shape.padded_len();
    context.queue().write_buffer(map.buffer, u64::from(map.base + tile * map.tile) * unit, bytes);
}

/// What decoding finds, by the device or by the oracle.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    pub(super) total: u32,
    pub(super) not_finite: u32,
    pub(super) empty: u32,
}

/// Where two results differ.
fn compare(found: &Found, wanted: &Found) -> Result<(), String> {
    let counts = |f: &Found| (f.candidates.len(), f.total, f.not_finite, f.empty);
    if counts(found) != counts(wanted) {
        return Err(format!("counts {:?}, expected {:?}", counts(found), counts(wanted)));
    }
    let close = |a: f32, b: f32| (a - b).abs() <= 1e-4 * b.abs().max(1.0);
    for (row, (got, wanted)) in found.candidates.iter().zip(&wanted.candidates).enumerate() {
        let words = |c: &Candidate| (c.class_id, c.tile_index(), c.edges(), c.anchor);
        let mut pairs = got.rect.to_array().into_iter().zip(wanted.rect.to_array());
        let same = words(got) == words(wanted) && got.tile == wanted.tile;
        if !same || !close(got.score, wanted.score) || !pairs.all(|(a, b)| close(a, b)) {
            return Err(format!("row {row}: {got:?}, expected {wanted:?}"));
        }
    }
    Ok(())
}

/// A picture of 80 x 70 pixels in five tiles, the last of all of it.
pub(super) fn five_tiles(tile: [u32; 2]) -> TileGrid {
    let tile = TileSize::Fixed { width: tile[0], height: tile[1] };
    let options = GridOptions { tile, overlap: [0.3; 2], full_image: true };
    let grid = TileGrid::new(80, 70, &options).unwrap();
    assert_eq!(grid.tiles.len(), 5);
    grid
}

/// Decodes maps that `make` fills by name and seed in chunks of two tiles: what the device finds, as far as it fits
/// `capacity`, and what the oracle finds.
fn decode_both(
    model: &Model,
    make: impl Fn(&str, u64, usize) -> Vec<f32>,
    (grid, least): (&TileGrid, &[Option<f32>]),
    (capacity, half, in_place): (u32, bool, bool),
) -> Option<[Found; 2]> {
    let context = context()?;
    if half && !context.has_f16() {
        eprintln!("skipped: no f16");
        return None;
    }
    let head = model.info().head.clone().unwrap();
    let wholes: Vec<String> = head.maps().into_iter().map(whole).collect();
    let wanted_maps: Vec<&str> = head.maps().into_iter().chain(wholes.iter().map(String::as_str)).collect();
    let sharing = Sharing { in_place, ..Sharing::default() };
    let plan = ArenaPlan::sharing(&model.info().graph, model.shapes(), &wanted_maps, sharing).unwrap();
    let has_gaps = |name: &&str| plan.places[*name].stride > plan.places[*name].len;
    assert_eq!(
        head.maps().iter().filter(|name| has_gaps(name)).count(),
        if in_place { head.maps().len() } else { 0 }
    );
    let arenas = Arenas::new(&context, &plan, half, 2).unwrap();
    let weights = NetworkWeights::new(&context, model, &plan, half).unwrap();
    let network = Network { model, plan: &plan, weights: &weights, arenas: &arenas };
    let spec = &model.info().input;
    let tiles = preprocess::source_tiles(grid, spec).unwrap();
    let tiles =
        context.buffer_with("tiles", bytemuck::cast_slice(&tiles), wgpu::BufferUsages::STORAGE).unwrap();
    let header = context.storage("header", size_of::<Header>() as u64).unwrap();
    let candidates = context.storage("candidates", u64::from(capacity) * 32).unwrap();
    let buffers = DecodeBuffers::new(&context, &network, &head, 2).unwrap();
    let least_scores = decode::least_scores(&context, least).unwrap();
    let targets = DecodeTargets {
        tiles: &tiles,
        header: &header,
        candidates: &candidates,
        least_scores: &least_scores,
    };
    let mut wanted = Found::default();
    let mut bytes = Vec::new();
    for range in [0..2u32, 2..4, 4..5] {
        let mut recorder = Recorder::new(&context);
        if range.start == 0 {
            begin::record(&mut recorder, &header, capacity).unwrap();
        }
        for index in range.clone() {
            let mut maps = oracle::Maps::new();
            for name in head.maps() {
                let shape = model.shapes().get(name).unwrap();
                let seed = u64::from(index) * 100 + name.len() as u64 + u64::from(name.as_bytes()[0]);
                let mut values = make(name, seed, (shape.channels * shape.pixels()) as usize);
                if half {
                    values.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
                }
                write_map(&context, &network, name, index - range.start, &values);
                maps.insert(name.to_owned(), values);
            }
            let rect = grid.tiles[index as usize].rect;
            let transform = TileTransform::new(rect, [spec.width, spec.height], spec.resize);
            let picture = [grid.image_width, grid.image_height];
            let placed = oracle::PlacedTile { transform, index, picture };
            let decoded = oracle::decode(model, &maps, &placed, least);
            wanted.candidates.extend(decoded.candidates);
            wanted.not_finite += decoded.not_finite;
            wanted.empty += decoded.empty;
        }
        let chunk = (range.start, range.end - range.start);
        decode::record(&mut recorder, &network, &buffers, &targets, chunk).unwrap();
        bytes = run(&context, recorder, &header);
    }
    wanted.total = wanted.candidates.len() as u32;
    wanted.candidates.truncate(capacity as usize);
    let counts: Header = bytemuck::pod_read_unaligned(&bytes[..size_of::<Header>()]);
    let list = run(&context, Recorder::new(&context), &candidates);
    let kept = list.chunks_exact(32).take(counts.kept_candidates as usize);
    let found = Found {
        candidates: kept.map(bytemuck::pod_read_unaligned).collect(),
        total: counts.candidates,
        not_finite: counts.not_finite,
        empty: counts.empty,
    };
    Some([found, wanted])
}

/// Decodes with both, compares, and returns the device's result.
pub(super) fn check_decode(
    model: &Model,
    make: impl Fn(&str, u64, usize) -> Vec<f32>,
    (grid, least): (&TileGrid, &[Option<f32>]),
    capacity: u32,
) -> Option<Found> {
    check_stored(model, make, (grid, least), (capacity, false))
}

/// The same with maps stored as f16 if `half`.
pub(super) fn check_stored(
    model: &Model,
    make: impl Fn(&str, u64, usize) -> Vec<f32>,
    (grid, least): (&TileGrid, &[Option<f32>]),
    (capacity, half): (u32, bool),
) -> Option<Found> {
    let mut found = Found::default();
    for in_place in [false, true] {
        let [one, wanted] = decode_both(model, &make, (grid, least), (capacity, half, in_place))?;
        compare(&one, &wanted).unwrap_or_else(|difference| panic!("in place {in_place}: {difference}"));
        found = one;
    }
    assert!(found.total > 4, "{} candidates are too few to tell", found.total);
    Some(found)
}

fn yolox_model(resize: ResizeMode) -> Model {
    let level = |stride: u32, n: &str| YoloxLevel {
        stride,
        boxes: format!("box{n}"),
        objectness: format!("obj{n}"),
        classes: format!("cls{n}"),
    };
    let head = Head::Yolox(YoloxHead { levels: vec![level(8, "0"), level(16, "1")] });
    let maps =
        [("box0", 4, 8), ("obj0", 1, 8), ("cls0", 7, 8), ("box1", 4, 16), ("obj1", 1, 16), ("cls1", 7, 16)];
    head_model(head, &maps, (7, resize))
}

fn gfl_model(resize: ResizeMode) -> Model {
    gfl_model_of(false, resize)
}

fn gfl_model_of(sigmoid: bool, resize: ResizeMode) -> Model {
    let level =
        |stride: u32, n: &str| GflLevel { stride, classes: format!("cls{n}"), distances: format!("dis{n}") };
    let head =
        Head::Gfl(GflHead { bins: 8, centre: 0.5, sigmoid, levels: vec![level(8, "0"), level(32, "1")] });
    let maps = [("cls0", 5, 8), ("dis0", 32, 8), ("cls1", 5, 32), ("dis1", 32, 32)];
    head_model(head, &maps, (5, resize))
}

/// Random maps of both heads, some values not finite.
pub(super) fn random_maps(name: &str, seed: u64, count: usize) -> Vec<f32> {
    let (low, high) = match &name[..3] {
        "box" => (-3.0, 3.0),
        "dis" => (-6.0, 6.0),
        _ => (0.0, 1.0),
    };
    let mut values = random(seed, count, low, high);
    match &name[..3] {
        "box" => {
            values[5] = f32::NAN;
            values[count - 2] = f32::INFINITY;
        }
        "dis" => values[count / 3] = f32::NAN,
        _ => values[count / 2] = f32::NAN,
    }
    values
}

/// Every edge is touched by some box, and some boxes touch none, several, or an edge of the picture.
pub(super) fn assert_edges_vary(found: &Found) {
    for edge in [Edges::LEFT, Edges::TOP, Edges::RIGHT, Edges::BOTTOM] {
        let touching = found.candidates.iter().filter(|c| c.edges().bits() & edge.bits() != 0).count();
        assert!(touching > 0 && touching < found.candidates.len(), "{edge:?}: {touching}");
    }
    assert!(found.candidates.iter().any(|c| c.edges().is_empty()));
    assert!(found.candidates.iter().any(|c| c.edges().bits().count_ones() > 1));
    assert!(found.candidates.iter().all(|c| c.tile_index() != 4 || c.edges().is_empty()));
}

#[test]
fn yolox_decoding_equals_the_oracle() {
    let model = yolox_model(ResizeMode::LetterboxTopLeft);
    let grid = five_tiles([50, 50]);
    let Some(found) = check_decode(&model, random_maps, (&grid, &[Some(0.4); 7]), 1 << 10) else { return };
    assert!(found.not_finite > 4, "{} dropped", found.not_finite);
    assert_edges_vary(&found);
    check_decode(&model, random_maps, (&grid, &[Some(0.4); 7]), 7);
}

#[test]
fn gfl_decoding_equals_the_oracle() {
    let model = gfl_model(ResizeMode::LetterboxTopLeft);
    let grid = five_tiles([50, 50]);
    let Some(found) = check_decode(&model, random_maps, (&grid, &[Some(0.6); 5]), 1 << 10) else { return };
    assert!(found.not_finite > 4, "{} dropped", found.not_finite);
    assert_edges_vary(&found);
}

#[test]
fn gfl_decoding_of_logits_equals_the_oracle() {
    let model = gfl_model_of(true, ResizeMode::LetterboxTopLeft);
    let grid = five_tiles([50, 50]);
    for half in [false, true] {
        let make = |name: &str, seed: u64, count: usize| match &name[..3] {
            // Beyond +-17 the sigmoid is 1 or nearly 0 and the largest logit still decides.
            "cls" => {
                let mut values = random(seed, count, -24.0, 24.0);
                values[count / 2] = f32::NAN;
                values
            }
            _ => random_maps(name, seed, count),
        };
        let least = [Some(0.0), Some(0.5), Some(0.999), Some(0.9), None];
        let Some(found) = check_stored(&model, make, (&grid, &least), (1 << 10, half)) else { return };
        assert!(found.not_finite > 4, "{} dropped", found.not_finite);
    }
}

#[test]
fn edges_of_padded_tiles_equal_the_oracle() {
    // Wide and tall tiles: the tile's right or bottom edge lies inside the input, and with centring its left or top.
    for resize in [ResizeMode::LetterboxTopLeft, ResizeMode::LetterboxCentre, ResizeMode::Stretch] {
        for tile in [[50, 44], [48, 50]] {
            let grid = five_tiles(tile);
            let (yolox, gfl) = (yolox_model(resize), gfl_model(resize));
            let Some(found) = check_decode(&yolox, random_maps, (&grid, &[Some(0.3); 7]), 1 << 12) else {
                return;
            };
            assert_edges_vary(&found);
            let found = check_decode(&gfl, random_maps, (&grid, &[Some(0.3); 5]), 1 << 12);
            found.iter().for_each(assert_edges_vary);
        }
    }
}

#[test]
fn classes_have_their_own_thresholds() {
    let grid = five_tiles([50, 50]);
    // Lower and higher than the others, nothing, everything, and left out.
    let yolox = [Some(0.3), Some(0.1), Some(0.7), None, Some(1.0), Some(0.0), Some(0.3)];
    let gfl = [Some(0.95), None, Some(0.0), Some(0.8), Some(0.6)];
    for (model, least) in [
        (yolox_model(ResizeMode::LetterboxTopLeft), &yolox[..]),
        (gfl_model(ResizeMode::LetterboxTopLeft), &gfl[..]),
    ] {
        let Some(found) = check_decode(&model, random_maps, (&grid, least), 1 << 12) else { return };
        let all = vec![Some(0.0); least.len()];
        let Some(all) = check_decode(&model, random_maps, (&grid, &all), 1 << 12) else { return };
        let wanted = |c: &&Candidate| least[c.class_id as usize].is_some_and(|least| c.score >= least);
        let filtered: Vec<Candidate> = all.candidates.iter().filter(wanted).copied().collect();
        assert_eq!(found.candidates, filtered);
        assert!(filtered.len() > 20 && filtered.len() + 20 < all.candidates.len());
    }
}

#[test]
fn a_score_equal_to_the_threshold_of_its_class_passes() {
    // Class 0 or 1 leads with 0.25 in each cell, and class 4 ties with both: the first must win.
    let make = |name: &str, seed: u64, count: usize| match &name[..3] {
        "box" => random(seed, count, -1.0, 1.0),
        "obj" => vec![1.0; count],
        _ => {
            let cells = count / 7;
            let leads = |class: usize, cell: usize| class == 4 || class == cell % 2;
            (0..count).map(|i| if leads(i / cells, i % cells) { 0.25 } else { 0.125 }).collect()
        }
    };
    let above = f32::from_bits(0.25f32.to_bits() + 1);
    let model = yolox_model(ResizeMode::LetterboxTopLeft);
    let grid = five_tiles([50, 50]);
    let classes = |first: Option<f32>, second: Option<f32>| {
        // Class 4 never wins, so its threshold lets nothing pass.
        let mut least = [Some(0.9); 7];
        (least[0], least[1], least[4]) = (first, second, Some(0.0));
        let found = check_decode(&model, make, (&grid, &least), 1 << 12)?;
        let count = |class: u32| found.candidates.iter().filter(|c| c.class_id == class).count();
        assert_eq!(count(0) + count(1), found.candidates.len());
        Some([count(0), count(1)])
    };
    let Some([first, second]) = classes(Some(0.25), Some(0.25)) else { return };
    assert!(first > 100 && second > 100, "{first} and {second}");
    assert_eq!(classes(Some(0.25), Some(above)), Some([first, 0]));
    assert_eq!(classes(Some(above), Some(0.25)), Some([0, second]));
    assert_eq!(classes(None, Some(0.25)), Some([0, second]));
    assert_eq!(classes(Some(0.0), None), Some([first, 0]));
}

#[test]
fn a_box_touches_an_edge_up_to_the_tolerance() {
    let model = yolox_model(ResizeMode::Stretch);
    let grid = five_tiles([50, 50]);
    // Boxes as wide as a cell: those of the outer cells end `slack` cells inside of 2 pixels from the input's edge.
    let touching = |slack: f32| {
        let make = move |name: &str, _: u64, count: usize| match &name[..3] {
            "box" => {
                let cells = count / 4;
                let side = if cells == 64 { 8 } else { 4 };
                // Half a cell and 2 pixels of cells of 8 or 16 pixels.
                let low = 0.5 + 2.0 / (64 / side) as f32 + slack;
                let raw = |at: usize| if at < side / 2 { low } else { 1.0 - low };
                let value = |i: usize| match i / cells {
                    0 => raw(i % cells % side),
                    1 => raw(i % cells / side),
                    _ => 0.0,
                };
                (0..count).map(value).collect()
            }
            _ => vec![1.0; count],
        };
        let found = check_decode(&model, make, (&grid, &[Some(0.5); 7]), 1 << 12)?;
        assert_eq!(found.candidates.len(), 5 * 80);
        let edges = [Edges::LEFT, Edges::TOP, Edges::RIGHT, Edges::BOTTOM];
        Some([0, 1, 2, 3, 4].map(|tile| {
            let of_tile = || found.candidates.iter().filter(move |c| c.tile_index() == tile);
            edges.map(|edge| of_tile().filter(|c| c.edges().bits() & edge.bits() != 0).count())
        }))
    };
    let outer = 8 + 4;
    let both =
        [[0, 0, outer, outer], [outer, 0, 0, outer], [0, outer, outer, 0], [outer, outer, 0, 0], [0; 4]];
    // Not 0: on some drivers exp(0) is not exactly 1.
    let Some(found) = touching(-1.0 / 1024.0) else { return };
    assert_eq!(found, both);
    assert_eq!(touching(1.0 / 1024.0), Some([[0; 4]; 5]));
}

#[test]
fn the_comparison_can_fail() {
    let rect = crate::geom::RectPx::new(1.0, 2.0, 30.0, 40.0);
    let tile = Candidate::tile_word(3, Edges::LEFT.union(Edges::BOTTOM));
    let one = Candidate { rect, score: 0.5, class_id: 2, tile, anchor: 9 };
    let good = Found { candidates: vec![one; 3], total: 3, not_finite: 1, empty: 1 };
    assert_eq!(compare(&good, &good), Ok(()));
    let changes: [fn(&mut Found); 11] = [
        |f| f.candidates[2].tile = Candidate::tile_word(3, Edges::LEFT),
        |f| f.candidates[2].tile = Candidate::tile_word(2, Edges::LEFT.union(Edges::BOTTOM)),
        |f| f.candidates[1].class_id = 1,
        |f| f.candidates[1].anchor = 8,
        |f| f.candidates[0].score = 0.51,
        |f| f.candidates[0].rect.x1 = 30.1,
        |f| f.candidates[0].rect.y0 = f32::NAN,
        |f| f.total = 4,
        |f| f.not_finite = 0,
        |f| f.empty = 0,
        |f| f.candidates.truncate(2),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(compare(&bad, &good).is_err(), "change {number}");
    }
}

#[test]
fn the_last_tile_fits_its_word() {
    let edges = Edges::from_bits(15).unwrap();
    let candidate = Candidate { tile: Candidate::tile_word(MAX_TILES as u32, edges), ..Candidate::default() };
    assert_eq!((candidate.tile_index() as usize, candidate.edges()), (MAX_TILES, edges));
}
