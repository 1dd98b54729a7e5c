//! The network's kernels. Maps are NC4HW4: `[tiles, channels / 4, height, width]` of vec4, tiles outermost.
//!
//! The lanes beyond the channels in the last vec4 are 0 in every map: convolutions multiply them with weights of 0,
//! which does not remove an infinity, and sums over channels may add them. A kernel that would make anything else of
//! zeros writes 0 there (`live_lanes`).

pub(crate) mod add;
pub(crate) mod binary;
pub(crate) mod channels;
pub(crate) mod constant;
pub(crate) mod conv;
pub(crate) mod conv_depthwise;
pub(crate) mod conv_gathered;
pub(crate) mod conv_grouped;
pub(crate) mod conv_matrix;
pub(crate) mod conv_pointwise;
pub(crate) mod conv_row;
pub(crate) mod conv_separable;
pub(crate) mod conv_transpose;
pub(crate) mod join;
pub(crate) mod matmul;
pub(crate) mod pool;
pub(crate) mod rearrange;
pub(crate) mod reduce;
pub(crate) mod resize;
pub(crate) mod sample;
pub(crate) mod softmax;
pub(crate) mod tiling;

use crate::error::{Error, Result};
use crate::geom::Shape;
use crate::gpu::{Groups, KernelSpec, Variant, groups_1d};
use crate::model::{Activation, Residual};
use std::ops::Range;

/// A feature map of a chunk of tiles inside an arena buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Map<'a> {
    pub(crate) buffer: &'a wgpu::Buffer,
    /// First vec4.
    pub(crate) base: u32,
    /// Vec4s from the beginning of a tile to that of the next: more than the map's own if it is some channels of another.
    pub(crate) tile: u32,
    pub(crate) shape: Shape,
}

impl Map<'_> {
    /// Some of its channels, from the beginning of a vec4 on.
    pub(crate) fn channels(self, range: Range<u32>) -> Self {
        let base = self.base + range.start / 4 * self.shape.pixels();
        let channels = range.end.saturating_sub(range.start);
        Self { base, shape: Shape { channels, ..self.shape }, ..self }
    }
}

/// What all kernels of a network share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Launch {
    /// Maps and weights stored as f16.
    pub(crate) f16: bool,
    /// Tiles in the chunk.
    pub(crate) tiles: u32,
}

/// The twin of `shaders/shared/conv_params.wgsl`.
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct MapParams {
    src_base: u32,
    dst_base: u32,
    residual_base: u32,
    tiles: u32,
    src_c4: u32,
    dst_c4: u32,
    src_h: u32,
    src_w: u32,
    dst_h: u32,
    dst_w: u32,
    kernel_h: u32,
    kernel_w: u32,
    stride_y: u32,
    stride_x: u32,
    pad_top: u32,
    pad_left: u32,
    dilation_y: u32,
    dilation_x: u32,
    act_a: f32,
    act_b: f32,
    dst_channels: u32,
    src_tile: u32,
    dst_tile: u32,
    residual_tile: u32,
    residual_h: u32,
    residual_w: u32,
    in_per_group: u32,
    out_per_group: u32,
    span: u32,
}

/// A window sliding over a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) kernel: [u32; 2],
    pub(crate) stride: [u32; 2],
    /// Top, left.
    pub(crate) padding: [u32; 2],
    pub(crate) dilation: [u32; 2],
}

impl Window {
    /// One pixel, no padding.
    pub(crate) const POINT: Self = Self { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1] };
}

impl MapParams {
    pub(crate) fn new(
        launch: Launch,
        src: Map<'_>,
        dst: Map<'_>,
        window: Window,
        activation: Activation,
    ) -> Self {
        let (act_a, act_b) = activation_parameters(activation);
        Self {
            src_base: src.base,
            dst_base: dst.base,
            residual_base: 0,
            tiles: launch.tiles,
            src_c4: src.shape.groups_of_4(),
            dst_c4: dst.shape.groups_of_4(),
            src_h: src.shape.height,
            src_w: src.shape.width,
            dst_h: dst.shape.height,
            dst_w: dst.shape.width,
            kernel_h: window.kernel[0],
            kernel_w: window.kernel[1],
            stride_y: window.stride[0],
            stride_x: window.stride[1],
            pad_top: window.padding[0],
            pad_left: window.padding[1],
            dilation_y: window.dilation[0],
            dilation_x: window.dilation[1],
            act_a,
            act_b,
            dst_channels: dst.shape.channels,
            src_tile: src.tile,
            dst_tile: dst.tile,
            residual_tile: 0,
            residual_h: 0,
            residual_w: 0,
            in_per_group: 0,
            out_per_group: 0,
            span: 0,
        }
    }

