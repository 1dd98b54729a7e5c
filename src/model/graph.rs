//! The graph: a list of nodes over feature maps `[channels, height, width]`, one map per tile.

use super::Shapes;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A network: named feature maps, made in order from the input map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Name of the input map; its shape is the model's [`InputSpec`](super::InputSpec).
    pub input: String,
    /// Nodes in an order in which each input is made before it is used.
    pub nodes: Vec<Node>,
    /// What the imported network returned, in its own layout; used to compare with the original.
    #[serde(default)]
    pub outputs: Vec<Output>,
}

/// One operation and the map it makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Name of the node and of the map it makes; unique.
    pub name: String,
    /// Names of the maps it reads.
    pub inputs: Vec<String>,
    /// What it does.
    #[serde(flatten)]
    pub op: Op,
}

/// What a node does. Sizes are `[height, width]`; padding is `[top, left, bottom, right]` in map pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// 2-D convolution, zero padding, then activation. A second input is added as [`Residual`] says.
    Conv {
        /// Weight tensor `[out, in / groups, height, width]`.
        weight: String,
        /// Bias tensor `[out]`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bias: Option<String>,
        /// Steps between outputs.
        stride: [u32; 2],
        /// Zero padding.
        padding: [u32; 4],
        /// Steps between taps.
        dilation: [u32; 2],
        /// Channel groups; equal to the channels for a depthwise convolution.
        groups: u32,
        /// Applied to the sum.
        #[serde(default, skip_serializing_if = "Activation::is_none")]
        activation: Activation,
        /// Whether and where the second input is added.
        #[serde(default, skip_serializing_if = "Residual::is_none")]
        residual: Residual,
    },
    /// Pooling; padding never wins a maximum and counts in an average only if told so.
    Pool {
        /// Maximum or average.
        kind: PoolKind,
        /// Window.
        kernel: [u32; 2],
        /// Steps between outputs.
        stride: [u32; 2],
        /// Padding.
        padding: [u32; 4],
        /// Whether padding counts as zeros in an average.
        #[serde(default)]
        count_padding: bool,
    },
    /// Resampling to a fixed size, edge clamp.
    Resize {
        /// Nearest or linear, and where the sample points lie.
        kind: ResizeKind,
        /// Output `[height, width]`.
        size: [u32; 2],
    },
    /// Sum of two maps of equal shape, then activation.
    Add {
        /// Applied to the sum.
        #[serde(default, skip_serializing_if = "Activation::is_none")]
        activation: Activation,
    },
    /// Arithmetic of two maps. On each axis the sizes are equal, or one of them is 1 and repeated. Sums of equal
    /// shapes are better an [`Op::Add`], which a convolution can take in.
    Binary {
        /// What is computed.
        kind: BinaryKind,
    },
    /// `exp(x - max) / sum` along an axis.
    Softmax {
        /// The axis.
        axis: Axis,
    },
    /// One value of all along some axes, which become 1 long.
    Reduce {
        /// What is computed.
        kind: ReduceKind,
        /// The axes, each at most once.
        axes: Vec<Axis>,
    },
    /// Matrix products `[c, m, k] x [c, k, n]` to `[c, m, n]`, one per channel; one of the inputs may have a single
    /// channel, which is repeated.
    Matmul,
    /// Elements in another order: a reshape, transpose or repetition of one map.
    Rearrange {
        /// Channels, height, width of the result.
        shape: [u32; 3],
        /// How the row-major index of an element of the result is read, outermost digit first: the element comes
        /// from the sums of `digit * stride` on each axis of the source.
        digits: Vec<Digit>,
    },
    /// Maps of equal channels, each flattened to one row, one after the other: `[c, 1, sum of h * w]`.
    Join,
    /// Rows and columns taken by number: nearest resizing, crops, flips and padding.
    /// `out[c][y][x] = in[c][rows[y]][columns[x]]`.
    Sample {
        /// Row of the source for each row, or -1 for `fill`.
        rows: Vec<i32>,
        /// Column of the source for each column, or -1 for `fill`.
        columns: Vec<i32>,
        /// What stands where there is no source.
        #[serde(default)]
        fill: f32,
    },
    /// A tensor of the file, the same for every tile; it has no input.
    Constant {
        /// Weight tensor `[channels, height, width]`.
        tensor: String,
    },
    /// 2-D transposed convolution, then activation: each input pixel adds its kernel to the output.
    ConvTranspose {
        /// Weight tensor `[in, out / groups, height, width]`.
        weight: String,
        /// Bias tensor `[out]`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bias: Option<String>,
        /// Steps between the kernels of neighbouring inputs.
        stride: [u32; 2],
        /// Pixels cut off the full result at top and left.
        padding: [u32; 2],
        /// Steps between taps.
        dilation: [u32; 2],
        /// Channel groups.
        groups: u32,
        /// Output `[height, width]`.
        size: [u32; 2],
        /// Applied to the sum.
        #[serde(default, skip_serializing_if = "Activation::is_none")]
        activation: Activation,
    },
    /// An activation alone.
    Activate {
        /// What is applied.
        activation: Activation,
    },
    /// Rearranged channels: concatenation, split, slice, shuffle and space-to-depth are all this.
    /// `out[c][y][x] = inputs[i][k][y * step + dy][x * step + dx]` with `[i, k, dy, dx] = map[c]`.
    Channels {
        /// Distance in the source between neighbouring outputs; 1 but for space-to-depth.
        step: u32,
        /// One `[input, channel, dy, dx]` per output channel.
        map: Vec<[u32; 4]>,
    },
}

