//! Which adapter is opened.

use super::ContextOptions;
use crate::error::{Error, Result};

/// The backends of `WGPU_BACKEND`, else all.
pub(super) fn wanted_backends() -> wgpu::Backends {
    wgpu::Backends::from_env().unwrap_or(wgpu::Backends::all())
}

/// An instance that asks these backends.
pub(super) fn instance(backends: wgpu::Backends) -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends = backends;
    // It would add a validation dispatch to each indirect one; our arguments are written by our own kernels.
    if std::env::var_os("WGPU_VALIDATION_INDIRECT_CALL").is_none() {
        descriptor.flags.remove(wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL);
    }
    wgpu::Instance::new(descriptor)
}

/// The adapter asked for, or the one of the fastest kind.
pub(super) async fn choose_adapter(options: &ContextOptions) -> Result<wgpu::Adapter> {
    let backends = options.backends.unwrap_or_else(wanted_backends);
    if backends.is_empty() {
        let given = std::env::var("WGPU_BACKEND").unwrap_or_default();
        return Err(Error::input(format!(
            "no backend is called \"{given}\" (WGPU_BACKEND): give vulkan, metal, dx12 or gl"
        )));
    }
    let name = options.adapter.clone().or_else(|| std::env::var("WGPU_ADAPTER_NAME").ok());
    let is_wanted = |adapter: &wgpu::Adapter| {
        let found = adapter.get_info().name.to_lowercase();
        name.as_ref().is_none_or(|name| found.contains(&name.to_lowercase())) && can_compute(adapter)
    };
    let mut found = Vec::new();
    // GL is asked only where nothing else answers: it is the slowest to start, and its loaders write to stderr.
    for backends in [backends - wgpu::Backends::GL, backends & wgpu::Backends::GL] {
        if backends.is_empty() {
            continue;
        }
        let mut adapters = instance(backends).enumerate_adapters(backends).await;
        found.extend(adapters.iter().map(|adapter| describe(&adapter.get_info())));
        adapters.retain(is_wanted);
        adapters.sort_by_key(|adapter| rank(&adapter.get_info()));
        if let Some(adapter) = adapters.into_iter().next() {
            return Ok(adapter);
        }
    }
    let wanted = name.map(|name| format!(" named like \"{name}\"")).unwrap_or_default();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    Err(Error::device(format!(
        "no adapter{wanted} that can compute (backends {backends:?}; found: {found}); \
         install a driver: on Debian or Ubuntu `apt-get install mesa-vulkan-drivers` brings a software one"
    )))
}

fn can_compute(adapter: &wgpu::Adapter) -> bool {
    let flags = adapter.get_downlevel_capabilities().flags;
    flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        && adapter.limits().max_storage_buffers_per_shader_stage >= 8
        && adapter.limits().max_compute_invocations_per_workgroup >= 256
}

fn describe(info: &wgpu::AdapterInfo) -> String {
    format!("{} ({})", info.name, info.backend)
}

/// Real hardware first.
fn rank(info: &wgpu::AdapterInfo) -> u8 {
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}
