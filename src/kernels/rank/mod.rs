//! Scan, sort and compaction.

pub(crate) mod radix_count;
pub(crate) mod radix_scatter;
pub(crate) mod rank_args;
pub(crate) mod rank_chain_args;
pub(crate) mod rank_key;
pub(crate) mod rank_ties;
pub(crate) mod scan;
pub(crate) mod scan_live;
