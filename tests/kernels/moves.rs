//! Arithmetic, reductions, products and rearrangements of maps.

use super::{Builder, agree, random, run};
use proptest::prelude::*;
use tilehawk::model::{Activation, Axis, BinaryKind, Digit, Op, Residual};

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
