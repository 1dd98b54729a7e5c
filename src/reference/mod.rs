//! Plain CPU versions of what the GPU computes, for tests: slow, simple, f32.

pub mod network;
