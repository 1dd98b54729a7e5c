//! One file per command.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod detect;
pub(crate) mod eval;
pub(crate) mod fusion_factors;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod merge;
pub(crate) mod slice_dataset;
pub(crate) mod tiles;
