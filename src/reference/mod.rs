//! CPU oracles of the stages, for tests.

pub mod merge;
