//! Symbolic tensors over feature maps: reshapes, transposes, slices and concatenations cost nothing until a
//! computation needs the map.
//!
//! A view's element is found in two steps: the indices on its dimensions are split into factors of the axes C,
//! H and W; the C index picks a tap (a channel of a map and an offset), H and W are added to the offset.

use super::tensor::count;
use crate::geom::Shape;
use crate::model::OutputOrder;
use std::rc::Rc;

/// Views of more channels are refused.
pub(super) const MAX_CHANNELS: usize = 1 << 16;

/// An axis of a feature map; the batch axis always has size 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    C,
    H,
    W,
}

/// A part of an axis: `size` steps of `stride`. Never of size 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Factor {
    pub(super) axis: Axis,
    pub(super) size: usize,
    pub(super) stride: usize,
}

/// A channel of a map, from a row and a column on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tap {
    pub(super) map: usize,
    pub(super) channel: u32,
    pub(super) dy: u32,
    pub(super) dx: u32,
}

/// A tensor whose elements are elements of maps of equal height and width.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    /// What the C index picks.
    pub(super) taps: Rc<[Tap]>,
    /// Height and width of the maps.
    pub(super) size: [u32; 2],
    /// The factors of each dimension, outermost first.
    pub(super) dims: Vec<Vec<Factor>>,
}

/// A view as the map `[channels, height, width]` that it stands for.
pub(super) struct Gather {
    pub(super) taps: Vec<Tap>,
    pub(super) step: u32,
    pub(super) shape: Shape,
}

fn dim(axis: Axis, size: usize) -> Vec<Factor> {
    if size == 1 { Vec::new() } else { vec![Factor { axis, size, stride: 1 }] }
}

fn extent(dim: &[Factor]) -> usize {
    dim.iter().map(|f| f.size).product()
}

impl View {
    /// All of a map, as `[1, C, H, W]`.
    pub(super) fn whole(map: usize, shape: Shape) -> Self {
        let taps = (0..shape.channels).map(|channel| Tap { map, channel, dy: 0, dx: 0 }).collect();
        let dims = vec![
            Vec::new(),
            dim(Axis::C, shape.channels as usize),
            dim(Axis::H, shape.height as usize),
            dim(Axis::W, shape.width as usize),
        ];
        Self { taps, size: [shape.height, shape.width], dims }
    }

    pub(super) fn shape(&self) -> Vec<usize> {
        self.dims.iter().map(|d| extent(d)).collect()
    }

    /// The same elements with other dimensions; none if a factor would have to be cut unevenly.
    pub(super) fn reshape(&self, shape: &[usize]) -> Option<Self> {
        let mut factors = self.dims.iter().flatten().copied().collect::<Vec<_>>().into_iter();
        let mut next = factors.next();
        let mut dims = Vec::with_capacity(shape.len());
        for &size in shape {
            let mut rest = size;
            let mut dim: Vec<Factor> = Vec::new();
            while rest > 1 {
                let factor = next?;
                let taken = if factor.size <= rest {
                    next = factors.next();
                    factor
                } else {
                    if factor.size % rest != 0 {
                        return None;
                    }
                    let inner = factor.size / rest;
                    next = Some(Factor { size: inner, ..factor });
                    Factor { size: rest, stride: factor.stride * inner, ..factor }
                };
                if rest % taken.size != 0 {
                    return None;
                }
                rest /= taken.size;
                push_factor(&mut dim, taken);
            }
            if rest == 0 {
                return None;
            }
            dims.push(dim);
        }
        if next.is_some() { None } else { Some(Self { dims, ..self.clone() }) }
    }

    /// The dimensions in another order; none unless `order` is a permutation.
    pub(super) fn transpose(&self, order: &[usize]) -> Option<Self> {
        let mut seen = vec![false; self.dims.len()];
        let mut dims = Vec::with_capacity(order.len());
        for &axis in order {
            if std::mem::replace(seen.get_mut(axis)?, true) {
                return None;
            }
            dims.push(self.dims.get(axis)?.clone());
        }
        (dims.len() == self.dims.len()).then(|| Self { dims, ..self.clone() })
    }

    /// `len` elements of a dimension from `start` on, `step` apart.
    pub(super) fn slice(&self, axis: usize, start: usize, step: usize, len: usize) -> Option<Self> {
        let size = extent(self.dims.get(axis)?);
        if start == 0 && step == 1 && len == size {
            return Some(self.clone());
        }
        if len == 0 || start.checked_add(step.checked_mul(len - 1)?)? >= size {
            return None;
        }
        let mut view = self.clone();
        if self.dims.get(axis)?.len() != 1 {
            view = self.channelled(axis)?;
        }
        let factor = *view.dims.get(axis)?.first()?;
        let offset = start * factor.stride;
        match factor.axis {
            Axis::C => view.taps = view.taps.get(offset..)?.into(),
            Axis::H | Axis::W => view.shift(factor.axis, u32::try_from(offset).ok()?)?,
        }
        let kept = Factor { size: len, stride: factor.stride * step, ..factor };
        view.dims[axis] = if len == 1 { Vec::new() } else { vec![kept] };
        view.renumber();
        Some(view)
    }

