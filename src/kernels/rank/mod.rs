//! Scan, sort and compaction.

pub(crate) mod admit;
pub(crate) mod begin;
pub(crate) mod compact_advance;
pub(crate) mod compact_count;
pub(crate) mod compact_scatter;
pub(crate) mod radix_count;
pub(crate) mod radix_scatter;
pub(crate) mod rank_args;
pub(crate) mod rank_chain_args;
pub(crate) mod rank_key;
pub(crate) mod rank_ties;
pub(crate) mod scan;
pub(crate) mod scan_live;

/// Slots per block of a compaction: one workgroup.
pub(crate) const COMPACT_BLOCK: u32 = 256;

/// Sizes of a compaction, shared by its kernels.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct CompactParams {
    slots: u32,
    blocks: u32,
    pad: [u32; 2],
}

impl CompactParams {
    /// For `slots` slots.
    pub(crate) fn new(slots: u32) -> Self {
        Self { slots, blocks: slots.div_ceil(COMPACT_BLOCK), pad: [0; 2] }
    }

    /// Blocks of the compaction.
    pub(crate) fn blocks(&self) -> u32 {
        self.blocks
    }
}
