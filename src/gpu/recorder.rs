//! Dispatches are recorded once as a list of steps and encoded into a compute pass as often as needed.

use super::{Context, Kernel, Mark, Marks, Profile};
use crate::error::{Error, Result};
use std::sync::Arc;

/// How many workgroups a step runs.
#[derive(Clone, Debug)]
pub(crate) enum Groups {
    /// Known on the host.
    Direct([u32; 3]),
    /// Three `u32` in a buffer, at a byte offset.
    Indirect(wgpu::Buffer, u64),
}

/// What a step binds, in the order of the kernel's bindings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bind<'a> {
    /// A whole buffer.
    Buffer(&'a wgpu::Buffer),
    /// A texture to load from.
    View(&'a wgpu::TextureView),
}

#[derive(Clone, Debug)]
struct Step {
    kernel: Arc<Kernel>,
    bind_group: wgpu::BindGroup,
    groups: Groups,
}

#[derive(Clone, Debug)]
enum Entry {
    Mark(Mark),
    Step(Step),
}

/// Steps ready to be encoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    entries: Vec<Entry>,
}

impl Recording {
    /// Number of dispatches.
    pub(crate) fn dispatches(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Entry::Step(_))).count()
    }

    /// Number of marks, which bounds the timestamps written.
    pub(crate) fn marks(&self) -> Marks {
        let mut marks = Marks::default();
        for entry in &self.entries {
            match entry {
                Entry::Mark(Mark::Layer { .. }) => marks.layers += 1,
                Entry::Mark(_) => marks.stages += 1,
                Entry::Step(_) => {}
            }
        }
        marks
    }

    /// Appends the steps of another recording.
    pub(crate) fn append(&mut self, other: &Self) {
        self.entries.extend(other.entries.iter().cloned());
    }
}

/// Encodes recordings into one compute pass, with timestamps at the marks for which `profile` has room.
pub(crate) fn encode(
    encoder: &mut wgpu::CommandEncoder,
    recordings: &[&Recording],
    mut profile: Option<&mut Profile>,
) {
    let mut pass = encoder
        .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("tilehawk"), timestamp_writes: None });
    for entry in recordings.iter().flat_map(|recording| &recording.entries) {
        match entry {
            Entry::Mark(mark) => {
                if let Some(profile) = profile.as_deref_mut() {
                    profile.mark(&mut pass, *mark);
                }
            }
            Entry::Step(step) => {
                pass.set_pipeline(&step.kernel.pipeline);
                pass.set_bind_group(0, &step.bind_group, &[]);
                match &step.groups {
                    Groups::Direct([x, y, z]) => pass.dispatch_workgroups(*x, *y, *z),
                    Groups::Indirect(buffer, offset) => pass.dispatch_workgroups_indirect(buffer, *offset),
                }
            }
        }
    }
    if let Some(profile) = profile {
        profile.mark(&mut pass, Mark::End);
    }
}

/// Makes a [`Recording`].
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    /// Where buffers and kernels come from.
    pub(crate) context: &'a Context,
    recording: Recording,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self { context, recording: Recording::default() }
    }

    /// All that follows belongs to this stage in profiles.
    pub(crate) fn stage(&mut self, name: &'static str) {
        self.recording.entries.push(Entry::Mark(Mark::Stage(name)));
    }

    /// All that follows, for `tiles` tiles, belongs to this node of the network in profiles of layers.
    pub(crate) fn layer(&mut self, node: usize, tiles: u32) {
        let node = u32::try_from(node).unwrap_or(u32::MAX);
        self.recording.entries.push(Entry::Mark(Mark::Layer { node, tiles }));
    }

    /// A uniform buffer with a kernel's parameters.
    pub(crate) fn uniform<T: bytemuck::Pod>(&self, value: &T) -> Result<wgpu::Buffer> {
        self.context.buffer_with("parameters", bytemuck::bytes_of(value), wgpu::BufferUsages::UNIFORM)
    }

    /// Appends a dispatch; one of no workgroups is left out.
    pub(crate) fn dispatch(
        &mut self,
        kernel: &Arc<Kernel>,
        binds: &[Bind<'_>],
        groups: Groups,
    ) -> Result<()> {
        let name = kernel.spec.name;
        if binds.len() != kernel.spec.bindings.len() {
            let names: Vec<&str> = kernel.spec.bindings.iter().map(|binding| binding.name).collect();
            return Err(Error::device(format!(
                "kernel \"{name}\" got {} bindings for {names:?}",
                binds.len()
            )));
        }
        if let Groups::Direct(groups) = &groups {
            let limit = self.context.limits().max_compute_workgroups_per_dimension;
            if groups.iter().any(|&count| count > limit) {
                return Err(Error::capacity(format!(
                    "kernel \"{name}\": {groups:?} workgroups exceed {limit}"
                )));
            }
            if groups.contains(&0) {
                return Ok(());
            }
        }
        let entries: Vec<wgpu::BindGroupEntry<'_>> = binds
            .iter()
            .zip(0..)
            .map(|(bind, binding)| wgpu::BindGroupEntry {
                binding,
                resource: match bind {
                    Bind::Buffer(buffer) => buffer.as_entire_binding(),
                    Bind::View(view) => wgpu::BindingResource::TextureView(view),
                },
            })
            .collect();
        let bind_group = self.context.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(name),
            layout: &kernel.layout,
            entries: &entries,
        });
        self.recording.entries.push(Entry::Step(Step { kernel: Arc::clone(kernel), bind_group, groups }));
        Ok(())
    }

    /// The steps recorded.
    pub(crate) fn finish(self) -> Recording {
        self.recording
    }
}

/// Workgroups for `count` invocations in one logical dimension, folded into x and y; the shader's
/// `linear_id` unfolds them.
pub(crate) fn groups_1d(count: u64, workgroup: u32) -> Groups {
    const MAX: u64 = 65_535;
    let groups = count.div_ceil(u64::from(workgroup));
    let y = groups.div_ceil(MAX);
    let x = if y == 0 { 0 } else { groups.div_ceil(y) };
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    Groups::Direct([narrow(x), narrow(y), 1])
}