/// An element-wise function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x < 0 ? slope * x : x`.
    LeakyRelu {
        /// Slope below zero.
        slope: f32,
    },
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x * sigmoid(x)`.
    Silu,
    /// `clamp(x, low, high)`.
    Clip {
        /// Lower bound.
        low: f32,
        /// Upper bound.
        high: f32,
    },
    /// `clamp(x * slope + offset, 0, 1)`.
    HardSigmoid {
        /// Factor.
        slope: f32,
        /// Summand.
        offset: f32,
    },
    /// `x * clamp(x / 6 + 1 / 2, 0, 1)`.
    HardSwish,
    /// Hyperbolic tangent.
    Tanh,
    /// `x * tanh(ln(1 + exp(x)))`.
    Mish,
    /// `x / 2 * (1 + erf(x / sqrt(2)))`.
    Gelu,
    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`.
    GeluTanh,
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x < 0 ? alpha * (exp(x) - 1) : x`.
    Elu {
        /// Limit below zero, negated.
        alpha: f32,
    },
    /// The error function.
    Erf,
    /// `exp(x)`.
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root.
    Sqrt,
    /// `1 / x`.
    Reciprocal,
    /// `|x|`.
    Abs,
    /// The largest whole number that is not above.
    Floor,
    /// Sine, of radians.
    Sin,
    /// Cosine, of radians.
    Cos,
    /// `x^exponent`; of a negative `x` only for whole exponents.
    Power {
        /// The exponent.
        exponent: f32,
    },
    /// `x * slope + offset`.
    Linear {
        /// Factor.
        slope: f32,
        /// Summand.
        offset: f32,
    },
}

/// An axis of a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Channels.
    Channel,
    /// Rows, from top to bottom.
    Row,
    /// Columns, from left to right.
    Column,
}

impl Axis {
    /// Its place in `[channels, height, width]`.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Channel => 0,
            Self::Row => 1,
            Self::Column => 2,
        }
    }
}

/// A digit of an [`Op::Rearrange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digit {
    /// The axis of the source that it moves on.
    pub axis: Axis,
    /// It counts from 0 to below this.
    pub size: u32,
    /// Steps on the axis per count; 0 repeats.
    pub stride: u32,
}

/// What an [`Op::Binary`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BinaryKind {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// `a / b`.
    Divide,
    /// The larger.
    Maximum,
    /// The smaller.
    Minimum,
}

impl BinaryKind {
    /// The function on the CPU in f32.
    #[must_use]
    pub fn apply(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Maximum => a.max(b),
            Self::Minimum => a.min(b),
        }
    }
}

/// What an [`Op::Reduce`] computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReduceKind {
    /// The sum.
    Sum,
    /// The mean.
    Mean,
    /// The largest.
    Maximum,
    /// The smallest.
    Minimum,
}

