//! What made a channel of a map: a walk from the map back to a convolution.

use super::super::lower::Lowering;
use crate::model::{Activation, BinaryKind, Digit, Op};

/// What a channel went through on its way from a convolution.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trace {
    /// The last computation.
    pub(super) last: Last,
    /// The last sum or difference of maps.
    pub(super) sum: Option<BinaryKind>,
    /// The convolution: index of its node.
    pub(super) conv: Option<usize>,
}

/// The computation nearest to the output; moves and factors per channel do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Last {
    /// A convolution, as it is.
    #[default]
    Raw,
    Sigmoid,
    Softmax,
    Tanh,
    /// One whose results are never negative: an exponential or a bound.
    Positive,
    /// Arithmetic of maps.
    Arithmetic,
    Other,
}

impl Trace {
    /// Whether it lies in 0..=1 and is a probability.
    pub(super) fn bounded(&self) -> bool {
        matches!(self.last, Last::Sigmoid | Last::Softmax)
    }
}

/// Steps of a walk, which ends at the input of the network at the latest.
const MAX_STEPS: usize = 4096;

/// The trace of a channel of a map, by its first element.
pub(super) fn trace(lowering: &Lowering<'_>, mut map: usize, channel: u32) -> Trace {
    let mut trace = Trace::default();
    let mut last = None;
    let mut at = [channel, 0, 0];
    for _ in 0..MAX_STEPS {
        let Some(node) = lowering.maker(map) else { break };
        let source = |index: usize| lowering.map_named(node.inputs.get(index)?);
        let shape_of = |index: usize| source(index).map(|map| lowering.maps[map].shape.sides());
        let mut input = 0;
        match &node.op {
            Op::Channels { step, map: rows } => {
                let Some(&[from, channel, dy, dx]) = rows.get(at[0] as usize) else { break };
                (input, at) = (from as usize, [channel, at[1] * step + dy, at[2] * step + dx]);
            }
            Op::Rearrange { shape, digits } => at = origin(*shape, digits, at),
            Op::Join => {
                let mut position = u64::from(at[2]);
                let pixels = |[_, height, width]: [u32; 3]| u64::from(height) * u64::from(width);
                while let Some(part) = shape_of(input).filter(|&part| pixels(part) <= position) {
                    position -= pixels(part);
                    input += 1;
                }
                let Some([_, _, width]) = shape_of(input) else { break };
                let position = u32::try_from(position).unwrap_or(0);
                (at[1], at[2]) = (position / width, position % width);
            }
            Op::Sample { rows, columns, .. } => {
                let pick = |list: &[i32], at: u32| u32::try_from(*list.get(at as usize)?).ok();
                let (Some(y), Some(x)) = (pick(rows, at[1]), pick(columns, at[2])) else { break };
                (at[1], at[2]) = (y, x);
            }
            Op::Resize { .. } | Op::Pool { .. } => (at[1], at[2]) = (0, 0),
            Op::Activate { activation } => {
                let found = match activation {
                    Activation::Sigmoid | Activation::HardSigmoid { .. } => Some(Last::Sigmoid),
                    Activation::Tanh => Some(Last::Tanh),
                    Activation::Relu | Activation::Exp | Activation::Softplus => Some(Last::Positive),
                    Activation::Clip { low, .. } if *low >= 0.0 => Some(Last::Positive),
                    Activation::Linear { .. } | Activation::None => None,
                    _ => Some(Last::Other),
                };
                last = last.or(found);
            }
            Op::Softmax { .. } => last = last.or(Some(Last::Softmax)),
            Op::Add { .. } => {
                last = last.or(Some(Last::Arithmetic));
                trace.sum = trace.sum.or(Some(BinaryKind::Add));
                input = usize::from(is_constant(lowering, source(0)));
            }
            Op::Binary { kind } => {
                last = last.or(Some(Last::Arithmetic));
                if matches!(kind, BinaryKind::Add | BinaryKind::Subtract) {
                    trace.sum = trace.sum.or(Some(*kind));
                }
                input = usize::from(is_constant(lowering, source(0)));
                for (place, side) in at.iter_mut().zip(shape_of(input).unwrap_or([1; 3])) {
                    *place = (*place).min(side.saturating_sub(1));
                }
            }
            Op::Reduce { axes, .. } => {
                last = last.or(Some(Last::Other));
                axes.iter().for_each(|axis| at[axis.index()] = 0);
            }
            Op::Conv { groups, weight, .. } => {
                let shape =
                    lowering.weights.get(weight).map(|tensor| tensor.shape.clone()).unwrap_or_default();
                let factor = shape.as_slice() == [*groups as usize, 1, 1, 1] && *groups > 1;
                if !factor {
                    trace.conv = lowering.maps[map].node;
                    break;
                }
            }
            _ => {
                trace.conv = lowering.maps[map].node;
                last = last.or(Some(Last::Other));
                break;
            }
        }
        let Some(next) = source(input) else { break };
        map = next;
    }
    trace.last = last.unwrap_or_default();
    trace
}

fn is_constant(lowering: &Lowering<'_>, map: Option<usize>) -> bool {
    let maker = map.and_then(|map| lowering.maker(map));
    matches!(maker.map(|node| &node.op), Some(Op::Constant { .. }))
}

/// The element of the source that an element comes from.
fn origin([_, height, width]: [u32; 3], digits: &[Digit], [channel, y, x]: [u32; 3]) -> [u32; 3] {
    let mut rest = (u64::from(channel) * u64::from(height) + u64::from(y)) * u64::from(width) + u64::from(x);
    let mut from = [0u32; 3];
    for digit in digits.iter().rev() {
        let size = u64::from(digit.size.max(1));
        let count = u32::try_from(rest % size).unwrap_or(0);
        rest /= size;
        let place = &mut from[digit.axis.index()];
        *place = place.saturating_add(count.saturating_mul(digit.stride));
    }
    from
}
