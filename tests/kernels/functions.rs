//! Activations over their whole range, and what they leave beyond the channels.

use super::{Builder, TOLERANCE, agree, agree_within, compare, context, conv, run};
use proptest::prelude::*;
use tilehawk::model::{Activation, Axis, BinaryKind, Digit, Op, ReduceKind, Residual, Tensor};
use tilehawk::reference::network;
use tilehawk::{Forward, Precision};

/// Activations of any sum: none overflows soon.
pub(super) fn any_activation() -> impl Strategy<Value = Activation> {
    let more = prop_oneof![
        Just(Activation::Mish),
        Just(Activation::Gelu),
        Just(Activation::GeluTanh),
        Just(Activation::Softplus),
        Just(Activation::Elu { alpha: 0.7 }),
        Just(Activation::Erf),
        Just(Activation::Abs),
        Just(Activation::Power { exponent: 2.0 }),
        Just(Activation::Power { exponent: 3.0 }),
        Just(Activation::Linear { slope: -1.5, offset: 0.5 }),
    ];
    prop_oneof![super::activation(), more]
}

/// The function at some points on the device.
fn on_device(context: &tilehawk::gpu::Context, activation: Activation, points: &[f32]) -> Vec<f32> {
    let mut b = Builder::new(1);
    b.node("y", &["input"], Op::Activate { activation });
    let pixels = points.len().div_ceil(3);
    let model = b.model([1, pixels as u32]).expect("sound");
    let forward = Forward::new(context, &model, 1, Precision::F32).expect("made");
    let mut input = points.to_vec();
    input.resize(3 * pixels, 1.0);
    forward.upload(&input).expect("uploaded");
    forward.run().expect("run");
    let mut values = forward.outputs(0).expect("read").swap_remove(0);
    values.truncate(points.len());
    values
}

#[test]
fn activations_far_out() {
    let Some(context) = context() else { return };
    let near: Vec<f32> = (-80..=80).map(|i| i as f32 * 0.125).collect();
    let far =
        [-1e30, -1e10, -3e4, -200.0, -100.0, -89.0, -50.0, -20.5, 20.5, 50.0, 87.0, 100.0, 3e4, 1e10, 1e30];
    let both = |all: bool| [near.as_slice(), if all { &far } else { &[] }].concat();
    let positive = |values: Vec<f32>| values.into_iter().filter(|&v| v > 0.0).collect::<Vec<_>>();
    let cases = [
        (Activation::Silu, both(true)),
        (Activation::Tanh, both(true)),
        (Activation::Mish, both(true)),
        (Activation::Gelu, both(true)),
        (Activation::GeluTanh, both(true)),
        (Activation::Softplus, both(true)),
        (Activation::Elu { alpha: 1.3 }, both(true)),
        (Activation::Erf, both(true)),
        (Activation::Exp, [both(false), vec![-100.0, -50.0, 20.0, 50.0]].concat()),
        (Activation::Log, positive(both(true))),
        (Activation::Sqrt, [positive(both(true)), vec![0.0]].concat()),
        (Activation::Reciprocal, [positive(both(true)), vec![-0.5, -3.0, -1e10]].concat()),
        (Activation::Abs, both(true)),
        (Activation::Floor, both(true)),
        (Activation::Sin, both(false)),
        (Activation::Cos, both(false)),
        (Activation::Power { exponent: 0.0 }, both(true)),
        (Activation::Power { exponent: 1.0 }, both(true)),
        (Activation::Power { exponent: 2.0 }, both(false)),
        (Activation::Power { exponent: 5.0 }, both(false)),
        (Activation::Power { exponent: -2.0 }, positive(both(false))),
        (Activation::Power { exponent: -3.0 }, vec![-2.0, -0.5, 0.5, 2.0]),
        (Activation::Power { exponent: 65.0 }, vec![-1.25, -0.5, 0.0, 0.5, 1.0, 1.25]),
        (Activation::Power { exponent: 66.0 }, vec![-1.25, -0.5, 0.0, 0.5, 1.0, 1.25]),
        (Activation::Power { exponent: 0.5 }, [positive(both(true)), vec![0.0]].concat()),
        (Activation::Power { exponent: -1.5 }, positive(both(false))),
        (Activation::Linear { slope: -2.0, offset: 1.0 }, both(true)),
    ];
    for (activation, points) in cases {
        let found = on_device(&context, activation, &points);
        for (&x, found) in points.iter().zip(found) {
            let expected = activation.apply(x);
            // pow is exp2(y * log2(x)), whose error grows with what it raises to; the rest have few roundings.
            let tolerance = if matches!(activation, Activation::Power { .. }) { 2e-5 } else { 2e-6 };
            let error = (found - expected).abs() / expected.abs().max(1.0);
            assert!(error <= tolerance, "{activation:?} of {x}: {found} for {expected}");
        }
    }
}

