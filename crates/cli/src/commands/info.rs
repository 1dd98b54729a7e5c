//! `info`: what devices there are.

use crate::args::{DeviceArgs, InfoArgs};
use crate::failure::{Failure, Outcome, print_line};
use serde::Serialize;
use tilehawk::gpu::Context;
use tilehawk::wgpu::{Adapter, CooperativeMatrixProperties, CooperativeScalarType, Features};

#[derive(Debug, Serialize)]
struct AdapterEntry {
    name: String,
    backend: String,
    kind: String,
    driver: String,
    features: FeatureEntry,
    limits: LimitEntry,
    matrices: Vec<MatrixEntry>,
}

#[derive(Debug, Serialize)]
struct FeatureEntry {
    f16: bool,
    subgroups: bool,
    timestamps: bool,
}

#[derive(Debug, Serialize)]
struct LimitEntry {
    max_buffer_bytes: u64,
    max_storage_binding_bytes: u64,
    max_storage_buffers: u32,
    max_texture_side: u32,
    max_workgroup_bytes: u32,
    max_workgroup_invocations: u32,
    max_workgroups: u32,
    subgroup_sizes: [u32; 2],
}

/// Cooperative matrices: the product of m x k and k x n, added to m x n.
#[derive(Debug, Serialize)]
struct MatrixEntry {
    m: u32,
    n: u32,
    k: u32,
    factors: &'static str,
    sums: &'static str,
    saturating: bool,
}

impl MatrixEntry {
    fn new(shape: &CooperativeMatrixProperties) -> Self {
        Self {
            m: shape.m_size,
            n: shape.n_size,
            k: shape.k_size,
            factors: scalar(shape.ab_type),
            sums: scalar(shape.cr_type),
            saturating: shape.saturating_accumulation,
        }
    }

    fn text(&self) -> String {
        let Self { m, n, k, factors, sums, saturating } = self;
        format!("{m}x{n}x{k} {factors} to {sums}{}", if *saturating { " saturating" } else { "" })
    }
}

fn scalar(scalar: CooperativeScalarType) -> &'static str {
    match scalar {
        CooperativeScalarType::F32 => "f32",
        CooperativeScalarType::F16 => "f16",
        CooperativeScalarType::I32 => "i32",
        CooperativeScalarType::U32 => "u32",
    }
}

impl AdapterEntry {
    fn new(adapter: &Adapter) -> Self {
        let (info, features, limits) = (adapter.get_info(), adapter.features(), adapter.limits());
        Self {
            name: info.name,
            backend: format!("{:?}", info.backend).to_lowercase(),
            kind: format!("{:?}", info.device_type),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            features: FeatureEntry {
                f16: features.contains(Features::SHADER_F16),
                subgroups: features.contains(Features::SUBGROUP),
                timestamps: features.contains(Features::TIMESTAMP_QUERY),
            },
            limits: LimitEntry {
                max_buffer_bytes: limits.max_buffer_size,
                max_storage_binding_bytes: limits.max_storage_buffer_binding_size,
                max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
                max_texture_side: limits.max_texture_dimension_2d,
                max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
                max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
                max_workgroups: limits.max_compute_workgroups_per_dimension,
                subgroup_sizes: [info.subgroup_min_size, info.subgroup_max_size],
            },
            matrices: adapter.cooperative_matrix_properties().iter().map(MatrixEntry::new).collect(),
        }
    }

    fn lines(&self) -> String {
        let yes = |flag: bool| if flag { "yes" } else { "no" };
        let (features, limits) = (&self.features, &self.limits);
        let mib = |bytes: u64| bytes >> 20;
        let matrices: Vec<String> = self.matrices.iter().map(MatrixEntry::text).collect();
        format!(
            "{}\n  {}, {}, driver: {}\n  f16 {}, subgroups {} ({} to {} wide), timestamps {}\n  \
             buffer {} MiB, storage binding {} MiB, {} storage buffers a stage, texture side {}\n  \
             workgroup {} invocations and {} bytes, {} workgroups an axis\n  \
             cooperative matrices (m x n x k): {}",
            self.name,
            self.backend,
            self.kind,
            if self.driver.is_empty() { "unknown" } else { &self.driver },
            yes(features.f16),
            yes(features.subgroups),
            limits.subgroup_sizes[0],
            limits.subgroup_sizes[1],
            yes(features.timestamps),
            mib(limits.max_buffer_bytes),
            mib(limits.max_storage_binding_bytes),
            limits.max_storage_buffers,
            limits.max_texture_side,
            limits.max_workgroup_invocations,
            limits.max_workgroup_bytes,
            limits.max_workgroups,
            if matrices.is_empty() { "none".to_owned() } else { matrices.join(", ") }
        )
    }
}

/// Lists the adapters that `--adapter` and `--backend` leave; none is a failure.
pub(crate) fn run(args: &InfoArgs, device: &DeviceArgs) -> Outcome<()> {
    let named = device.adapter.clone().or_else(|| std::env::var("WGPU_ADAPTER_NAME").ok());
    let wanted = named.map(|name| name.to_lowercase());
    let adapters: Vec<AdapterEntry> = Context::adapters(device.backend.map(crate::args::Backend::flags))
        .iter()
        .map(AdapterEntry::new)
        .filter(|entry| wanted.as_ref().is_none_or(|name| entry.name.to_lowercase().contains(name)))
        .collect();
    if args.json {
        print_line(&serde_json::json!({ "adapters": adapters }).to_string())?;
    } else {
        for adapter in &adapters {
            print_line(&adapter.lines())?;
        }
    }
    if adapters.is_empty() {
        if let Some(name) = wanted {
            return Err(Failure::Bad(format!(
                "no adapter has \"{name}\" in its name; `tilehawk info` without --adapter and WGPU_ADAPTER_NAME lists all"
            )));
        }
        return Err(Failure::Bad(
            "no adapter found; install a driver: on Debian or Ubuntu `apt-get install mesa-vulkan-drivers` brings a software one"
                .to_owned(),
        ));
    }
    Ok(())
}
