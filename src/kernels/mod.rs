//! One module per shader, in the shaders' folders. Each declares its [`KernelSpec`](crate::gpu::KernelSpec)
//! as `KERNEL`, lists the variants it is used in, and offers a typed `record`, the only way to run it.

pub(crate) mod merge;
pub(crate) mod rank;

use crate::gpu::{KernelSpec, Variant};

/// Every kernel with every variant that can be asked for, for the shader tests.
pub(crate) fn all() -> Vec<(&'static KernelSpec, Vec<Variant>)> {
    vec![
        (&rank::scan::KERNEL, rank::scan::variants()),
        (&rank::scan_live::KERNEL, rank::scan_live::variants()),
        (&rank::rank_args::KERNEL, rank::rank_args::variants()),
        (&rank::rank_key::KERNEL, rank::rank_key::variants()),
        (&rank::radix_count::KERNEL, rank::radix_count::variants()),
        (&rank::radix_scatter::KERNEL, rank::radix_scatter::variants()),
        (&rank::rank_ties::KERNEL, rank::rank_ties::variants()),
        (&rank::rank_chain_args::KERNEL, rank::rank_chain_args::variants()),
        (&merge::merge_start::KERNEL, merge::merge_start::variants()),
        (&merge::merge_reset::KERNEL, merge::merge_reset::variants()),
        (&merge::bucket_key::KERNEL, merge::bucket_key::variants()),
        (&merge::bucket_fill::KERNEL, merge::bucket_fill::variants()),
        (&merge::bucket_crowd::KERNEL, merge::bucket_crowd::variants()),
        (&merge::round_args::KERNEL, merge::round_args::variants()),
        (&merge::visit::KERNEL, merge::visit::variants()),
        (&merge::visit::KERNEL_UP, merge::visit::variants_up()),
        (&merge::resolve::KERNEL, merge::resolve::variants()),
        (&merge::kept_count::KERNEL, merge::kept_count::variants()),
        (&merge::kept_scatter::KERNEL, merge::kept_scatter::variants()),
        (&merge::merge_finish::KERNEL, merge::merge_finish::variants()),
    ]
}
