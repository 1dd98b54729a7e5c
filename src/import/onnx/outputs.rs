//! Outputs of the file as maps joined along their positions.

use super::lower::{Lowering, Value, unsupported};
use crate::error::{Error, Result};
use crate::model::{Output, OutputOrder};

/// Describes the output of that name and makes its maps.
pub(super) fn add<'a>(lowering: &mut Lowering<'a>, name: &'a str) -> Result<()> {
    let value = lowering.value(name)?;
    let shape = value.shape();
    let parts = match &value {
        Value::View(view) => vec![view.clone()],
        Value::Joined { parts, .. } => parts.clone(),
        Value::Constant(_) => return Err(Error::unsupported("it is constant")),
    };
    let odd = || {
        unsupported(format!(
            "its elements of shape {shape:?} are neither channel by channel nor position by position"
        ))
    };
    let mut orders = Vec::with_capacity(parts.len());
    let mut maps = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let (order, view) = part.as_output().ok_or_else(odd)?;
        let gather = view.as_map().ok_or_else(odd)?;
        let hint = if parts.len() == 1 { name.to_owned() } else { format!("{name}.{index}") };
        orders.push((order, gather.shape));
        maps.push(lowering.gather(&hint, gather)?);
    }
    let (order, first) = *orders.first().ok_or_else(odd)?;
    let single = first.channels == 1;
    if orders.iter().any(|(other, shape)| shape.channels != first.channels || (*other != order && !single)) {
        return Err(odd());
    }
    if let Value::Joined { parts, axis } = &value {
        // Joining must be the outermost step along the positions, or the maps would interleave.
        let outer = |part: &super::view::View| {
            let before = part.dims.get(..*axis).unwrap_or(&[]).iter().flatten();
            before.clone().all(|f| f.axis == super::view::Axis::C)
                && (order == OutputOrder::ChannelsFirst || before.count() == 0)
        };
        if !parts.iter().all(outer) {
            return Err(odd());
        }
    }
    let maps = maps.into_iter().map(|map| lowering.maps[map].name.clone()).collect();
    lowering.graph.outputs.push(Output { name: name.to_owned(), shape, order, maps });
    Ok(())
}
