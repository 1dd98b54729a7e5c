//! One module per shader, in the shaders' folders. Each declares its [`KernelSpec`](crate::gpu::KernelSpec)
//! as `KERNEL`, lists the variants it is used in, and offers a typed `record`, the only way to run it.

pub(crate) mod rank;

use crate::gpu::{KernelSpec, Variant};

/// Every kernel with every variant that can be asked for, for the shader tests.
pub(crate) fn all() -> Vec<(&'static KernelSpec, Vec<Variant>)> {
    vec![(&rank::scan::KERNEL, rank::scan::variants())]
}
