//! Convolutions on cooperative matrices against the ordinary kernels: on devices that have them, and everywhere with ordinary
//! code in place of the matrices' operations.

use super::tiling_tests::{Case, TILES, model};
use super::{context, run};
use crate::gpu::{Context, ContextOptions, Recorder};
use crate::kernels::nn::tiling::{Class, Tiling};
use crate::model::{ArenaPlan, Residual};
use crate::stages::infer::{Arenas, Network};
use crate::stages::weights::NetworkWeights;
use half::f16;

/// |a - b| / max(1, |b|) allowed: sums of another order, each rounded to f16 at the end.
const TOLERANCE: f32 = 1.0 / 256.0;

const POINT: Case =
    Case { from: 37, to: 21, kernel: [1, 1], stride: [1, 1], depthwise: false, residual: Residual::None };

/// Shapes that nothing divides, whose outputs fill one or several workgroups.
const CASES: [Case; 7] = [
    POINT,
    Case { from: 3, to: 5, residual: Residual::BeforeActivation, ..POINT_SQUARE },
    Case { from: 70, to: 70, residual: Residual::AfterActivation, ..POINT },
    Case { kernel: [3, 3], ..POINT },
    Case { from: 9, to: 70, kernel: [3, 3], stride: [2, 2], ..POINT },
    Case { from: 21, kernel: [3, 3], residual: Residual::BeforeActivation, ..POINT },
    Case { from: 5, to: 16, kernel: [2, 5], ..POINT },
];

const POINT_SQUARE: Case = Case { from: 5, to: 5, ..POINT };

/// The last node of a case's network in some tilings.
struct Trial<'a> {
    context: &'a Context,
    case: Case,
}

impl Trial<'_> {
    fn with<T>(&self, work: impl FnOnce(&Network<'_>, &Class, usize) -> T) -> T {
        let model = model(self.case);
        let names: Vec<&str> = model.info().graph.nodes.iter().map(|node| node.name.as_str()).collect();
        let plan = ArenaPlan::new(&model.info().graph, model.shapes(), &names).unwrap();
        let weights = NetworkWeights::new(self.context, &model, &plan, true).unwrap();
        let arenas = Arenas::new(self.context, &plan, true, TILES).unwrap();
        let network = Network { model: &model, plan: &plan, weights: &weights, arenas: &arenas };
        let last = plan.nodes.len() - 1;
        work(&network, &network.class(last, TILES).expect("a class"), last)
    }

    /// The values of the map, and the bytes beside it. Without a tiling all nodes run as chosen for the device.
    fn run(&self, network: &Network<'_>, node: usize, tiling: Option<Tiling>) -> (Vec<f32>, Vec<u8>) {
        network.arenas.fill(self.context, true).unwrap();
        let mut recorder = Recorder::new(self.context);
        match tiling {
            Some(tiling) => network.record_trial(&mut recorder, (node, TILES), tiling).unwrap(),
            None => network.record(&mut recorder, TILES, None).unwrap(),
        }
        let place = network.map(&network.model.info().graph.nodes[node].name).unwrap();
        let mut bytes = run(self.context, recorder, place.buffer);
        let start = place.base as usize * 8;
        let end = start + place.shape.padded_len() as usize / 4 * TILES as usize * 8;
        let map = bytes.drain(start..end).collect::<Vec<u8>>();
        (map.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(), bytes)
    }
}

fn worst(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    assert!(expected.iter().all(|value| value.is_finite()) && found.iter().all(|value| value.is_finite()));
    let off = |(a, b): (&f32, &f32)| (a - b).abs() / b.abs().max(1.0);
    found.iter().zip(expected).map(off).fold(0.0, f32::max)
}

