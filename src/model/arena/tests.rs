#![allow(clippy::unwrap_used)]

use super::super::{
    Activation, InputSpec, Model, ModelInfo, Node, Op, PoolKind, Residual, ResizeKind, Tensor, Weights,
};
use super::*;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Convolutions, sums, poolings, slices, concatenations and shuffles of maps of 8 x 8 and 4 x 4, most of whole vec4s.
fn random(seed: u64) -> Model {
    let mut dice = Dice(seed);
    let mut weights = Weights::default();
    // Name, channels, side.
    let mut maps = vec![("in".to_owned(), 3, 8)];
    let mut nodes = Vec::new();
    for index in 0..24 {
        let name = format!("n{index}");
        // Recent ones more often.
        let back = dice.below(maps.len().min(6)) + 1;
        let (input, channels, side): (String, u32, u32) = maps[maps.len() - back].clone();
        let alike: Vec<_> =
            maps.iter().filter(|(other, _, s)| *s == side && *other != input).cloned().collect();
        let entry = |input: u32, channel: u32| [input, channel, 0, 0];
        let (op, inputs, channels, side) = match dice.below(10) {
            0..=2 => {
                let (out, stride) =
                    ([4, 8, 8, 12, 6][dice.below(5)], if side == 8 { dice.below(2) as u32 + 1 } else { 1 });
                let shape = vec![out as usize, channels as usize, 1, 1];
                weights.insert(&name, Tensor { data: vec![1.0; shape.iter().product()], shape }).unwrap();
                let other = alike.iter().find(|(_, c, _)| *c == out && stride == 1);
                let op = Op::Conv {
                    weight: name.clone(),
                    bias: None,
                    stride: [stride; 2],
                    padding: [0; 4],
                    dilation: [1; 2],
                    groups: 1,
                    activation: Activation::None,
                    residual: other.map_or(Residual::None, |_| Residual::AfterActivation),
                };
                let inputs = std::iter::once(input).chain(other.map(|(other, ..)| other.clone())).collect();
                (op, inputs, out, side / stride)
            }
            8 => {
                // Depthwise: half of a pair if the next node reads it alone.
                let shape = vec![channels as usize, 1, 3, 3];
                weights.insert(&name, Tensor { data: vec![1.0; shape.iter().product()], shape }).unwrap();
                let op = Op::Conv {
                    weight: name.clone(),
                    bias: None,
                    stride: [1; 2],
                    padding: [1; 4],
                    dilation: [1; 2],
                    groups: channels,
                    activation: Activation::None,
                    residual: Residual::None,
                };
                (op, vec![input], channels, side)
            }
            9 if !alike.is_empty() => {
                // Channels of up to three maps in turns.
                let parts: Vec<_> = std::iter::once((input, channels))
                    .chain(alike.iter().take(1 + dice.below(2)).map(|(other, c, _)| (other.clone(), *c)))
                    .collect();
                let least = parts.iter().map(|(_, channels)| *channels).min().unwrap();
                let inputs = parts.len() as u32;
                let map: Vec<_> = (0..least)
                    .flat_map(|channel| (0..inputs).map(move |input| entry(input, channel)))
                    .collect();
                let len = map.len() as u32;
                (Op::Channels { step: 1, map }, parts.into_iter().map(|(name, _)| name).collect(), len, side)
            }
            3 => {
                let kind = PoolKind::Max;
                let op =
                    Op::Pool { kind, kernel: [3; 2], stride: [1; 2], padding: [1; 4], count_padding: false };
                (op, vec![input], channels, side)
            }
            4 if side == 4 => {
                let op = Op::Resize { kind: ResizeKind::NearestAsymmetricFloor, size: [8; 2] };
                (op, vec![input], channels, 8)
            }
            4 | 5 if channels > 4 => {
                let from = dice.below(channels as usize / 4) as u32 * 4;
                let map: Vec<_> = (from..channels).map(|channel| entry(0, channel)).collect();
                let len = map.len() as u32;
                (Op::Channels { step: 1, map }, vec![input], len, side)
            }
            6 if !alike.is_empty() && dice.below(2) == 0 => {
                // Read by a convolution alone if the next node is one.
                let map: Vec<_> = (0..channels).rev().map(|channel| entry(0, channel)).collect();
                (Op::Channels { step: 1, map }, vec![input], channels, side)
            }
            _ => {
                let mut parts = vec![(input, channels)];
                for _ in 0..dice.below(3) {
                    if let Some((other, channels, _)) = alike.get(dice.below(alike.len().max(1))) {
                        parts.push((other.clone(), *channels));
                    }
                }
                let map: Vec<_> = (0..)
                    .zip(&parts)
                    .flat_map(|(input, (_, channels))| {
                        (0..*channels).map(move |channel| entry(input, channel))
                    })
                    .collect();
                let len = map.len() as u32;
                (Op::Channels { step: 1, map }, parts.into_iter().map(|(name, _)| name).collect(), len, side)
            }
        };
        nodes.push(Node { name: name.clone(), inputs, op });
        maps.push((name, channels, side));
    }
    let graph = Graph { input: "in".into(), nodes, outputs: Vec::new() };
    Model::new(ModelInfo::new("test", InputSpec::plain(8, 8), graph), weights).unwrap()
}