    /// The same with the map that is added.
    pub(crate) fn adding(self, other: Map<'_>) -> Self {
        Self {
            residual_base: other.base,
            residual_tile: other.tile,
            residual_h: other.shape.height,
            residual_w: other.shape.width,
            ..self
        }
    }
}

/// A map's place in the parameters of [`MapsParams`].
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct MapPlace {
    base: u32,
    channels: u32,
    height: u32,
    width: u32,
}

/// The twin of `shaders/shared/maps.wgsl`.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct MapsParams {
    a: MapPlace,
    b: MapPlace,
    dst: MapPlace,
    tiles: u32,
    x: u32,
    y: u32,
    z: u32,
}

impl MapsParams {
    fn new(launch: Launch, maps: [Map<'_>; 3]) -> Self {
        let [a, b, dst] = maps.map(|Map { base, shape, .. }| MapPlace {
            base,
            channels: shape.channels,
            height: shape.height,
            width: shape.width,
        });
        Self { a, b, dst, tiles: launch.tiles, x: 0, y: 0, z: 0 }
    }
}

/// Workgroups for one invocation per vec4 of a map in all tiles; the shader's `linear_id` counts them.
fn groups_of_map(launch: Launch, map: Map<'_>, spec: &KernelSpec) -> Groups {
    groups_1d(u64::from(launch.tiles) * map.shape.padded_len() / 4, spec.workgroup[0])
}

/// The name of an activation in `shaders/shared/activation.wgsl`.
pub(crate) fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::None => "none",
        Activation::Relu => "relu",
        Activation::LeakyRelu { .. } => "leaky_relu",
        Activation::Sigmoid => "sigmoid",
        Activation::Silu => "silu",
        Activation::Clip { .. } => "clip",
        Activation::HardSigmoid { .. } => "hard_sigmoid",
        Activation::HardSwish => "hard_swish",
        Activation::Tanh => "tanh",
        Activation::Mish => "mish",
        Activation::Gelu => "gelu",
        Activation::GeluTanh => "gelu_tanh",
        Activation::Softplus => "softplus",
        Activation::Elu { .. } => "elu",
        Activation::Erf => "erf",
        Activation::Exp => "exp",
        Activation::Log => "log",
        Activation::Sqrt => "sqrt",
        Activation::Reciprocal => "reciprocal",
        Activation::Abs => "abs",
        Activation::Floor => "floor",
        Activation::Sin => "sin",
        Activation::Cos => "cos",
        Activation::Power { .. } => "power",
        Activation::Linear { .. } => "linear",
    }
}

/// All names in `shaders/shared/activation.wgsl`.
#[cfg(test)]
const ACTIVATIONS: [&str; 25] = [
    "none",
    "relu",
    "leaky_relu",
    "sigmoid",
    "silu",
    "clip",
    "hard_sigmoid",
    "hard_swish",
    "tanh",
    "mish",
    "gelu",
    "gelu_tanh",
    "softplus",
    "elu",
    "erf",
    "exp",
    "log",
    "sqrt",
    "reciprocal",
    "abs",
    "floor",
    "sin",
    "cos",
    "power",
    "linear",
];

fn activation_parameters(activation: Activation) -> (f32, f32) {
    match activation {
        Activation::LeakyRelu { slope } => (slope, 0.0),
        Activation::Clip { low, high } => (low, high),
        Activation::HardSigmoid { slope, offset } | Activation::Linear { slope, offset } => (slope, offset),
        Activation::Elu { alpha: value } | Activation::Power { exponent: value } => (value, 0.0),
        _ => (0.0, 0.0),
    }
}