#[test]
fn nothing_leaks_from_beyond_the_channels() {
    let Some(context) = context() else { return };
    // Of 0 these are infinite, or large after a few times.
    let functions = [
        vec![Activation::Log],
        vec![Activation::Reciprocal],
        vec![Activation::Power { exponent: -1.5 }],
        vec![Activation::Power { exponent: -1.0 }],
        vec![
            Activation::Linear { slope: 1e20, offset: 1e20 },
            Activation::Linear { slope: 1e-20, offset: 0.0 },
        ],
        vec![Activation::Exp, Activation::Exp, Activation::Exp, Activation::Log],
    ];
    for functions in functions {
        for channels in 1..6 {
            for end in 0..5 {
                let mut b = Builder::new(channels);
                b.spread("x", channels as usize);
                b.node("p", &["x"], Op::Activate { activation: Activation::Sigmoid });
                let mut last = "p".to_owned();
                for (i, &activation) in functions.iter().enumerate() {
                    let name = format!("f{i}");
                    b.node(&name, &[&last], Op::Activate { activation });
                    last = name;
                }
                // And from within a convolution: the identity.
                let data = (0..channels * channels)
                    .map(|i| if i % (channels + 1) == 0 { 1.0 } else { 0.0 })
                    .collect();
                let tensor = Tensor { shape: vec![channels as usize, channels as usize, 1, 1], data };
                b.weights.insert("i", tensor).expect("finite");
                let op = conv("i", [1, 1], [0; 4], [1, 1], 1, Activation::Reciprocal, Residual::None);
                b.node("i", &[&last], op);
                b.tensor("w", &[3, channels as usize, 1, 1]);
                let point = conv("w", [1, 1], [0; 4], [1, 1], 1, Activation::None, Residual::None);
                match end {
                    0 => b.node("y", &[&last], Op::Softmax { axis: Axis::Channel }),
                    1 => {
                        b.node(
                            "y",
                            &[&last],
                            Op::Reduce { kind: ReduceKind::Sum, axes: vec![Axis::Channel] },
                        );
                    }
                    2 => b.node(
                        "y",
                        &["i"],
                        Op::Reduce { kind: ReduceKind::Minimum, axes: vec![Axis::Channel] },
                    ),
                    3 => b.node("y", &["i"], point),
                    _ => {
                        // 0 / 0 beyond the channels.
                        b.node("q", &[&last, "i"], Op::Binary { kind: BinaryKind::Divide });
                        b.node("y", &["q"], point);
                    }
                }
                let model = b.model([3, 5]).expect("sound");
                // Results as large as 1e20 have the error of a few roundings, relative to them.
                agree_within(&context, &model, channels, 5.0 * TOLERANCE)
                    .unwrap_or_else(|e| panic!("{functions:?}, {channels} channels, {end}: {e}"));
            }
        }
    }
}

