//! One module per shader, in the shaders' folders. Each declares its [`KernelSpec`](crate::gpu::KernelSpec)
//! as `KERNEL`, lists the variants it is used in, and offers a typed `record`, the only way to run it.

pub(crate) mod bench;
pub(crate) mod decode;
pub(crate) mod merge;
pub(crate) mod nn;
pub(crate) mod preprocess;
pub(crate) mod rank;

#[cfg(test)]
mod shader_tests;

/// Every kernel with every variant that can be asked for, for the shader tests.
#[cfg(test)]
pub(crate) fn all() -> Vec<(&'static crate::gpu::KernelSpec, Vec<crate::gpu::Variant>)> {
    let mut all = vec![
        (&bench::copy::KERNEL, bench::copy::variants()),
        (&bench::fma::KERNEL, bench::fma::variants()),
        (&decode::dense::KERNEL, decode::dense::variants()),
        (&decode::gfl::KERNEL, decode::gfl::variants()),
        (&decode::yolox::KERNEL, decode::yolox::variants()),
        (&merge::bucket_crowd::KERNEL, merge::bucket_crowd::variants()),
        (&merge::bucket_fill::KERNEL, merge::bucket_fill::variants()),
        (&merge::bucket_key::KERNEL, merge::bucket_key::variants()),
        (&merge::claim::KERNEL, merge::claim::variants()),
        (&merge::claim_key::KERNEL, merge::claim_key::variants()),
        (&merge::fold::KERNEL, merge::fold::variants()),
        (&merge::fold_args::KERNEL, merge::fold_args::variants()),
        (&merge::group_args::KERNEL, merge::group_args::variants()),
        (&merge::group_key::KERNEL, merge::group_key::variants()),
        (&merge::group_key::KERNEL_LISTED, merge::group_key::variants_listed()),
        (&merge::jump::KERNEL, merge::jump::variants()),
        (&merge::kept_count::KERNEL, merge::kept_count::variants()),
        (&merge::kept_scatter::KERNEL, merge::kept_scatter::variants()),
        (&merge::kept_scatter::KERNEL_SCORED, merge::kept_scatter::variants_scored()),
        (&merge::merge_finish::KERNEL, merge::merge_finish::variants()),
        (&merge::merge_reset::KERNEL, merge::merge_reset::variants()),
        (&merge::merge_start::KERNEL, merge::merge_start::variants()),
        (&merge::output_key::KERNEL, merge::output_key::variants()),
        (&merge::output_order::KERNEL, merge::output_order::variants()),
        (&merge::resolve::KERNEL, merge::resolve::variants()),
        (&merge::round_args::KERNEL, merge::round_args::variants()),
        (&merge::settle::KERNEL, merge::settle::variants()),
        (&merge::soft_pick::KERNEL, merge::soft_pick::variants()),
        (&merge::soft_reset::KERNEL, merge::soft_reset::variants()),
        (&merge::soft_update::KERNEL, merge::soft_update::variants()),
        (&merge::soft_visit::KERNEL, merge::soft_visit::variants()),
        (&merge::soft_visit::KERNEL_FADES, merge::soft_visit::variants_fades()),
        (&merge::visit::KERNEL, merge::visit::variants()),
        (&merge::visit::KERNEL_UP, merge::visit::variants_up()),
        (&nn::add::KERNEL, nn::add::variants()),
        (&nn::binary::KERNEL, nn::binary::variants()),
        (&nn::channels::KERNEL, nn::channels::variants()),
        (&nn::constant::KERNEL, nn::constant::variants()),
        (&nn::conv::KERNEL, nn::conv::variants()),
        (&nn::conv_depthwise::KERNEL, nn::conv_depthwise::variants()),
        (&nn::conv_gathered::KERNEL, nn::conv_gathered::variants()),
        (&nn::conv_grouped::KERNEL, nn::conv_grouped::variants()),
        (&nn::conv_pointwise::KERNEL, nn::conv_pointwise::variants()),
        (&nn::conv_row::KERNEL, nn::conv_row::variants()),
        (&nn::conv_separable::KERNEL, nn::conv_separable::variants()),
        (&nn::conv_transpose::KERNEL, nn::conv_transpose::variants()),
        (&nn::join::KERNEL, nn::join::variants()),
        (&nn::matmul::KERNEL, nn::matmul::variants()),
        (&nn::pool::KERNEL, nn::pool::variants()),
        (&nn::rearrange::KERNEL, nn::rearrange::variants()),
        (&nn::reduce::KERNEL, nn::reduce::variants()),
        (&nn::reduce::KERNEL_WIDE, nn::reduce::variants_wide()),
        (&nn::resize::KERNEL, nn::resize::variants()),
        (&nn::sample::KERNEL, nn::sample::variants()),
        (&nn::softmax::KERNEL, nn::softmax::variants()),
        (&nn::softmax::KERNEL_WIDE, nn::softmax::variants_wide()),
        (&preprocess::resample::KERNEL, preprocess::resample::variants()),
        (&preprocess::resample_texture::KERNEL, preprocess::resample_texture::variants()),
        (&preprocess::stem::KERNEL, preprocess::stem::variants()),
        (&preprocess::stem::KERNEL_TEXTURE, preprocess::stem::variants_texture()),
        (&rank::admit::KERNEL, rank::admit::variants()),
        (&rank::begin::KERNEL, rank::begin::variants()),
        (&rank::compact_advance::KERNEL, rank::compact_advance::variants()),
        (&rank::compact_count::KERNEL, rank::compact_count::variants()),
        (&rank::compact_scatter::KERNEL, rank::compact_scatter::variants()),
        (&rank::radix_count::KERNEL, rank::radix_count::variants()),
        (&rank::radix_scatter::KERNEL, rank::radix_scatter::variants()),
        (&rank::rank_args::KERNEL, rank::rank_args::variants()),
        (&rank::rank_chain_args::KERNEL, rank::rank_chain_args::variants()),
        (&rank::rank_key::KERNEL, rank::rank_key::variants()),
        (&rank::rank_ties::KERNEL, rank::rank_ties::variants()),
        (&rank::scan::KERNEL, rank::scan::variants()),
        (&rank::scan_live::KERNEL, rank::scan_live::variants()),
    ];
    all.extend(nn::conv_matrix::KERNELS.iter().map(|kernel| (kernel, nn::conv_matrix::variants(kernel))));
    all
}
