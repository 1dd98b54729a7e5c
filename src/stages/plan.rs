//! The memory plan of a network on a device, which also says what shares a dispatch there.

use crate::error::Result;
use crate::gpu::Context;
use crate::model::{ArenaPlan, Model};

/// Plans the maps that `wanted` needs, stored as f16 or f32.
pub(crate) fn plan(context: &Context, model: &Model, wanted: &[&str], f16: bool) -> Result<ArenaPlan> {
    let pairs_in = context.fuses().then_some(f16);
    ArenaPlan::sharing(&model.info().graph, model.shapes(), wanted, model.sharing(wanted, pairs_in)?)
}