    /// The elements of a channel dimension at `indices`.
    pub(super) fn gather(&self, axis: usize, indices: &[usize]) -> Option<Self> {
        if let [index] = indices {
            return self.slice(axis, *index, 1, 1);
        }
        let mut view = self.channelled(axis)?;
        view.taps = indices.iter().map(|&i| view.taps.get(i).copied()).collect::<Option<_>>()?;
        view.dims[axis] = dim(Axis::C, indices.len());
        Some(view)
    }

    /// The view with all its channels on one dimension, numbered as they lie there; none if other dimensions
    /// also hold channels.
    pub(super) fn channelled(&self, axis: usize) -> Option<Self> {
        let elsewhere = |(other, dim): (usize, &Vec<Factor>)| {
            other != axis && dim.iter().any(|factor| factor.axis == Axis::C)
        };
        if self.dims.iter().enumerate().any(elsewhere) {
            return None;
        }
        let taps = self.arrange(self.dims.get(axis)?)?;
        let mut view = self.clone();
        view.dims[axis] = dim(Axis::C, taps.len());
        view.taps = taps.into();
        Some(view)
    }

    /// Whether a dimension is made of rows and columns alone, or of nothing while another holds channels.
    pub(super) fn is_position(&self, axis: usize) -> bool {
        let has_channels = |dim: &Vec<Factor>| dim.iter().any(|f| f.axis == Axis::C);
        let Some(dim) = self.dims.get(axis) else { return false };
        !has_channels(dim) && (!dim.is_empty() || self.dims.iter().any(has_channels))
    }

    /// The map that a view of shape `[1, C, H, W]` stands for.
    pub(super) fn as_map(&self) -> Option<Gather> {
        let [batch, channels, rows, columns] = self.dims.as_slice() else { return None };
        if !batch.is_empty() {
            return None;
        }
        let taps = self.arrange(channels)?;
        let (step_y, height) = side(rows, Axis::H, self.size[0])?;
        let (step_x, width) = side(columns, Axis::W, self.size[1])?;
        if step_y != step_x || taps.iter().any(|tap| tap.dy >= step_y || tap.dx >= step_x) {
            return None;
        }
        let shape = Shape::new(u32::try_from(taps.len()).ok()?, height, width);
        Some(Gather { taps, step: step_y, shape })
    }

    /// The view as `[1, C, H, W]` and the order in which its elements lie, if it is one of the two orders.
    pub(super) fn as_output(&self) -> Option<(OutputOrder, Self)> {
        let factors: Vec<Factor> = self.dims.iter().flatten().copied().collect();
        let (channels, positions): (Vec<Factor>, Vec<Factor>) =
            factors.iter().partition(|f| f.axis == Axis::C);
        let order = if factors.first().is_none_or(|f| f.axis == Axis::C) || channels.is_empty() {
            OutputOrder::ChannelsFirst
        } else {
            OutputOrder::ChannelsLast
        };
        let expected = match order {
            OutputOrder::ChannelsFirst => [channels.as_slice(), &positions].concat(),
            OutputOrder::ChannelsLast => [positions.as_slice(), &channels].concat(),
        };
        if expected != factors {
            return None;
        }
        let (rows, columns) = match positions.as_slice() {
            [] => (vec![], vec![]),
            [f] if f.axis == Axis::H => (vec![*f], vec![]),
            [f] => (vec![], vec![*f]),
            [h, w] if h.axis == Axis::H && w.axis == Axis::W => (vec![*h], vec![*w]),
            _ => return None,
        };
        Some((order, Self { dims: vec![vec![], channels, rows, columns], ..self.clone() }))
    }

    /// The taps in the row-major order of `factors`.
    fn arrange(&self, factors: &[Factor]) -> Option<Vec<Tap>> {
        let total = count(&factors.iter().map(|f| f.size).collect::<Vec<_>>())?;
        if total > MAX_CHANNELS {
            return None;
        }
        let mut taps = Vec::new();
        for position in 0..total {
            let (mut rest, mut index, mut dy, mut dx) = (position, 0, 0, 0);
            for factor in factors.iter().rev() {
                let offset = rest % factor.size * factor.stride;
                rest /= factor.size;
                match factor.axis {
                    Axis::C => index += offset,
                    Axis::H => dy += offset,
                    Axis::W => dx += offset,
                }
            }
            let mut tap = *self.taps.get(index)?;
            tap.dy = tap.dy.checked_add(u32::try_from(dy).ok()?)?;
            tap.dx = tap.dx.checked_add(u32::try_from(dx).ok()?)?;
            taps.push(tap);
        }
        Some(taps)
    }

