//! Outputs of the file as maps joined along their positions.

use super::lower::{Lowering, Value};
use crate::error::Result;
use crate::model::{Output, OutputOrder};

/// Describes the output of that name and makes its maps.
pub(super) fn add<'a>(lowering: &mut Lowering<'a>, name: &'a str) -> Result<()> {
    let value = lowering.value(name)?;
    let shape = value.shape();
    let found = match plain(lowering, name, &value)? {
        Some(found) => Some(found),
        None => {
            let view = Value::View(lowering.view_of(name, &value)?);
            plain(lowering, name, &view)?
        }
    };
    let Some((order, maps)) = found else {
        let view = lowering.view_of(name, &value)?;
        let map = lowering.contiguous(name, &view)?;
        let maps = vec![lowering.maps[map].name.clone()];
        let order = OutputOrder::ChannelsFirst;
        lowering.graph.outputs.push(Output { name: name.to_owned(), shape, order, maps });
        return Ok(());
    };
    let maps = maps.into_iter().map(|map| lowering.maps[map].name.clone()).collect();
    lowering.graph.outputs.push(Output { name: name.to_owned(), shape, order, maps });
    Ok(())
}

/// The maps that the output consists of as it is, channel by channel or position by position; none if it is neither.
fn plain(
    lowering: &mut Lowering<'_>,
    name: &str,
    value: &Value,
) -> Result<Option<(OutputOrder, Vec<usize>)>> {
    let parts = match value {
        Value::View(view) => vec![view.clone()],
        Value::Joined { parts, .. } => parts.clone(),
        Value::Constant(_) | Value::Beyond => return Ok(None),
    };
    let mut orders = Vec::with_capacity(parts.len());
    let mut maps = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        let Some((order, view)) = part.as_output() else { return Ok(None) };
        let Some(gather) = view.as_map() else { return Ok(None) };
        let hint = if parts.len() == 1 { name.to_owned() } else { format!("{name}.{index}") };
        orders.push((order, gather.shape));
        maps.push(lowering.gather(&hint, gather)?);
    }
    let Some(&(order, first)) = orders.first() else { return Ok(None) };
    let single = first.channels == 1;
    if orders.iter().any(|(other, shape)| shape.channels != first.channels || (*other != order && !single)) {
        return Ok(None);
    }
    if let Value::Joined { parts, axis } = value {
        // Joining must be the outermost step along the positions, or the maps would interleave.
        let outer = |part: &super::view::View| {
            let before = part.dims.get(..*axis).unwrap_or(&[]).iter().flatten();
            before.clone().all(|f| f.axis == super::view::Axis::C)
                && (order == OutputOrder::ChannelsFirst || before.count() == 0)
        };
        if !parts.iter().all(outer) {
            return Ok(None);
        }
    }
    Ok(Some((order, maps)))
}