fn hash(parts: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// What stands for the values of a map: of each vec4 four numbers, 0 beyond the channels.
type Content = Vec<[u64; 4]>;

/// What a node makes of its inputs.
fn made(node: &Node, inputs: &[&Content], [channels, pixels]: [u32; 2]) -> Content {
    let mut content = vec![[0; 4]; (channels.div_ceil(4) * pixels) as usize];
    for channel in 0..channels {
        for pixel in 0..pixels {
            let value = match &node.op {
                Op::Channels { map, .. } => {
                    let [input, source, ..] = map[channel as usize];
                    inputs[input as usize][(source / 4 * pixels + pixel) as usize][source as usize % 4]
                }
                _ => hash(&(&node.name, channel, pixel, inputs)),
            };
            content[(channel / 4 * pixels + pixel) as usize][channel as usize % 4] = value;
        }
    }
    content
}

/// Runs a plan on memory that holds such numbers, its pairs in one dispatch if `fused`; checks what dispatches read and write, and
/// returns the wanted maps.
fn run(model: &Model, plan: &ArenaPlan, wanted: &[&str], fused: bool) -> Vec<Content> {
    let graph = &model.info().graph;
    let mut memory: Vec<Vec<[u64; 4]>> =
        plan.arena_len.iter().map(|len| vec![[7; 4]; *len as usize]).collect();
    let range = |name: &str| {
        let Place { arena, offset, inside, len, stride } = plan.places[name];
        assert!(inside + len <= stride);
        (arena, (offset + inside) as usize..(offset + inside + len) as usize)
    };
    let size = |name: &str| {
        let shape = model.shapes().get(name).unwrap();
        [shape.channels, shape.pixels()]
    };
    let read = |memory: &Vec<Vec<[u64; 4]>>, name: &str| {
        let (arena, range) = range(name);
        memory[arena][range].to_vec()
    };
    let (arena, input) = range("in");
    let empty = Node { name: "in".into(), inputs: Vec::new(), op: Op::Join };
    memory[arena][input].copy_from_slice(&made(&empty, &[], size("in")));
    for &index in &plan.nodes {
        if fused && plan.pairs.values().any(|&first| first == index) {
            continue;
        }
        let node = &graph.nodes[index];
        let copies = plan.copies.get(&index);
        let copied = |input: usize| match (&node.op, copies) {
            (Op::Channels { map, .. }, Some(copies)) => {
                copies.iter().cloned().flatten().any(|channel| map[channel as usize][0] as usize == input)
            }
            _ => true,
        };
        let (arena, to) = range(&node.name);
        let mut inputs = Vec::new();
        let gather = plan.gathers.get(&index);
        for (number, name) in node.inputs.iter().enumerate() {
            if let Some(&first) = plan.pairs.get(&index).filter(|_| fused && number == 0) {
                let first = &graph.nodes[first];
                let source = &first.inputs[0];
                assert!(plan.places[source].arena != arena, "reads what it writes");
                inputs.push(made(first, &[&read(&memory, source)], size(name)));
                continue;
            }
            if let Some(gather) = gather.filter(|gather| gather.replaces == *name) {
                // The reader makes the rearranged map of what it gathers.
                let replaced = graph.nodes.iter().find(|node| node.name == *name).unwrap();
                let contents: Vec<Content> = replaced.inputs.iter().map(|name| read(&memory, name)).collect();
                for segment in &gather.segments {
                    assert!(plan.places[&segment.map].arena != arena, "reads what it writes");
                }
                inputs.push(made(replaced, &contents.iter().collect::<Vec<_>>(), size(name)));
                continue;
            }
            let small = plan.nearest.get(name);
            let content = read(&memory, small.unwrap_or(name));
            assert!(
                !copied(number) || plan.places[small.unwrap_or(name)].arena != arena,
                "reads what it writes"
            );
            // The reader makes the upsampled map.
            let resize = graph.nodes.iter().find(|node| node.name == *name);
            inputs.push(match (small, resize) {
                (Some(_), Some(resize)) => made(resize, &[&content], size(name)),
                _ => content,
            });
        }
        let [channels, pixels] = size(&node.name);
        let content = made(node, &inputs.iter().collect::<Vec<_>>(), [channels, pixels]);
        let all = 0..channels;
        for part in copies.map_or(std::slice::from_ref(&all), Vec::as_slice) {
            assert!(part.start % 4 == 0);
            for vec4 in part.start / 4 * pixels..part.end.div_ceil(4) * pixels {
                memory[arena][to.start + vec4 as usize] = content[vec4 as usize];
            }
        }
    }
    wanted.iter().map(|name| read(&memory, name)).collect()
}

#[test]
fn plans_of_random_graphs_keep_every_map() {
    let (mut spared, mut limited, mut gathered, mut pairs, mut lost) = (0, 0, 0, 0, 0);
    for seed in 0..300 {
        let model = random(seed);
        let (graph, shapes) = (&model.info().graph, model.shapes());
        let wanted: Vec<&str> = graph.nodes.iter().rev().step_by(5).map(|node| node.name.as_str()).collect();
        let plain = ArenaPlan::new(graph, shapes, &wanted).unwrap();
        let expected = run(&model, &plain, &wanted, false);
        let sharing = || Sharing { in_place: true, ..model.sharing(&wanted, None).unwrap() };
        let nothing = ArenaPlan::search(graph, shapes, &wanted, sharing(), 0).unwrap();
        assert!(nothing.copies.is_empty());
        let some = ArenaPlan::search(graph, shapes, &wanted, sharing(), 400).unwrap();
        let all = ArenaPlan::sharing(graph, shapes, &wanted, sharing()).unwrap();
        for plan in [&nothing, &some, &all] {
            assert!(run(&model, plan, &wanted, false) == expected, "seed {seed}");
        }
        let sharing = model.sharing(&wanted, Some(false)).unwrap();
        let possible = sharing.pairs.len();
        let paired = ArenaPlan::sharing(graph, shapes, &wanted, sharing).unwrap();
        for fused in [false, true] {
            assert!(run(&model, &paired, &wanted, fused) == expected, "seed {seed}, pairs {fused}");
        }
        let copying = Sharing { gathers: Gathers::new(), ..model.sharing(&wanted, Some(false)).unwrap() };
        let copying = ArenaPlan::search(graph, shapes, &wanted, copying, 0).unwrap();
        assert!(paired.total_len() <= (copying.total_len() * 3 / 2).max(all.total_len()), "seed {seed}");
        // Sums must not change their order.
        assert!(paired.gathers == all.gathers, "seed {seed}");
        (pairs, lost) = (pairs + possible, lost + possible - paired.pairs.len());
        assert!(all.total_len() <= nothing.total_len() * 7 / 6, "seed {seed}");
        gathered += all.gathers.len();
        spared += nothing.nodes.len() - all.nodes.len();
        limited += nothing.nodes.len() - some.nodes.len();
    }
    assert!(spared > limited && limited > 0, "{spared} and {limited} nodes spared");
    assert!(gathered > 20 && pairs > 20, "{gathered} convolutions gather, {pairs} pairs");
    assert!(lost * 20 < pairs, "{lost} of {pairs} pairs lost for what convolutions gather");
}
