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

/// The trace of a channel of a map.
pub(super) fn trace(lowering: &Lowering<'_>, mut map: usize, mut channel: u32) -> Trace {
    let mut trace = Trace::default();
    let mut last = None;
    for _ in 0..MAX_STEPS {
        let Some(node) = lowering.maker(map) else { break };
        let source = |index: usize| {
            let name = node.inputs.get(index)?;
            lowering.map_named(name)
        };
        let mut input = 0;
        match &node.op {
            Op::Channels { map: rows, .. } => {
                let Some(&[from, at, ..]) = rows.get(channel as usize) else { break };
                (input, channel) = (from as usize, at);
            }
            Op::Rearrange { shape, digits } => channel = origin(*shape, digits, channel),
            Op::Join | Op::Sample { .. } | Op::Resize { .. } => {}
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
                let width = source(input).map_or(1, |map| lowering.maps[map].shape.channels);
                channel = channel.min(width.saturating_sub(1));
            }
            Op::Reduce { .. } => {
                last = last.or(Some(Last::Other));
                channel = 0;
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

/// The channel of the source that the first element of a channel comes from.
fn origin([_, height, width]: [u32; 3], digits: &[Digit], channel: u32) -> u32 {
    let mut rest = u64::from(channel) * u64::from(height) * u64::from(width);
    let mut from = 0;
    for digit in digits.iter().rev() {
        let count = rest % u64::from(digit.size.max(1));
        rest /= u64::from(digit.size.max(1));
        if digit.axis == crate::model::Axis::Channel {
            from += u32::try_from(count).unwrap_or(0) * digit.stride;
        }
    }
    from
}
