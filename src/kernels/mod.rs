//! One module per shader, in the shaders' folders. Each declares its [`KernelSpec`](crate::gpu::KernelSpec)
//! as `KERNEL`, lists the variants it is used in, and offers a typed `record`, the only way to run it.

pub(crate) mod decode;
pub(crate) mod nn;
pub(crate) mod preprocess;
pub(crate) mod rank;

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod shader_tests;

/// Every kernel with every variant that can be asked for, for the shader tests.
#[cfg(test)]
pub(crate) fn all() -> Vec<(&'static crate::gpu::KernelSpec, Vec<crate::gpu::Variant>)> {
    vec![
        (&nn::add::KERNEL, nn::add::variants()),
        (&nn::channels::KERNEL, nn::channels::variants()),
        (&nn::conv::KERNEL, nn::conv::variants()),
        (&nn::conv_depthwise::KERNEL, nn::conv_depthwise::variants()),
        (&nn::conv_grouped::KERNEL, nn::conv_grouped::variants()),
        (&nn::conv_pointwise::KERNEL, nn::conv_pointwise::variants()),
        (&nn::pool::KERNEL, nn::pool::variants()),
        (&nn::resize::KERNEL, nn::resize::variants()),
        (&preprocess::resample::KERNEL, preprocess::resample::variants()),
        (&preprocess::resample_texture::KERNEL, preprocess::resample_texture::variants()),
        (&decode::gfl::KERNEL, decode::gfl::variants()),
        (&decode::yolox::KERNEL, decode::yolox::variants()),
        (&rank::begin::KERNEL, rank::begin::variants()),
        (&rank::compact_advance::KERNEL, rank::compact_advance::variants()),
        (&rank::compact_count::KERNEL, rank::compact_count::variants()),
        (&rank::compact_scatter::KERNEL, rank::compact_scatter::variants()),
        (&rank::scan::KERNEL, rank::scan::variants()),
    ]
}
