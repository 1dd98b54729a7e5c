//! GPU time per stage and per layer, from timestamps inside the one compute pass where the device has them.

use super::Context;
use crate::error::Result;

/// GPU time of one stage of a picture.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct StageTime {
    /// Name of the stage.
    pub stage: &'static str,
    /// Milliseconds on the GPU, summed over chunks.
    pub ms: f64,
}

/// GPU time of one layer of the network.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct LayerTime {
    /// Index of its node in the model's [`Graph::nodes`](crate::model::Graph::nodes).
    pub node: u32,
    /// Tiles that were timed: those of the picture, or fewer where it has more layers and chunks than
    /// [`wgpu::QUERY_SET_MAX_QUERIES`] timestamps tell apart.
    pub tiles: u32,
    /// Milliseconds on the GPU for these tiles, summed over chunks.
    pub ms: f64,
}

/// What begins at a timestamp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mark {
    Stage(&'static str),
    Layer {
        node: u32,
        tiles: u32,
    },
    /// Layers for which there is no room.
    Rest,
    /// Nothing that is timed.
    End,
}

/// How many marks a submission makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// All but layers.
    pub(crate) stages: u32,
    /// Layers; 0 if they are not timed.
    pub(crate) layers: u32,
}

impl Marks {
    /// Whether `other` fits.
    pub(crate) fn hold(self, other: Self) -> bool {
        self.stages >= other.stages && self.layers >= other.layers
    }
}

/// The marks made so far, within what one query set holds.
#[derive(Debug)]
struct Tape {
    room: Marks,
    left: Marks,
    cut: bool,
    /// Stages were marked for which there was no room.
    is_full: bool,
    marks: Vec<Mark>,
}

impl Tape {
    fn new(wanted: Marks) -> Self {
        let stages = wanted.stages.clamp(1, wgpu::QUERY_SET_MAX_QUERIES);
        let layers = wanted.layers.min(wgpu::QUERY_SET_MAX_QUERIES - stages);
        let room = Marks { stages, layers };
        Self { room, left: room, cut: layers < wanted.layers, is_full: false, marks: Vec::new() }
    }

    fn capacity(&self) -> u32 {
        self.room.stages + self.room.layers
    }

    /// The query of a mark; none if there is no room for it.
    fn add(&mut self, mark: Mark) -> Option<u32> {
        let is_layer = matches!(mark, Mark::Layer { .. });
        let left = if is_layer { &mut self.left.layers } else { &mut self.left.stages };
        let Some(rest) = left.checked_sub(1) else {
            self.is_full |= !is_layer;
            return None;
        };
        *left = rest;
        // The last one ends the layer before it, or that would be given the time of all that follow.
        let is_end = is_layer && self.cut && *left == 0;
        self.marks.push(if is_end { Mark::Rest } else { mark });
        u32::try_from(self.marks.len() - 1).ok()
    }

    /// What lies between the marks. No stages if there was no room for all: part of a stage's time would pass for all of it.
    fn times(&self, ticks: &[u64], period_ns: f32) -> Times {
        let times = times(&self.marks, ticks, period_ns);
        if self.is_full { Times { stages: Vec::new(), ..times } } else { times }
    }
}

/// GPU times of a submission.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Times {
    pub(crate) stages: Vec<StageTime>,
    pub(crate) layers: Vec<LayerTime>,
}

/// What lies between marks, from the ticks at them.
#[expect(clippy::cast_precision_loss, reason = "a duration, not a count")]
fn times(marks: &[Mark], ticks: &[u64], period_ns: f32) -> Times {
    let mut times = Times::default();
    let mut within = None;
    for (pair, mark) in ticks.windows(2).zip(marks) {
        let ms = pair[1].saturating_sub(pair[0]) as f64 * f64::from(period_ns) / 1e6;
        match *mark {
            Mark::Stage(stage) => within = Some(stage),
            Mark::End => within = None,
            Mark::Rest => {}
            Mark::Layer { node, tiles } => match times.layers.iter_mut().find(|time| time.node == node) {
                Some(time) => {
                    time.tiles += tiles;
                    time.ms += ms;
                }
                None => times.layers.push(LayerTime { node, tiles, ms }),
            },
        }
        let Some(stage) = within else { continue };
        match times.stages.iter_mut().find(|time| time.stage == stage) {
            Some(time) => time.ms += ms,
            None => times.stages.push(StageTime { stage, ms }),
        }
    }
    times
}

/// Timestamps of one submission.
#[derive(Debug)]
pub(crate) struct Profile {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    tape: Tape,
    in_encoders: bool,
}