impl Activation {
    /// Whether it is [`Activation::None`].
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The function on the CPU in f32.
    #[must_use]
    pub fn apply(self, x: f32) -> f32 {
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let softplus = |x: f32| x.max(0.0) + (-x.abs()).exp().ln_1p();
        match self {
            Self::None => x,
            Self::Relu => x.max(0.0),
            Self::LeakyRelu { slope } => {
                if x < 0.0 {
                    slope * x
                } else {
                    x
                }
            }
            Self::Sigmoid => sigmoid(x),
            Self::Silu => x * sigmoid(x),
            Self::Clip { low, high } => x.max(low).min(high),
            Self::HardSigmoid { slope, offset } => (x * slope + offset).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Tanh => x.tanh(),
            Self::Mish => x * softplus(x).tanh(),
            Self::Gelu => 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
            Self::GeluTanh => 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh()),
            Self::Softplus => softplus(x),
            Self::Elu { alpha } => {
                if x < 0.0 {
                    alpha * x.exp_m1()
                } else {
                    x
                }
            }
            Self::Erf => erf(x),
            Self::Exp => x.exp(),
            Self::Log => x.ln(),
            Self::Sqrt => x.sqrt(),
            Self::Reciprocal => 1.0 / x,
            Self::Abs => x.abs(),
            Self::Floor => x.floor(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Power { exponent } => x.powf(exponent),
            Self::Linear { slope, offset } => x * slope + offset,
        }
    }
}

/// The error function within 1.5e-7 (Abramowitz and Stegun, 7.1.26).
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let sum = series.iter().fold(0.0, |sum, c| (sum + c) * t);
    (1.0 - sum * (-x * x).exp()).copysign(x)
}

/// How a convolution uses its second input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residual {
    /// There is none.
    #[default]
    None,
    /// `activation(conv(x) + r)`.
    BeforeActivation,
    /// `activation(conv(x)) + r`.
    AfterActivation,
}

impl Residual {
    /// Whether it is [`Residual::None`].
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// Which value of a window a pooling takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolKind {
    /// The largest.
    Max,
    /// The mean.
    Average,
}

/// Filter and sample points of a resampling (ONNX `Resize` names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeKind {
    /// `src = floor(dst * in / out)`.
    NearestAsymmetricFloor,
    /// `src = (dst + 0.5) * in / out - 0.5`, linear.
    LinearHalfPixel,
    /// `src = dst * in / out`, linear.
    LinearAsymmetric,
    /// `src = dst * (in - 1) / (out - 1)`, linear.
    LinearAlignCorners,
}

/// One output of the imported network: its maps flattened over height and width and joined along that axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its name in the imported file.
    pub name: String,
    /// Its shape there, batch first with 1.
    pub shape: Vec<usize>,
    /// Which axis is outer.
    pub order: OutputOrder,
    /// The maps, in order; each has the same number of channels.
    pub maps: Vec<String>,
}

/// The order of an output's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputOrder {
    /// Channel, then position.
    ChannelsFirst,
    /// Position, then channel.
    ChannelsLast,
}

impl Output {
    /// The output's elements in its own order, from the elements of its maps as `[channels, height, width]`.
    ///
    /// # Errors
    /// `Model` if a map is missing or not of its shape.
    pub fn layout<'a>(&self, shapes: &Shapes, map: impl Fn(&str) -> Option<&'a [f32]>) -> Result<Vec<f32>> {
        let mut maps = Vec::with_capacity(self.maps.len());
        for name in &self.maps {
            let shape = shapes.get(name)?;
            let data = map(name).ok_or_else(|| Error::model(format!("map \"{name}\" was not computed")))?;
            let pixels = shape.pixels() as usize;
            if data.len() != pixels * shape.channels as usize {
                return Err(Error::model(format!("map \"{name}\" has {} elements", data.len())));
            }
            maps.push((data, pixels));
        }
        let mut elements = Vec::with_capacity(maps.iter().map(|(data, _)| data.len()).sum());
        let channels = maps.first().map_or(0, |(data, pixels)| data.len() / pixels);
        match self.order {
            OutputOrder::ChannelsFirst => {
                for channel in 0..channels {
                    for (data, pixels) in &maps {
                        elements.extend(data.iter().skip(channel * pixels).take(*pixels));
                    }
                }
            }
            OutputOrder::ChannelsLast => {
                for (data, pixels) in &maps {
                    for pixel in 0..*pixels {
                        elements.extend(data.iter().skip(pixel).step_by(*pixels));
                    }
                }
            }
        }
        Ok(elements)
    }
}
