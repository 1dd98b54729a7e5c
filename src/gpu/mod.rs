//! The GPU layer: device, kernels, recording, read-back. Knows nothing of boxes.

mod adapter;
mod context;
mod kernel;
mod matrices;
mod profile;
mod readback;
mod recorder;
mod shader;
mod staging;
#[cfg(test)]
pub(crate) mod testing;
mod timing;
mod tunings;

pub use context::{Context, ContextOptions};
#[cfg(test)]
pub(crate) use kernel::Access;
pub(crate) use kernel::{Binding, Kernel, KernelSpec, Variant};
pub(crate) use matrices::Matrices;
pub use profile::{LayerTime, StageTime};
pub(crate) use profile::{Mark, Marks, Profile};
pub(crate) use readback::{MapSignal, map_read};
pub(crate) use recorder::{Bind, Groups, Recorder, Recording, encode, groups_1d};
pub(crate) use shader::expand;
pub(crate) use staging::{Staged, StagingRing};
pub(crate) use timing::{Elapsed, time};
pub use tunings::Tunings;