impl Profile {
    /// Room for marks; `None` where the device has no timestamps inside passes.
    pub(crate) fn new(context: &Context, wanted: Marks) -> Result<Option<Self>> {
        let needed = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES;
        if !context.features().contains(needed) {
            return Ok(None);
        }
        let tape = Tape::new(wanted);
        let descriptor = wgpu::QuerySetDescriptor {
            label: Some("stage times"),
            ty: wgpu::QueryType::Timestamp,
            count: tape.capacity(),
        };
        let queries = context.checked("stage times", || context.device().create_query_set(&descriptor))?;
        let resolved = context.buffer(
            "stage times",
            u64::from(tape.capacity()) * 8,
            wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
        )?;
        let in_encoders = context.features().contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS);
        Ok(Some(Self { queries, resolved, tape, in_encoders }))
    }

    /// A mark between dispatches.
    pub(crate) fn mark(&mut self, pass: &mut wgpu::ComputePass<'_>, mark: Mark) {
        if let Some(index) = self.tape.add(mark) {
            pass.write_timestamp(&self.queries, index);
        }
    }

    /// A mark between passes and copies, where the device can make them.
    pub(crate) fn mark_outside(&mut self, encoder: &mut wgpu::CommandEncoder, mark: Mark) {
        if !self.in_encoders {
            return;
        }
        if let Some(index) = self.tape.add(mark) {
            encoder.write_timestamp(&self.queries, index);
        }
    }

    /// Forgets the marks of an earlier submission.
    pub(crate) fn restart(&mut self) {
        self.tape.left = self.tape.room;
        self.tape.is_full = false;
        self.tape.marks.clear();
    }

    /// Bytes that [`Profile::resolve`] writes.
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.tape.capacity()) * 8
    }

    /// Copies the timestamps into `target` at `offset`.
    pub(crate) fn resolve(&self, encoder: &mut wgpu::CommandEncoder, target: &wgpu::Buffer, offset: u64) {
        let count = u32::try_from(self.tape.marks.len()).unwrap_or(0);
        encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, target, offset, u64::from(count) * 8);
    }

    /// Times from the bytes that were read back; `period_ns` is the queue's timestamp period.
    pub(crate) fn times(&self, bytes: &[u8], period_ns: f32) -> Times {
        let ticks: Vec<u64> = bytes
            .chunks_exact(8)
            .take(self.tape.marks.len())
            .map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
            .collect();
        self.tape.times(&ticks, period_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_hold_their_layers_and_chunks_are_summed() {
        let layer = |node| Mark::Layer { node, tiles: 3 };
        let chunk = [Mark::Stage("network"), layer(4), layer(2), Mark::Stage("decode"), Mark::End];
        let marks = [&chunk[..], &chunk].concat();
        // A millisecond is 1000 ticks of 1 us; nothing is timed after an end.
        let ticks = [0, 1000, 3000, 6000, 7000, 9000, 9000, 9000, 10_000, 12_000];
        let found = times(&marks, &ticks, 1000.0);
        let stages = [("network", 7.0), ("decode", 3.0)].map(|(stage, ms)| StageTime { stage, ms });
        assert_eq!(found.stages, stages);
        let layers = [(4, 2.0), (2, 4.0)].map(|(node, ms)| LayerTime { node, tiles: 6, ms });
        assert_eq!(found.layers, layers);
    }

    #[test]
    fn layers_beyond_the_query_set_are_left_out_and_stages_are_not() {
        let most = wgpu::QUERY_SET_MAX_QUERIES;
        let mut tape = Tape::new(Marks { stages: 3, layers: most });
        assert_eq!(tape.capacity(), most);
        assert_eq!(tape.add(Mark::Stage("network")), Some(0));
        let layers = (0..most).filter_map(|node| tape.add(Mark::Layer { node, tiles: 1 })).count();
        assert_eq!(layers, most as usize - 3);
        assert_eq!(tape.marks.last(), Some(&Mark::Rest));
        assert_eq!(tape.add(Mark::Stage("decode")), Some(most - 2));
        assert_eq!(tape.add(Mark::End), Some(most - 1));
        assert_eq!(tape.add(Mark::End), None);
        let ticks: Vec<u64> = (0..u64::from(most)).collect();
        let found = times(&tape.marks, &ticks, 1e6);
        assert_eq!(found.layers.len(), most as usize - 4);
        assert!(found.layers.iter().all(|time| time.ms == 1.0));
        assert_eq!(found.stages[0].ms, f64::from(most - 2));
    }

    #[test]
    fn stages_that_were_cut_are_not_told() {
        let mut tape = Tape::new(Marks { stages: 2, layers: 1 });
        for mark in [Mark::Stage("network"), Mark::Layer { node: 0, tiles: 1 }, Mark::Stage("decode")] {
            assert!(tape.add(mark).is_some());
        }
        assert_eq!(tape.times(&[0, 1, 3], 1e6).stages.len(), 1);
        assert_eq!(tape.add(Mark::End), None);
        let cut = tape.times(&[0, 1, 3], 1e6);
        assert!(cut.stages.is_empty() && cut.layers.len() == 1, "{cut:?}");
    }

    #[test]
    fn marks_that_fit_are_all_kept() {
        let mut tape = Tape::new(Marks { stages: 1, layers: 2 });
        let layer = |node| Mark::Layer { node, tiles: 1 };
        assert_eq!([0, 1, 2].map(|node| tape.add(layer(node))), [Some(0), Some(1), None]);
        assert_eq!(tape.marks, [layer(0), layer(1)]);
    }
}
