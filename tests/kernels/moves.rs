//! Arithmetic, reductions, products and rearrangements of maps.

use super::{Builder, TOLERANCE, agree, agree_within, context, random, run};
use proptest::prelude::*;
use tilehawk::model::{Activation, Axis, BinaryKind, Digit, Op, ReduceKind, Residual};
use tilehawk::{Forward, Precision};

/// Sums of some 100,000 values below 2, which the oracle adds one after another: `n * 2^-24` of the sum.
const LONG_SUM: f32 = 5e-3;

/// Side of a map that may be 1 to be repeated: by two bits the first, the second, none or both.
fn repeated(side: u32, ones: u32) -> [u32; 2] {
    [if ones == 1 { 1 } else { side }, if ones == 2 { 1 } else { side }]
}

impl Builder {
    /// A map of any shape: channels by a convolution, rows and columns by picking some of the input's.
    fn shaped(&mut self, name: &str, [channels, height, width]: [u32; 3], [in_h, in_w]: [u32; 2]) {
        self.spread(&format!("{name}.c"), channels as usize);
        let pick = |out: u32, side: u32| (0..out).map(|i| (i % side).cast_signed()).collect();
        let op = Op::Sample { rows: pick(height, in_h), columns: pick(width, in_w), fill: 0.0 };
        self.node(name, &[&format!("{name}.c")], op);
    }
}

fn binary_kind() -> impl Strategy<Value = BinaryKind> {
    prop_oneof![
        Just(BinaryKind::Add),
        Just(BinaryKind::Subtract),
        Just(BinaryKind::Multiply),
        Just(BinaryKind::Divide),
        Just(BinaryKind::Maximum),
        Just(BinaryKind::Minimum),
    ]
}

#[test]
fn arithmetic_with_repetition() {
    let sides = (1..14u32, 1..12u32, 1..12u32, 0..4u32, 0..4u32, 0..4u32);
    run(&(sides, binary_kind(), any::<u32>()), |context, (sides, kind, seed)| {
        let (channels, height, width, one_c, one_h, one_w) = sides;
        let [c, h, w] = [repeated(channels, one_c), repeated(height, one_h), repeated(width, one_w)];
        let mut b = Builder::new(seed);
        b.shaped("a", [c[0], h[0], w[0]], [height, width]);
        b.shaped("n", [c[1], h[1], w[1]], [height, width]);
        // Away from 0, where a quotient magnifies the error of the convolutions.
        b.node("s", &["n"], Op::Activate { activation: Activation::Sigmoid });
        b.node("y", &["a", "s"], Op::Binary { kind });
        // What lies beyond the channels must not reach the next sum.
        b.tensor("w", &[3, channels as usize, 1, 1]);
        let op = super::conv("w", [1, 1], [0; 4], [1, 1], 1, Activation::None, Residual::None);
        b.node("z", &["y"], op);
        agree(context, &b.model([height, width]).expect("sound"), seed)
    });
}

/// A random rearrangement of a map: its sides cut into digits, which are shuffled, and some repetition.
fn rearrangement([channels, height, width]: [u32; 3], seed: u32) -> Op {
    let mut picks = random(seed, 64).into_iter().map(|v| (v.abs() * 10_000.0) as u32);
    let mut pick = |below: u32| picks.next().map_or(0, |v| v % below);
    let mut digits = Vec::new();
    for (axis, side) in [(Axis::Channel, channels), (Axis::Row, height), (Axis::Column, width)] {
        let inner = (1..=side).filter(|d| side.is_multiple_of(*d)).max_by_key(|_| pick(7)).unwrap_or(1);
        digits.push(Digit { axis, size: side / inner, stride: inner });
        digits.push(Digit { axis, size: inner, stride: 1 });
    }
    digits.push(Digit { axis: Axis::Row, size: 1 + pick(3), stride: 0 });
    for at in 0..digits.len() {
        let other = pick(digits.len() as u32) as usize;
        digits.swap(at, other);
    }
    let (first, second) = (pick(8) as usize, pick(8) as usize);
    let (first, second) = (first.min(second), first.max(second));
    let count = |digits: &[Digit]| digits.iter().map(|digit| digit.size).product();
    let shape = [
        count(&digits[..first.min(7)]),
        count(&digits[first.min(7)..second.min(7)]),
        count(&digits[second.min(7)..]),
    ];
    Op::Rearrange { shape, digits }
}

