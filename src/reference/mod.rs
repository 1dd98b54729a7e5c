//! CPU oracles of the stages, for tests: slow, simple, f32.

pub mod merge;
pub mod network;