/// What is added to a sum, and where.
fn with_residual(variant: Variant, residual: Option<(Residual, Map<'_>)>, dst: Map<'_>) -> Variant {
    let name = match residual {
        None | Some((Residual::None, _)) => "none",
        Some((Residual::BeforeActivation, _)) => "before",
        Some((Residual::AfterActivation, _)) => "after",
    };
    // The nearest pixel of a map of another size.
    let is_nearest = residual.is_some_and(|(_, other)| other.shape != dst.shape);
    variant.with("residual", name).with("nearest", is_nearest)
}

/// Both storage types with no activation and with one that looks at the channels, each with every residual where
/// `residual`; and every activation once: it sees neither storage nor residual.
#[cfg(test)]
fn activation_variants(residual: bool) -> Vec<Variant> {
    let residuals: &[&str] = if residual { &["none", "before", "after"] } else { &["none"] };
    let one = |f16, activation, name, nearest| {
        Variant::storage(f16).with("activation", activation).with("residual", name).with("nearest", nearest)
    };
    let mut variants: Vec<Variant> =
        ACTIVATIONS.map(|name| one(false, name, residuals[residuals.len() / 2], false)).to_vec();
    for f16 in [false, true] {
        for activation in ["none", "sigmoid"] {
            variants.extend(residuals.iter().map(|&name| one(f16, activation, name, false)));
            variants.extend(residuals.iter().skip(1).map(|&name| one(f16, activation, name, true)));
        }
    }
    variants
}

/// Those of the first tiling, and each of the others once, storage types and residuals in turns.
#[cfg(test)]
fn tiled_variants(depthwise: bool) -> Vec<Variant> {
    let tilings = tiling::all(depthwise);
    let first = activation_variants(true).into_iter().map(|variant| tilings[0].fill(variant));
    let others = tilings[1..].iter().zip((0..).map(|turn| turn % 2 == 0)).map(|(tiling, even)| {
        let residual = if even { "before" } else { "none" };
        let variant = Variant::storage(!even).with("activation", "sigmoid");
        tiling.fill(variant.with("residual", residual).with("nearest", false))
    });
    first.chain(others).collect()
}

/// Loop iterations one invocation may run: software drivers stop at 65,535 without a word.
const MAX_ITERATIONS: u64 = 50_000;

/// Refuses a window whose loops an invocation could not finish: each tap of `steps` inner iterations.
fn check_iterations(window: Window, steps: u32) -> Result<()> {
    let [kernel_h, kernel_w] = window.kernel.map(u64::from);
    if kernel_h * (1 + kernel_w * (1 + u64::from(steps))) > MAX_ITERATIONS {
        return Err(Error::unsupported(format!(
            "a window of {kernel_w}x{kernel_h} over {steps} groups of channels is too large for one pass"
        )));
    }
    Ok(())
}

/// Invocations of a workgroup that share one line.
const WIDE: u32 = 256;

/// Whether a workgroup, not an invocation, runs along each line of `len` vec4s, `passes` times. `lines` are those of
/// one tile, so that a result does not depend on the batch. Lines that lie side by side are read well by an invocation
/// each, if there are enough.
fn is_wide(len: u64, lines: u64, side_by_side: bool, passes: u64) -> Result<bool> {
    let wide = len > 64 && (len > 1024 || lines < 1024 || !side_by_side);
    let steps = if wide { len.div_ceil(u64::from(WIDE)) } else { len };
    if steps * passes > MAX_ITERATIONS {
        return Err(Error::unsupported(format!("{len} values in a line are too many for one pass")));
    }
    Ok(wide)
}

/// Workgroups for `count` invocations folded into x and z, with `y` given.
pub(crate) fn groups_folded(count: u64, workgroup: u32, y: u32) -> Groups {
    const MAX: u64 = 65_535;
    let groups = count.div_ceil(u64::from(workgroup)).max(1);
    let z = groups.div_ceil(MAX);
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    Groups::Direct([narrow(groups.div_ceil(z)), y, narrow(z)])
}
