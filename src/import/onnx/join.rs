//! Concatenation of views: along channels into one view, along positions into a list of views.

use super::lower::{Lowering, Value, output};
use super::movement::axis_of;
use super::proto::NodeProto;
use super::view::View;
use crate::error::{Error, Result};

impl<'a> Lowering<'a> {
    /// Lowers a concatenation of maps or views.
    pub(super) fn concat(&mut self, node: &'a NodeProto<'a>) -> Result<()> {
        let values = node.inputs.iter().map(|name| self.value(name)).collect::<Result<Vec<_>>>()?;
        let rank = values.first().map_or(0, |value| value.shape().len());
        let axis = axis_of(node.int("axis", 0), rank)?;
        let shapes: Vec<_> = values.iter().map(Value::shape).collect();
        let fits = |shape: &Vec<usize>| {
            shape.len() == rank && (0..rank).all(|a| a == axis || shape[a] == shapes[0][a])
        };
        if !shapes.iter().all(fits) {
            return Err(Error::model(format!("it joins {shapes:?} along axis {axis}")));
        }
        let joined = match self.join(node, &values, axis)? {
            Some(joined) => joined,
            None => {
                let mut parts = Vec::with_capacity(values.len());
                for value in &values {
                    parts.push(self.view_of(output(node)?, value)?);
                }
                let views: Vec<Value> = parts.iter().cloned().map(Value::View).collect();
                match self.join(node, &views, axis)? {
                    Some(joined) => joined,
                    None => Value::View(self.joined_view(output(node)?, &parts, axis)?),
                }
            }
        };
        self.set(output(node)?, joined)
    }

    fn join(&mut self, node: &'a NodeProto<'a>, values: &[Value], axis: usize) -> Result<Option<Value>> {
        let mut lists = Vec::with_capacity(values.len());
        for value in values {
            lists.push(match value {
                Value::View(view) => (vec![view.clone()], None),
                Value::Joined { parts, axis } => (parts.clone(), Some(*axis)),
                Value::Constant(_) | Value::Beyond => return Ok(None),
            });
        }
        let along = |(parts, inner): &(Vec<View>, Option<usize>)| {
            inner.is_none_or(|inner| inner == axis) && parts.iter().all(|part| part.is_position(axis))
        };
        if lists.iter().all(along) {
            let parts = lists.into_iter().flat_map(|(parts, _)| parts).collect();
            return Ok(Some(Value::Joined { parts, axis }));
        }
        let Some((count, inner)) = lists.first().map(|(parts, inner)| (parts.len(), *inner)) else {
            return Ok(None);
        };
        if lists.iter().any(|(parts, other)| parts.len() != count || *other != inner) {
            return Ok(None);
        }
        let mut parts = Vec::with_capacity(count);
        for index in 0..count {
            let views: Vec<&View> = lists.iter().filter_map(|(parts, _)| parts.get(index)).collect();
            let joined = match join_channels(&views, axis) {
                Some(joined) => Some(joined),
                None => self.join_maps(node, &views, axis)?,
            };
            let Some(joined) = joined else { return Ok(None) };
            parts.push(joined);
        }
        Ok(match inner {
            Some(axis) => Some(Value::Joined { parts, axis }),
            None => parts.pop().map(Value::View),
        })
    }

    /// Joins views whose maps differ in size, by making each a map first.
    fn join_maps(&mut self, node: &'a NodeProto<'a>, views: &[&View], axis: usize) -> Result<Option<View>> {
        let mut whole = Vec::with_capacity(views.len());
        for (view, name) in views.iter().zip(&node.inputs) {
            let Some(gather) = view.as_map() else { return Ok(None) };
            let map = self.gather(name, gather)?;
            whole.push(View::whole(map, self.maps[map].shape));
        }
        Ok(join_channels(&whole.iter().collect::<Vec<_>>(), axis))
    }
}

/// Joins views of maps of one size along a channel dimension.
fn join_channels(views: &[&View], axis: usize) -> Option<View> {
    let views = views.iter().map(|view| view.channelled(axis)).collect::<Option<Vec<_>>>()?;
    let first = views.first()?.clone();
    let rest = |view: &View| {
        let mut dims = view.dims.clone();
        dims.get_mut(axis).map(std::mem::take);
        dims
    };
    if views.iter().any(|view| view.size != first.size || rest(view) != rest(&first)) {
        return None;
    }
    first.join(axis, &views)
}