#[test]
fn rearrangements() {
    run(&(1..14u32, 1..9u32, 1..9u32, any::<u32>()), |context, (channels, height, width, seed)| {
        let mut b = Builder::new(seed);
        b.spread("x", channels as usize);
        b.node("y", &["x"], rearrangement([channels, height, width], seed));
        agree(context, &b.model([height, width]).expect("sound"), seed)
    });
}

#[test]
fn joins() {
    let sizes = prop::collection::vec((1..7u32, 1..7u32), 1..5);
    run(&(1..10u32, sizes, any::<u32>()), |context, (channels, sizes, seed)| {
        let mut b = Builder::new(seed);
        let names: Vec<String> = (0..sizes.len()).map(|i| format!("x{i}")).collect();
        for (name, (height, width)) in names.iter().zip(sizes) {
            b.shaped(name, [channels, height, width], [7, 7]);
        }
        b.node("y", &names.iter().map(String::as_str).collect::<Vec<_>>(), Op::Join);
        agree(context, &b.model([7, 7]).expect("sound"), seed)
    });
}

#[test]
fn samples() {
    let shapes = (1..10usize, 1..12u32, 1..12u32, 1..30usize, 1..30usize);
    run(&(shapes, any::<u32>()), |context, ((channels, height, width, rows, columns), seed)| {
        let mut picks = random(seed, rows + columns).into_iter().map(|v| (v.abs() * 10_000.0) as u32);
        let mut list = |len: usize, side: u32| {
            picks.by_ref().take(len).map(|v| (v % (side + 1)).cast_signed() - 1).collect::<Vec<i32>>()
        };
        let (rows, columns) = (list(rows, height), list(columns, width));
        let mut b = Builder::new(seed);
        b.spread("x", channels);
        b.node("y", &["x"], Op::Sample { rows, columns, fill: 0.7 });
        b.tensor("w", &[3, channels, 1, 1]);
        let op = super::conv("w", [1, 1], [0; 4], [1, 1], 1, Activation::None, Residual::None);
        b.node("z", &["y"], op);
        agree(context, &b.model([height, width]).expect("sound"), seed)
    });
}

fn axis() -> impl Strategy<Value = Axis> {
    prop_oneof![Just(Axis::Channel), Just(Axis::Row), Just(Axis::Column)]
}

/// Small sides, and now and then one so long that a workgroup shares a line.
fn side(long: u32) -> impl Strategy<Value = u32> {
    prop_oneof![4 => 1..12u32, 1 => 65..long]
}

#[test]
fn softmaxes() {
    let shapes = (side(300), side(100), side(100), axis());
    run(&(shapes, any::<u32>()), |context, ((channels, height, width, axis), seed)| {
        let mut b = Builder::new(seed);
        b.shaped("x", [channels, height, width], [7, 7]);
        // Wide enough for the largest to matter.
        b.node("s", &["x"], Op::Activate { activation: Activation::Linear { slope: 40.0, offset: 3.0 } });
        b.node("y", &["s"], Op::Softmax { axis });
        // exp magnifies the error of the sums, which are up to 40 times as large.
        agree_within(context, &b.model([7, 7]).expect("sound"), seed, 40.0 * TOLERANCE)
    });
}

fn reduce_kind() -> impl Strategy<Value = ReduceKind> {
    prop_oneof![
        Just(ReduceKind::Sum),
        Just(ReduceKind::Mean),
        Just(ReduceKind::Maximum),
        Just(ReduceKind::Minimum)
    ]
}

