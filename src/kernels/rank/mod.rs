//! Scan, sort and compaction.

pub(crate) mod scan;