#[test]
fn transposed_convolutions() {
    let shapes = (1..5u32, 1..6u32, 1..6u32, 1..9u32, 1..9u32);
    let steps = (1..5u32, 1..5u32, 1..4u32, 1..4u32, 1..4u32, 0..4u32, 0..4u32);
    let settings = (0..4u32, 0..4u32, any::<bool>(), any_activation(), any::<u32>());
    run(&(shapes, steps, settings), |context, (shapes, steps, (more_h, more_w, dense, activation, seed))| {
        let (groups, in_per, out_per, height, width) = shapes;
        let (kernel_h, kernel_w, stride_y, stride_x, dilation, top, left) = steps;
        let (groups, in_per, out_per) =
            if dense { (1, groups * in_per, groups * out_per) } else { (groups, in_per, out_per) };
        let mut b = Builder::new(seed);
        b.spread("x", (groups * in_per) as usize);
        b.tensor("w", &[(groups * in_per) as usize, out_per as usize, kernel_h as usize, kernel_w as usize]);
        b.tensor("b", &[(groups * out_per) as usize]);
        // From what is left after cutting on both sides to what output padding adds.
        let size = |side: u32, stride: u32, kernel: u32, cut: u32, more: u32| {
            ((side - 1) * stride + (kernel - 1) * dilation + 1 + more.min(stride.max(dilation)))
                .saturating_sub(2 * cut)
        };
        let op = Op::ConvTranspose {
            weight: "w".into(),
            bias: Some("b".into()),
            stride: [stride_y, stride_x],
            padding: [top, left],
            dilation: [dilation; 2],
            groups,
            size: [
                size(height, stride_y, kernel_h, top, more_h),
                size(width, stride_x, kernel_w, left, more_w),
            ],
            activation,
        };
        b.node("y", &["x"], op);
        b.tensor("v", &[2, (groups * out_per) as usize, 1, 1]);
        b.node("z", &["y"], conv("v", [1, 1], [0; 4], [1, 1], 1, Activation::None, Residual::None));
        let model = b.model([height, width]).map_err(|e| TestCaseError::reject(e.to_string()))?;
        agree(context, &model, seed)
    });
}

#[test]
fn half_floats_as_the_oracle() {
    let Some(context) = context().filter(tilehawk::gpu::Context::has_f16) else { return };
    let mut b = Builder::new(9);
    b.spread("x", 6);
    b.node("g", &["x"], Op::Activate { activation: Activation::Gelu });
    let rows = (0..9).map(|row| row / 2 - 1).collect();
    b.node("s", &["g"], Op::Sample { rows, columns: vec![-1, 4, 3, 2, 1, 0], fill: 0.25 });
    b.tensor("t", &[1, 1, 6]);
    b.node("c", &[], Op::Constant { tensor: "t".into() });
    b.node("m", &["s", "c"], Op::Binary { kind: BinaryKind::Multiply });
    let digit = |axis, size| Digit { axis, size, stride: 1 };
    let digits = vec![digit(Axis::Channel, 6), digit(Axis::Column, 6), digit(Axis::Row, 9)];
    b.node("r", &["m"], Op::Rearrange { shape: [6, 6, 9], digits });
    b.node("p", &["m", "r"], Op::Matmul);
    b.node("q", &["p"], Op::Softmax { axis: Axis::Column });
    b.node("a", &["q"], Op::Reduce { kind: ReduceKind::Mean, axes: vec![Axis::Row] });
    b.node("j", &["a", "q"], Op::Join);
    b.tensor("w", &[6, 2, 3, 3]);
    let op = Op::ConvTranspose {
        weight: "w".into(),
        bias: None,
        stride: [2, 2],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 2,
        size: [1, 180],
        activation: Activation::Softplus,
    };
    b.node("y", &["j"], op);
    let model = b.model([4, 5]).expect("sound");
    let forward = Forward::new(&context, &model, 1, Precision::F16).expect("made");
    let input = super::random(4, 60);
    forward.upload(&input).expect("uploaded");
    forward.run().expect("run");
    let maps = network::run(&model, &input).expect("the oracle");
    let expected = network::output(&model, &maps, &model.info().graph.outputs[0]).expect("an output");
    // Ten roundings to 11 bits of values up to about 4.
    compare(&forward.outputs(0).expect("read")[0], &expected, 0.02).expect("as the oracle");
}