#[test]
fn reductions() {
    let axes = prop::sample::subsequence(vec![Axis::Channel, Axis::Row, Axis::Column], 0..=3).prop_shuffle();
    let shapes = (side(300), side(100), side(100), reduce_kind(), axes);
    run(&(shapes, any::<u32>()), |context, ((channels, height, width, kind, axes), seed)| {
        let mut b = Builder::new(seed);
        b.shaped("x", [channels, height, width], [7, 7]);
        b.node("y", &["x"], Op::Reduce { kind, axes });
        agree_within(context, &b.model([7, 7]).expect("sound"), seed, LONG_SUM)
    });
}

#[test]
fn the_mean_of_a_large_map() {
    let Some(context) = context() else { return };
    for (kind, axes) in [
        (ReduceKind::Mean, vec![Axis::Row, Axis::Column]),
        (ReduceKind::Sum, vec![Axis::Channel, Axis::Row, Axis::Column]),
        (ReduceKind::Maximum, vec![Axis::Row]),
        (ReduceKind::Minimum, vec![Axis::Column]),
    ] {
        let mut b = Builder::new(3);
        b.spread("x", 6);
        b.node("y", &["x"], Op::Reduce { kind, axes });
        agree_within(&context, &b.model([160, 1100]).expect("sound"), 3, LONG_SUM).expect("as the oracle");
    }
}

#[test]
fn products() {
    let sides = (1..10u32, 1..14u32, prop_oneof![1..9u32, 60..300u32], 1..14u32);
    run(&(sides, 0..3u32, any::<u32>()), |context, (sides, ones, seed)| {
        let (channels, m, k, n) = sides;
        let c = repeated(channels, ones);
        let mut b = Builder::new(seed);
        b.shaped("a", [c[0], m, k], [9, 9]);
        b.shaped("n", [c[1], k, n], [9, 9]);
        b.node("y", &["a", "n"], Op::Matmul);
        b.tensor("w", &[3, channels as usize, 1, 1]);
        let op = super::conv("w", [1, 1], [0; 4], [1, 1], 1, Activation::None, Residual::None);
        b.node("z", &["y"], op);
        agree(context, &b.model([9, 9]).expect("sound"), seed)
    });
}

#[test]
fn constants() {
    run(&(1..11usize, 1..9usize, 1..9usize, any::<u32>()), |context, (channels, height, width, seed)| {
        let mut b = Builder::new(seed);
        b.tensor("t", &[channels, height, width]);
        b.node("c", &[], Op::Constant { tensor: "t".into() });
        b.shaped("x", [1, height as u32, width as u32], [5, 5]);
        b.node("y", &["c", "x"], Op::Binary { kind: BinaryKind::Multiply });
        agree(context, &b.model([5, 5]).expect("sound"), seed)
    });
}

#[test]
fn lines_beyond_the_loop_limit_are_refused() {
    let Some(context) = context() else { return };
    let long = |op: Op, columns: usize| {
        let mut b = Builder::new(1);
        let columns = vec![0; columns];
        b.node("x", &["input"], Op::Sample { rows: vec![0], columns, fill: 0.0 });
        b.node(
            "t",
            &["x"],
            Op::Rearrange {
                shape: [3, 60_000, 1],
                digits: vec![
                    Digit { axis: Axis::Channel, size: 3, stride: 1 },
                    Digit { axis: Axis::Column, size: 60_000, stride: 1 },
                ],
            },
        );
        let inputs: &[&str] = if op == Op::Matmul { &["x", "t"] } else { &["x"] };
        b.node("y", inputs, op);
        Forward::new(&context, &b.model([4, 4]).expect("sound"), 1, Precision::F32)
    };
    let error = long(Op::Matmul, 60_000).expect_err("too many products");
    assert_eq!(error.kind(), tilehawk::ErrorKind::Unsupported, "{error}");
    assert!(long(Op::Softmax { axis: Axis::Column }, 60_000).is_ok());
    let error = long(Op::Softmax { axis: Axis::Column }, 6_000_000).expect_err("too many values");
    assert_eq!(error.kind(), tilehawk::ErrorKind::Unsupported, "{error}");
}
