//! The memory plan of a network on a device, and what shares a dispatch there.

use super::weights::conv_window;
use crate::error::{Error, Result};
use crate::gpu::Context;
use crate::kernels::nn::tiling::Class;
use crate::kernels::nn::{Launch, conv_separable};
use crate::model::{ArenaPlan, Model, Op, SeparablePairs, Sharing};
use crate::stages::infer::Arenas;

/// Plans the maps that `wanted` needs, stored as f16 or f32.
pub(crate) fn plan(context: &Context, model: &Model, wanted: &[&str], f16: bool) -> Result<ArenaPlan> {
    let pairs_in = context.fuses().then_some(f16);
    let mut sharing = model.sharing(wanted, pairs_in)?;
    if f16 && context.matrices().is_some() {
        // The kernel on matrices reads one map.
        sharing.gathers.clear();
    }
    let plan = |sharing| ArenaPlan::sharing(&model.info().graph, model.shapes(), wanted, sharing);
    let found = plan(sharing.clone())?;
    // Pairs take memory, as the plan keeps room for both ways.
    if !found.pairs.is_empty() && !Arenas::can_hold(context, &found, f16) {
        return plan(Sharing { pairs: SeparablePairs::new(), ..sharing });
    }
    Ok(found)
}

/// The pairs of a plan that are one dispatch in a chunk.
pub(crate) fn fused_pairs(
    context: &Context,
    model: &Model,
    plan: &ArenaPlan,
    launch: Launch,
) -> Result<SeparablePairs> {
    let mut pairs = plan.pairs.clone();
    for (&second, &first) in &plan.pairs {
        if !context.fuses_class(&pair_class(model, [first, second], launch)?.key()) {
            pairs.remove(&second);
        }
    }
    Ok(pairs)
}

/// What decides whether a depthwise and a 1x1 convolution are one dispatch.
pub(crate) fn pair_class(model: &Model, pair: [usize; 2], launch: Launch) -> Result<Class> {
    let [first, second] = pair.map(|index| &model.info().graph.nodes[index]);
    let Op::Conv { weight, stride, padding, dilation, .. } = &first.op else {
        return Err(Error::model("not a convolution"));
    };
    let window = conv_window(model.weights().get(weight)?, *stride, *padding, *dilation);
    let shapes = [model.shapes().get(&first.name)?, model.shapes().get(&second.name)?];
    Ok(conv_separable::class(launch, window, shapes))
}
