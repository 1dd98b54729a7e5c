//! Merging of slices.

use super::buffers::Buffers;
use super::{MergeBox, MergeOptions, Merged};
use crate::error::{Error, Result};
use crate::gpu::Context;
use crate::stages::{Candidate, Header};

/// Merges lists of boxes, one after another. Its buffers grow with the longest list.
#[derive(Debug)]
pub struct BoxMerger {
    pub(super) context: Context,
    buffers: Option<Buffers>,
}

const MAX_COORDINATE: f32 = 1e18;

impl BoxMerger {
    /// A merger that holds no buffers yet.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self { context: context.clone(), buffers: None }
    }

    /// Merges `boxes`; waits for the GPU.
    ///
    /// # Errors
    /// `Input` if an option or a box (named by its row) is not usable, `Capacity` if the device cannot hold the
    /// boxes, `Device` if the driver fails.
    pub fn merge(&mut self, boxes: &[MergeBox], options: &MergeOptions) -> Result<Merged> {
        options.validate()?;
        let candidates = candidates(boxes, options.weighs())?;
        let count = u32::try_from(boxes.len())
            .map_err(|_| Error::capacity(format!("{} boxes cannot be merged at once", boxes.len())))?;
        let (context, buffers) = self.reserve(count)?;
        buffers.prepare(context, options)?;
        context.checked("merge", || {
            if !candidates.is_empty() {
                context.queue().write_buffer(&buffers.candidates, 0, bytemuck::cast_slice(&candidates));
            }
        })?;
        let start = Header {
            candidates: count,
            kept_candidates: count,
            capacity: buffers.capacity(),
            ..Header::default()
        };
        let (_, items, stats) = buffers.run(context, buffers.recordings()?, Some(&start), count)?;
        let (kept, boxes) = items.iter().map(|item| (item.anchor, MergeBox::from(item))).unzip();
        Ok(Merged { kept, boxes, stats })
    }

    /// Makes room for `count` boxes.
    pub(super) fn reserve(&mut self, count: u32) -> Result<(&Context, &mut Buffers)> {
        let buffers = match self.buffers.take() {
            Some(buffers) if buffers.capacity() >= count => buffers,
            _ => Buffers::new(&self.context, count)?,
        };
        Ok((&self.context, self.buffers.insert(buffers)))
    }
}

fn candidates(boxes: &[MergeBox], weighs: bool) -> Result<Vec<Candidate>> {
    let convert = |(row, item): (u32, &MergeBox)| {
        check(item, weighs).map_err(|error| error.at(format!("box {row}")))?;
        let MergeBox { rect, score, class_id, edges } = *item;
        Ok(Candidate { rect, score, class_id, tile: Candidate::tile_word(0, edges), anchor: row })
    };
    (0..).zip(boxes).map(convert).collect()
}

fn check(item: &MergeBox, weighs: bool) -> Result<()> {
    let rect = item.rect;
    let corners = rect.to_array();
    if !item.score.is_finite() {
        return Err(Error::input(format!("score {} is not finite", item.score)));
    }
    if weighs && !(0.0..=1.0).contains(&item.score) {
        return Err(Error::input(format!(
            "score {} is outside 0..=1, which soft suppression and weighted fusion need",
            item.score
        )));
    }
    if !corners.iter().all(|value| value.abs() <= MAX_COORDINATE) {
        return Err(Error::input(format!("corners {corners:?} are not all finite and within ±1e18")));
    }
    if rect.x1 < rect.x0 || rect.y1 < rect.y0 {
        return Err(Error::input(format!("corners {corners:?} (x0 y0 x1 y1) give a negative size")));
    }
    Ok(())
}
