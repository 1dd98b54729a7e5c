//! The weights of a network on the device, packed as its kernels want them, and which kernel runs a convolution.

use crate::error::{Error, Result};
use crate::gpu::Context;
use crate::kernels::nn::conv_pointwise::pack_bias;
use crate::kernels::nn::{Window, constant, conv_depthwise, conv_grouped, conv_pointwise, conv_transpose};
use crate::model::{ArenaPlan, Model, Node, Op, Tensor};
use half::f16;
use std::collections::HashMap;

/// A model's weights on the device, packed as its kernels want them.
#[derive(Debug)]
pub(crate) struct NetworkWeights {
    by_node: HashMap<String, (wgpu::Buffer, wgpu::Buffer)>,
    pub(crate) f16: bool,
    pub(crate) bytes: u64,
}

/// Which kernel runs a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ConvKind {
    Pointwise,
    Dense,
    Depthwise,
    Grouped,
}

/// The window has the padding at top and left; `padding` is all of it.
pub(super) fn conv_kind(weight: &Tensor, window: Window, padding: [u32; 4], groups: u32) -> ConvKind {
    if groups == 1 {
        let point = window.kernel == [1, 1] && window.stride == [1, 1] && padding == [0; 4];
        return if point { ConvKind::Pointwise } else { ConvKind::Dense };
    }
    let depthwise = weight.shape[1] == 1 && weight.shape[0] == groups as usize;
    if depthwise && conv_depthwise::fits(window) { ConvKind::Depthwise } else { ConvKind::Grouped }
}

/// How a kernel wants a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Packing {
    Conv(ConvKind),
    Transposed { groups: u32 },
    Map,
}

impl Packing {
    fn pack(self, tensor: &Tensor) -> Vec<f32> {
        match self {
            Self::Conv(ConvKind::Pointwise | ConvKind::Dense) => conv_pointwise::pack(tensor),
            Self::Conv(ConvKind::Depthwise) => conv_depthwise::pack(tensor),
            Self::Conv(ConvKind::Grouped) => conv_grouped::pack(tensor),
            Self::Transposed { groups } => conv_transpose::pack(tensor, groups),
            Self::Map => constant::pack(tensor),
        }
    }

    /// Elements of the bias.
    fn outputs(self, tensor: &Tensor) -> usize {
        match self {
            Self::Conv(_) => tensor.shape[0],
            Self::Transposed { groups } => tensor.shape[1] * groups as usize,
            Self::Map => 1,
        }
    }
}

pub(super) fn conv_window(
    weight: &Tensor,
    stride: [u32; 2],
    padding: [u32; 4],
    dilation: [u32; 2],
) -> Window {
    let side = |axis: usize| u32::try_from(weight.shape[axis]).unwrap_or(u32::MAX);
    Window { kernel: [side(2), side(3)], stride, padding: [padding[0], padding[1]], dilation }
}

impl NetworkWeights {
    /// Packs and uploads the weights of all nodes, in the order in which those of a plan read channels.
    pub(crate) fn new(context: &Context, model: &Model, plan: &ArenaPlan, f16: bool) -> Result<Self> {
        let mut weights = Self { by_node: HashMap::new(), f16, bytes: 0 };
        // Nodes may share tensors; a file could name one many times.
        let mut shared: HashMap<_, (wgpu::Buffer, wgpu::Buffer)> = HashMap::new();
        for (index, node) in model.info().graph.nodes.iter().enumerate() {
            let (weight, bias, packing) = match &node.op {
                Op::Conv { weight, bias, stride, padding, dilation, groups, .. } => {
                    let tensor = model.weights().get(weight)?;
                    let window = conv_window(tensor, *stride, *padding, *dilation);
                    (weight, bias.as_ref(), Packing::Conv(conv_kind(tensor, window, *padding, *groups)))
                }
                Op::ConvTranspose { weight, bias, groups, .. } => {
                    (weight, bias.as_ref(), Packing::Transposed { groups: *groups })
                }
                Op::Constant { tensor } => (tensor, None, Packing::Map),
                _ => continue,
            };
            let gather = plan.gathers.get(&index);
            let key = (weight, bias, packing, gather.map(|_| index));
            if let Some(buffers) = shared.get(&key) {
                weights.by_node.insert(node.name.clone(), Clone::clone(buffers));
                continue;
            }
            let tensor = model.weights().get(weight)?;
            let packed = match gather {
                Some(gather) => packing.pack(&gather.weights(tensor)),
                None => packing.pack(tensor),
            };
            let packed = weights.upload(context, &node.name, &packed, f16)?;
            let bias = bias.map(|name| model.weights().get(name)).transpose()?;
            let bias = pack_bias(bias, packing.outputs(tensor));
            let bias = weights.upload(context, &node.name, &bias, false)?;
            shared.insert(key, (packed.clone(), bias.clone()));
            weights.by_node.insert(node.name.clone(), (packed, bias));
        }
        Ok(weights)
    }

    /// The weights and the bias of a node.
    pub(super) fn of(&self, node: &Node) -> Result<&(wgpu::Buffer, wgpu::Buffer)> {
        self.by_node.get(&node.name).ok_or_else(|| Error::model("its weights are missing"))
    }

    fn upload(&mut self, context: &Context, node: &str, data: &[f32], f16: bool) -> Result<wgpu::Buffer> {
        let halves: Vec<f16>;
        let contents: &[u8] = if f16 {
            if let Some(value) = data.iter().find(|value| value.abs() > f16::MAX.to_f32()) {
                return Err(Error::unsupported(format!(
                    "node \"{node}\": weight {value} is beyond f16: use f32"
                )));
            }
            halves = data.iter().map(|&value| f16::from_f32(value)).collect();
            bytemuck::cast_slice(&halves)
        } else {
            bytemuck::cast_slice(data)
        };
        self.bytes += contents.len() as u64;
        context.buffer_with(node, contents, wgpu::BufferUsages::STORAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_convolutions() {
        let tensor = |shape: [usize; 4]| Tensor { shape: shape.to_vec(), data: Vec::new() };
        let window = |kernel: u32| Window { kernel: [kernel; 2], ..Window::POINT };
        assert_eq!(conv_kind(&tensor([8, 4, 1, 1]), window(1), [0; 4], 1), ConvKind::Pointwise);
        assert_eq!(conv_kind(&tensor([8, 4, 1, 1]), window(1), [0, 0, 0, 1], 1), ConvKind::Dense);
        assert_eq!(conv_kind(&tensor([8, 4, 3, 3]), window(3), [0; 4], 1), ConvKind::Dense);
        assert_eq!(conv_kind(&tensor([8, 1, 5, 5]), window(5), [0; 4], 8), ConvKind::Depthwise);
        assert_eq!(conv_kind(&tensor([8, 1, 1, 1]), window(1), [0; 4], 8), ConvKind::Grouped);
        assert_eq!(conv_kind(&tensor([8, 2, 3, 3]), window(3), [0; 4], 4), ConvKind::Grouped);
    }
}
