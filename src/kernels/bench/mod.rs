//! Work of a known size, to measure what a device can do.

pub(crate) mod copy;
pub(crate) mod fma;