    fn shift(&mut self, axis: Axis, offset: u32) -> Option<()> {
        let shift = |tap: &Tap| {
            let mut tap = *tap;
            let place = if axis == Axis::H { &mut tap.dy } else { &mut tap.dx };
            *place = place.checked_add(offset)?;
            Some(tap)
        };
        self.taps = self.taps.iter().map(shift).collect::<Option<_>>()?;
        Some(())
    }

    /// Drops taps that no index reaches, where that is simple: at most one channel factor.
    fn renumber(&mut self) {
        let mut channels = self.dims.iter_mut().flatten().filter(|f| f.axis == Axis::C);
        let Some(factor) = channels.next() else {
            self.taps = self.taps.iter().take(1).copied().collect();
            return;
        };
        if channels.next().is_none() {
            self.taps = self.taps.iter().step_by(factor.stride).take(factor.size).copied().collect();
            factor.stride = 1;
        }
    }
}

/// Appends a factor, merged with the last where they make one longer run.
fn push_factor(dim: &mut Vec<Factor>, factor: Factor) {
    if let Some(last) = dim.last_mut()
        && last.axis == factor.axis
        && last.stride == factor.stride * factor.size
    {
        *last = Factor { axis: factor.axis, size: last.size * factor.size, stride: factor.stride };
    } else {
        dim.push(factor);
    }
}

/// Step and length of a dimension that walks all of one axis of a map of side `full`.
fn side(dim: &[Factor], axis: Axis, full: u32) -> Option<(u32, u32)> {
    let (stride, size) = match dim {
        [] => (full, 1),
        [factor] if factor.axis == axis => {
            (u32::try_from(factor.stride).ok()?, u32::try_from(factor.size).ok()?)
        }
        _ => return None,
    };
    (stride.checked_mul(size)? == full).then_some((stride, size))
}

impl View {
    /// Views that differ only in their taps, joined along their one channel dimension.
    pub(super) fn join(&self, axis: usize, views: &[Self]) -> Option<Self> {
        let taps: Vec<Tap> = views.iter().flat_map(|view| view.taps.iter().copied()).collect();
        if taps.len() > MAX_CHANNELS {
            return None;
        }
        let mut view = self.clone();
        *view.dims.get_mut(axis)? = dim(Axis::C, taps.len());
        view.taps = taps.into();
        Some(view)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn map(channels: u32, height: u32, width: u32) -> View {
        View::whole(0, Shape::new(channels, height, width))
    }

    fn channels(view: &View) -> Vec<u32> {
        view.as_map().unwrap().taps.iter().map(|tap| tap.channel).collect()
    }

    #[test]
    fn shuffle_is_a_table() {
        let view = map(6, 4, 5).reshape(&[1, 2, 3, 4, 5]).unwrap().transpose(&[0, 2, 1, 3, 4]).unwrap();
        let whole = view.reshape(&[1, 6, 4, 5]).unwrap();
        assert_eq!(channels(&whole), [0, 3, 1, 4, 2, 5]);
        assert_eq!(channels(&whole.slice(1, 1, 2, 3).unwrap()), [3, 4, 5]);
        assert_eq!(channels(&view.slice(2, 1, 1, 1).unwrap().reshape(&[1, 3, 4, 5]).unwrap()), [3, 4, 5]);
    }

    #[test]
    fn focus_is_a_step() {
        let view = map(3, 4, 6).slice(2, 1, 2, 2).unwrap().slice(3, 0, 2, 3).unwrap();
        let gather = view.as_map().unwrap();
        assert_eq!((gather.step, gather.shape), (2, Shape::new(3, 2, 3)));
        assert!(gather.taps.iter().all(|tap| (tap.dy, tap.dx) == (1, 0)));
    }

    #[test]
    fn crops_and_uneven_cuts_are_no_maps() {
        assert!(map(3, 4, 6).slice(2, 0, 1, 2).unwrap().as_map().is_none());
        assert!(map(3, 4, 6).transpose(&[0, 1, 3, 2]).unwrap().as_map().is_none());
        assert!(map(6, 4, 6).reshape(&[1, 4, 6, 6]).is_none());
        assert!(map(3, 4, 6).reshape(&[1, 3, 4, 7]).is_none());
        assert!(map(3, 4, 6).transpose(&[0, 1, 1, 2]).is_none());
        assert!(map(3, 4, 6).slice(1, 2, 1, 2).is_none());
    }

    #[test]
    fn outputs_know_their_order() {
        let flat = map(5, 2, 3).reshape(&[1, 5, 6]).unwrap();
        assert_eq!(flat.as_output().unwrap().0, OutputOrder::ChannelsFirst);
        let turned = flat.transpose(&[0, 2, 1]).unwrap();
        let (order, view) = turned.as_output().unwrap();
        assert_eq!((order, view.shape()), (OutputOrder::ChannelsLast, vec![1, 5, 2, 3]));
        assert!(map(5, 2, 3).transpose(&[0, 2, 1, 3]).unwrap().as_output().is_none());
    }
}
