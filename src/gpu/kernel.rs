//! A kernel is declared once, as a [`KernelSpec`] beside its shader; a [`Variant`] fills its template.

use super::{Context, expand};
use crate::error::Result;
use minijinja::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// How a kernel uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
    Uniform,
    Texture,
}

/// One binding of group 0; its index is its position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) name: &'static str,
    pub(crate) access: Access,
}

impl Binding {
    pub(crate) const fn read(name: &'static str) -> Self {
        Self { name, access: Access::Read }
    }

    pub(crate) const fn write(name: &'static str) -> Self {
        Self { name, access: Access::ReadWrite }
    }

    pub(crate) const fn uniform(name: &'static str) -> Self {
        Self { name, access: Access::Uniform }
    }

    pub(crate) const fn texture(name: &'static str) -> Self {
        Self { name, access: Access::Texture }
    }
}

/// The declaration of a kernel: entry point `main`, bindings in group 0.
#[derive(Debug)]
pub(crate) struct KernelSpec {
    /// File stem, module name, label and profile row.
    pub(crate) name: &'static str,
    /// Template of the WGSL source.
    pub(crate) source: &'static str,
    /// `@workgroup_size`, given to the template as `wg_x`, `wg_y`, `wg_z`.
    pub(crate) workgroup: [u32; 3],
    /// Bindings in order.
    pub(crate) bindings: &'static [Binding],
}

/// Values for a kernel's template; always holds `f16`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variant {
    values: BTreeMap<&'static str, Value>,
}

impl Variant {
    /// Storage as f16 (`true`) or f32: gives the template `enable`, `e1`, `e4` and `f16`.
    pub(crate) fn storage(f16: bool) -> Self {
        Self::default().with("f16", f16)
    }

    pub(crate) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.values.insert(key, value.into());
        self
    }

    fn key(&self) -> String {
        self.values.iter().map(|(key, value)| format!("{key}={value};")).collect()
    }
}

impl KernelSpec {
    /// The WGSL of a variant.
    pub(crate) fn wgsl(&self, variant: &Variant) -> Result<String> {
        let mut values = variant.values.clone();
        let f16 = values.get("f16").is_some_and(Value::is_true);
        values.insert("f16", Value::from(f16));
        values.insert("enable", Value::from(if f16 { "enable f16;" } else { "" }));
        values.insert("e1", Value::from(if f16 { "f16" } else { "f32" }));
        values.insert("e4", Value::from(if f16 { "vec4<f16>" } else { "vec4<f32>" }));
        for (key, size) in ["wg_x", "wg_y", "wg_z"].into_iter().zip(self.workgroup) {
            values.insert(key, Value::from(size));
        }
        expand(self.name, self.source, &values)
    }

    fn layout_entries(&self) -> Vec<wgpu::BindGroupLayoutEntry> {
        let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
        let entry = |(index, binding): (usize, &Binding)| wgpu::BindGroupLayoutEntry {
            binding: u32::try_from(index).unwrap_or(u32::MAX),
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: match binding.access {
                Access::Read => buffer(wgpu::BufferBindingType::Storage { read_only: true }),
                Access::ReadWrite => buffer(wgpu::BufferBindingType::Storage { read_only: false }),
                Access::Uniform => buffer(wgpu::BufferBindingType::Uniform),
                Access::Texture => wgpu::BindingType::Texture {
                    sample_type: wgpu::TextureSampleType::Float { filterable: false },
                    view_dimension: wgpu::TextureViewDimension::D2,
                    multisampled: false,
                },
            },
            count: None,
        };
        self.bindings.iter().enumerate().map(entry).collect()
    }
}

/// A compiled variant of a kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) spec: &'static KernelSpec,
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
}

impl Kernel {
    fn compile(context: &Context, spec: &'static KernelSpec, variant: &Variant) -> Result<Self> {
        let source = spec.wgsl(variant)?;
        let device = context.device();
        context.checked(&format!("kernel \"{}\"", spec.name), || {
            let descriptor = wgpu::ShaderModuleDescriptor {
                label: Some(spec.name),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            };
            let module = if context.is_unchecked() {
                unchecked_module(device, descriptor)
            } else {
                device.create_shader_module(descriptor)
            };
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(spec.name),
                entries: &spec.layout_entries(),
            });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(spec.name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(spec.name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: context.pipeline_cache(),
            });
            Self { spec, pipeline, layout }
        })
    }
}

/// A module without checks of bounds and guards of loops.
#[expect(unsafe_code, reason = "wgpu asks for it where a shader might leave its buffers or never end")]
fn unchecked_module(
    device: &wgpu::Device,
    descriptor: wgpu::ShaderModuleDescriptor<'_>,
) -> wgpu::ShaderModule {
    let checks = wgpu::ShaderRuntimeChecks {
        bounds_checks: false,
        force_loop_bounding: false,
        ..wgpu::ShaderRuntimeChecks::checked()
    };
    // SAFETY: only kernels of this crate come here. Their indices are bounded by the sizes that their `record` gives them,
    // or by `arrayLength`, and their loops end by a count.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}

/// Compiled kernels by name and variant.
#[derive(Debug, Default)]
pub(super) struct KernelCache {
    kernels: Mutex<HashMap<(&'static str, String), Arc<Kernel>>>,
}

impl KernelCache {
    pub(super) fn get(
        &self,
        context: &Context,
        spec: &'static KernelSpec,
        variant: &Variant,
    ) -> Result<Arc<Kernel>> {
        let key = (spec.name, variant.key());
        let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = kernels.get(&key) {
            return Ok(Arc::clone(kernel));
        }
        let kernel = Arc::new(Kernel::compile(context, spec, variant)?);
        kernels.insert(key, Arc::clone(&kernel));
        Ok(kernel)
    }
}