/// All tilings on matrices, or the one of that number, against the default one.
fn check(context: &Context, case: Case, number: Option<usize>) -> f32 {
    let trial = Trial { context, case };
    trial.with(|network, class, node| {
        let candidates = class.candidates(context);
        let (expected, rest) = trial.run(network, node, Some(candidates[0]));
        assert!(expected.iter().any(|value| value.abs() > 1.0), "{case:?}: nothing to compare");
        let mut overall = 0.0f32;
        let matrices: Vec<_> = candidates.into_iter().filter(|tiling| tiling.matrix > 0).collect();
        assert!(!matrices.is_empty(), "{case:?}: no candidate");
        let wanted = number.map(|number| number % matrices.len());
        for (_, tiling) in
            matrices.into_iter().enumerate().filter(|(place, _)| wanted.is_none_or(|wanted| wanted == *place))
        {
            let (found, beside) = trial.run(network, node, Some(tiling));
            let off = worst(&found, &expected);
            assert!(off <= TOLERANCE, "{case:?}: {tiling:?} is off by {off}");
            assert!(beside == rest, "{case:?}: {tiling:?} writes beside the map");
            overall = overall.max(off);
        }
        overall
    })
}

#[test]
fn matrices_of_the_device_agree_with_ordinary_kernels() {
    let Some(plain) = context() else { return };
    let context = Context::new(&ContextOptions { matrices: true, ..ContextOptions::default() }).unwrap();
    let Some(side) = context.matrix_side() else {
        let required = std::env::var_os("TILEHAWK_REQUIRE_MATRICES").is_some_and(|value| value == "1");
        assert!(!required, "{} has no cooperative matrices that fit", context.info().name);
        eprintln!("skipped: {} has no cooperative matrices that fit", context.info().name);
        return;
    };
    assert_eq!(plain.matrix_side(), None, "they are asked for");
    let unchecked = context.without_shader_checks();
    for (number, case) in CASES.into_iter().enumerate() {
        // A part of them on software drivers, where each tiling takes long to compile.
        let part = Some(number).filter(|_| context.is_software() && number > 0);
        let worst = check(&context, case, part).max(check(&unchecked, case, Some(number)));
        println!("matrices of {side}: {case:?}: worst difference {worst:.2e}");
    }
}

#[test]
fn emulated_matrices_agree_with_ordinary_kernels() {
    let Some(context) = context().filter(has_f16) else { return };
    for (side, subgroup) in [(16, 32), (8, 8), (16, 64)] {
        let context = context.with_emulated_matrices(side, subgroup);
        let mut worst = 0.0f32;
        for (number, case) in CASES.into_iter().enumerate() {
            // A part of them: each tiling takes long to compile on a software driver.
            let all = subgroup == 32 && number % 3 == 0;
            worst = worst.max(check(&context, case, Some(number).filter(|_| !all)));
        }
        println!("emulated matrices of {side} in subgroups of {subgroup}: worst difference {worst:.2e}");
    }
}

#[test]
fn matrices_run_where_they_are_chosen_and_nowhere_else() {
    let Some(plain) = context().filter(has_f16) else { return };
    let context = plain.with_emulated_matrices(16, 32);
    assert_ne!(plain.tunings().device(), context.tunings().device());
    assert!(plain.add_tunings(&context.tunings()).is_err());
    assert_eq!(context.without_shader_checks().matrix_side(), Some(16));
    let trial = Trial { context: &context, case: POINT };
    trial.with(|network, class, node| {
        assert!(class.candidates(&plain).iter().all(|tiling| tiling.matrix == 0));
        let candidates = class.candidates(&context);
        assert_eq!(candidates[0].matrix, 0, "the default needs none");
        let chosen = candidates.into_iter().find(|tiling| tiling.matrix > 0).unwrap();
        let before = trial.run(network, node, None).0;
        context.tune(class.key(), chosen.numbers());
        assert_eq!(class.chosen(&context), Some(chosen));
        assert!(worst(&trial.run(network, node, None).0, &before) <= TOLERANCE);
        // The same choice means nothing to a context without.
        plain.tune(class.key(), chosen.numbers());
        assert_eq!(class.chosen(&plain), None);
    });
}

fn has_f16(context: &Context) -> bool {
    if !context.has_f16() {
        eprintln!("skipped: {} has no f16", context.info().name);
    }
    context.has_f16()
}
