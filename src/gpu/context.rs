//! The device: our own from an adapter, or the caller's.

use super::adapter::{choose_adapter, instance, wanted_backends};
use super::kernel::KernelCache;
use super::matrices::{self, Matrices};
use super::{Kernel, KernelSpec, Tunings, Variant};
use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// Which adapter to open.
#[derive(Clone, Debug, Default)]
pub struct ContextOptions {
    /// Part of the adapter's name, case ignored; `None`: `WGPU_ADAPTER_NAME`, else the fastest kind.
    pub adapter: Option<String>,
    /// Backends to look at; `None`: `WGPU_BACKEND`, else all.
    pub backends: Option<wgpu::Backends>,
    /// Ask for WebGPU's default limits and no features, whatever the adapter offers.
    pub default_limits: bool,
    /// Let convolutions of f16 maps run on cooperative matrices where [`Detector::tune`](crate::Detector::tune) finds that
    /// faster. wgpu calls its interface to them experimental, so they are used only where asked for. Without effect where the
    /// device has none that fit ([`Context::matrix_side`] tells), or with `default_limits`.
    pub matrices: bool,
}

/// Whether steps share a dispatch where they can.
#[derive(Clone, Copy, Debug)]
enum Fusion {
    /// Unless one is found slower than two.
    Default(bool),
    /// Whatever was found.
    Fixed(bool),
}

/// A device and its queue with the kernels compiled so far. Cheap to clone; `Send + Sync`.
#[derive(Clone, Debug)]
pub struct Context {
    inner: Arc<Inner>,
    /// Whether steps share a dispatch where they can.
    fusion: Fusion,
}

#[derive(Debug)]
struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    features: wgpu::Features,
    kernels: KernelCache,
    tunings: Mutex<Tunings>,
    unchecked: bool,
    matrices: Option<Matrices>,
    pipeline_cache: Option<wgpu::PipelineCache>,
    lost: Arc<Mutex<Option<String>>>,
}

/// Features that are used where they exist and never required.
const WANTED: wgpu::Features = wgpu::Features::SHADER_F16
    .union(wgpu::Features::PIPELINE_CACHE)
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS)
    .union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_PASSES);

impl Context {
    /// Opens an adapter.
    ///
    /// # Errors
    /// `Device` if no adapter fits, naming those that exist, or the device cannot be made.
    pub fn new(options: &ContextOptions) -> Result<Self> {
        pollster::block_on(Self::new_async(options))
    }

    /// [`Context::new`] without blocking.
    ///
    /// # Errors
    /// As [`Context::new`].
    pub async fn new_async(options: &ContextOptions) -> Result<Self> {
        let adapter = choose_adapter(options).await?;
        let (mut features, limits) = if options.default_limits {
            (wgpu::Features::empty(), wgpu::Limits::default())
        } else {
            (adapter.features() & WANTED, adapter.limits())
        };
        let wants_matrices = options.matrices && !options.default_limits;
        let matrices = Some(&adapter).filter(|_| wants_matrices).and_then(Matrices::of);
        let mut experimental_features = wgpu::ExperimentalFeatures::disabled();
        if matrices.is_some() {
            features |= matrices::NEEDED;
            experimental_features = matrices::experimental();
        } else if options.matrices {
            log::warn!("{} has no cooperative matrices that fit", adapter.get_info().name);
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("tilehawk"),
            required_features: features,
            required_limits: limits,
            experimental_features,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| Error::device(format!("adapter \"{}\": {e}", adapter.get_info().name)))?;
        let context = Self::with_matrices(device, queue, matrices)?;
        let lost = Arc::clone(&context.inner.lost);
        context.inner.device.set_device_lost_callback(move |reason, message| {
            *lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{reason:?}: {message}"));
        });
        Ok(context)
    }

    /// Uses the caller's device. Its error handler and device-lost callback are left alone. Cooperative matrices are not used.
    ///
    /// # Errors
    /// `Unsupported` if the device's limits are below what WebGPU guarantees for compute.
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        Self::with_matrices(device, queue, None)
    }

    fn with_matrices(device: wgpu::Device, queue: wgpu::Queue, matrices: Option<Matrices>) -> Result<Self> {
        let limits = device.limits();
        if limits.max_storage_buffers_per_shader_stage < 8
            || limits.max_compute_invocations_per_workgroup < 256
        {
            return Err(Error::unsupported(format!(
                "the device allows {} storage buffers a stage and {} invocations a workgroup; 8 and 256 are needed",
                limits.max_storage_buffers_per_shader_stage, limits.max_compute_invocations_per_workgroup
            )));
        }
        let info = device.adapter_info();
        let inner = Inner {
            tunings: Mutex::new(Tunings::new(&info, device.features(), false, matrices)),
            info,
            features: device.features(),
            limits,
            device,
            queue,
            kernels: KernelCache::default(),
            unchecked: false,
            matrices,
            pipeline_cache: None,
            lost: Arc::default(),
        };
        let fusion = Fusion::Default(inner.info.device_type != wgpu::DeviceType::Cpu);
        Ok(Self { inner: Arc::new(inner), fusion })
    }

    /// The same device, with kernels that are compiled without run-time checks: no bounds of buffers, no guard against
    /// endless loops. Results are the same; how much it gains depends on the driver, and `tilehawk bench` tells.
    ///
    /// The checks guard against faults of this library: no input makes a kernel leave its buffers. Kernels and tunings are kept
    /// apart from those of this context.
    #[must_use]
    pub fn without_shader_checks(&self) -> Self {
        self.variant(true, self.inner.matrices, self.inner.pipeline_cache.clone())
    }

    /// The same device, which makes its pipelines through `cache`: those whose code the cache holds are not compiled again, and
    /// the code of others is added to it. Only Vulkan has such caches ([`wgpu::Features::PIPELINE_CACHE`]), and drivers that keep
    /// their compiled code in files of their own may leave it empty. [`wgpu::Device::create_pipeline_cache`] makes one from what
    /// [`wgpu::PipelineCache::get_data`] returned in an earlier run. Kernels and tunings are kept apart from those of this context.
    #[must_use]
    pub fn with_pipeline_cache(&self, cache: wgpu::PipelineCache) -> Self {
        self.variant(self.inner.unchecked, self.inner.matrices, Some(cache))
    }

    /// The cache that pipelines are made through.
    #[must_use]
    pub fn pipeline_cache(&self) -> Option<&wgpu::PipelineCache> {
        self.inner.pipeline_cache.as_ref()
    }

    /// The same device, with other kernels and tunings.
    fn variant(
        &self,
        unchecked: bool,
        matrices: Option<Matrices>,
        pipeline_cache: Option<wgpu::PipelineCache>,
    ) -> Self {
        let Inner { device, queue, info, limits, features, lost, .. } = &*self.inner;
        let inner = Inner {
            device: device.clone(),
            queue: queue.clone(),
            info: info.clone(),
            limits: limits.clone(),
            features: *features,
            kernels: KernelCache::default(),
            tunings: Mutex::new(Tunings::new(info, *features, unchecked, matrices)),
            unchecked,
            matrices,
            pipeline_cache,
            lost: Arc::clone(lost),
        };
        Self { inner: Arc::new(inner), fusion: self.fusion }
    }

    /// The same device, where what is made from now on computes two steps in one dispatch where it can (`true`), or each on
    /// its own (`false`): preprocessing with the first convolution, and a depthwise convolution with the 1x1 convolution that
    /// alone reads it. What lies between stays in workgroup memory. Without this call it is as was found fastest
    /// ([`Detector::tune`](crate::Detector::tune)), or else one on a GPU and two on a software adapter; always two where a
    /// workgroup has less than 16 KiB.
    ///
    /// Each value is computed by the same operations in the same order: results are the same unless a driver rounds an
    /// operation in one kernel other than in another. Kernels and tunings are shared with this context.
    #[must_use]
    pub fn with_fusion(&self, fused: bool) -> Self {
        Self { fusion: Fusion::Fixed(fused), ..self.clone() }
    }

    /// The same device, which computes steps in one dispatch unless it was found slower.
    #[cfg(test)]
    pub(crate) fn with_fusion_by_default(&self) -> Self {
        Self { fusion: Fusion::Default(true), ..self.clone() }
    }

    /// Whether steps may share a dispatch.
    pub(crate) fn fuses(&self) -> bool {
        let (Fusion::Default(fused) | Fusion::Fixed(fused)) = self.fusion;
        let usual = wgpu::Limits::default().max_compute_workgroup_storage_size;
        fused && self.inner.limits.max_compute_workgroup_storage_size >= usual
    }

    /// Whether steps that may share a dispatch need not.
    pub(crate) fn tunes_fusion(&self) -> bool {
        self.fuses() && matches!(self.fusion, Fusion::Default(_))
    }

    /// Whether the steps of a class of work share a dispatch.
    pub(crate) fn fuses_class(&self, class: &str) -> bool {
        self.fuses() && !(self.tunes_fusion() && self.tuned(class).as_deref() == Some(&[0]))
    }

    /// The same device as if it had cooperative matrices of `side` and subgroups of that size; ordinary code stands for them.
    #[cfg(test)]
    pub(crate) fn with_emulated_matrices(&self, side: u32, subgroup: u32) -> Self {
        let matrices = Matrices { side, subgroup, emulated: true };
        self.variant(self.inner.unchecked, Some(matrices), self.inner.pipeline_cache.clone())
    }

    /// Whether kernels are compiled without run-time checks.
    pub(crate) fn is_unchecked(&self) -> bool {
        self.inner.unchecked
    }

    /// All adapters of the backends asked for.
    #[must_use]
    pub fn adapters(backends: Option<wgpu::Backends>) -> Vec<wgpu::Adapter> {
        let backends = backends.unwrap_or_else(wanted_backends);
        pollster::block_on(instance(backends).enumerate_adapters(backends))
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    /// Name, kind and driver of the adapter.
    #[must_use]
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.inner.info
    }

    /// Whether the adapter computes on the CPU.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.inner.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Whether shaders may use 16-bit floats.
    #[must_use]
    pub fn has_f16(&self) -> bool {
        self.inner.features.contains(wgpu::Features::SHADER_F16)
    }

    /// Whether shaders may add within subgroups.
    #[must_use]
    pub fn has_subgroups(&self) -> bool {
        self.inner.features.contains(wgpu::Features::SUBGROUP)
    }

    /// Size of the subgroups, where kernels may use them and all have the same.
    pub(crate) fn subgroup(&self) -> Option<u32> {
        let (least, most) = (self.inner.info.subgroup_min_size, self.inner.info.subgroup_max_size);
        (self.has_subgroups() && least == most).then_some(least)
    }

    /// Cooperative matrices that convolutions may use.
    pub(crate) fn matrices(&self) -> Option<Matrices> {
        self.inner.matrices
    }

    /// Rows and columns of the cooperative matrices that [`Detector::tune`](crate::Detector::tune) may choose for convolutions:
    /// 8 or 16; `None` where they were not asked for ([`ContextOptions::matrices`]) or the device has none that fit: square, f16
    /// with sums in f32, and subgroups that all have the same number of invocations, 8 to 64.
    #[must_use]
    pub fn matrix_side(&self) -> Option<u32> {
        self.inner.matrices.map(|matrices| matrices.side)
    }

    /// What was found to be fastest on this device so far.
    #[must_use]
    pub fn tunings(&self) -> Tunings {
        self.inner.tunings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows these choices from now on where there are none yet; what was recorded before stays as it is.
    ///
    /// # Errors
    /// `Input` if they were found on another device, with another driver or by another version.
    pub fn add_tunings(&self, tunings: &Tunings) -> Result<()> {
        self.inner.tunings.lock().unwrap_or_else(PoisonError::into_inner).merge(tunings)
    }

    /// The choice for a class of work.
    pub(crate) fn tuned(&self, class: &str) -> Option<Vec<u32>> {
        let tunings = self.inner.tunings.lock().unwrap_or_else(PoisonError::into_inner);
        tunings.get(class).map(<[u32]>::to_vec)
    }

    /// Keeps the choice for a class of work.
    pub(crate) fn tune(&self, class: String, choice: Vec<u32>) {
        self.inner.tunings.lock().unwrap_or_else(PoisonError::into_inner).insert(class, choice);
    }

    /// Fills buffers with bytes, again and again, for trials.
    pub(crate) fn fill<'a>(
        &self,
        buffers: impl Iterator<Item = &'a wgpu::Buffer>,
        bytes: &[u8],
    ) -> Result<()> {
        let part = self.buffer_with("trial", bytes, wgpu::BufferUsages::COPY_SRC)?;
        self.checked("filling buffers", || {
            let descriptor = wgpu::CommandEncoderDescriptor::default();
            let mut encoder = self.device().create_command_encoder(&descriptor);
            for buffer in buffers {
                for at in (0..buffer.size()).step_by(bytes.len()) {
                    let len = part.size().min(buffer.size() - at);
                    encoder.copy_buffer_to_buffer(&part, 0, buffer, at, len);
                }
            }
            self.queue().submit([encoder.finish()]);
        })
    }

    /// Limits of the device.
    #[must_use]
    pub fn limits(&self) -> &wgpu::Limits {
        &self.inner.limits
    }

    /// Features of the device.
    #[must_use]
    pub fn features(&self) -> wgpu::Features {
        self.inner.features
    }

    /// Largest number of bytes one storage binding can hold, a multiple of 16.
    #[must_use]
    pub fn max_binding_bytes(&self) -> u64 {
        let limits = &self.inner.limits;
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(u64::from(u32::MAX)) & !15
    }

    /// The compiled kernel, made at its first use.
    pub(crate) fn kernel(&self, spec: &'static KernelSpec, variant: &Variant) -> Result<Arc<Kernel>> {
        self.inner.kernels.get(self, spec, variant)
    }

    /// Runs `work` and returns what the driver said of it as an error, not to the uncaptured-error handler.
    pub(crate) fn checked<T>(&self, place: &str, work: impl FnOnce() -> T) -> Result<T> {
        let filters =
            [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation];
        let scopes = filters.map(|filter| self.device().push_error_scope(filter));
        let value = work();
        let mut first = None;
        for scope in scopes.into_iter().rev() {
            first = pollster::block_on(scope.pop()).or(first);
        }
        match first {
            None => self.lost_error().map_or(Ok(value), Err),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(Error::capacity(format!(
                "{place}: the device is out of memory; lower the batch or the memory budget"
            ))),
            Some(error) => {
                Err(self.lost_error().unwrap_or_else(|| Error::device(format!("{place}: {error}"))))
            }
        }
    }

    /// The error to return if the device is known to be lost.
    pub(crate) fn lost_error(&self) -> Option<Error> {
        let lost = self.inner.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.as_ref()
            .map(|reason| Error::device(format!("the device was lost ({reason}); open a new context")))
    }

    /// A buffer, checked against the device's limits and memory.
    pub(crate) fn buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        let size = size.max(16).next_multiple_of(16);
        let limit = self.inner.limits.max_buffer_size;
        if size > limit || (usage.contains(wgpu::BufferUsages::STORAGE) && size > self.max_binding_bytes()) {
            return Err(Error::capacity(format!(
                "buffer \"{label}\" of {size} bytes is beyond the device's limit of {} bytes",
                limit.min(self.max_binding_bytes())
            )));
        }
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        self.checked(label, || self.device().create_buffer(&descriptor))
    }

    /// A buffer that holds `contents`.
    pub(crate) fn buffer_with(
        &self,
        label: &str,
        contents: &[u8],
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer> {
        let size = (contents.len() as u64).max(16).next_multiple_of(16);
        if usage.contains(wgpu::BufferUsages::STORAGE) && size > self.max_binding_bytes() {
            let limit = self.max_binding_bytes();
            return Err(Error::capacity(format!(
                "buffer \"{label}\" of {size} bytes is beyond the device's {limit}"
            )));
        }
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: true };
        let buffer = self.checked(label, || self.device().create_buffer(&descriptor))?;
        match buffer.get_mapped_range_mut(..contents.len() as u64) {
            Ok(mut view) => view.copy_from_slice(contents),
            Err(error) => {
                let lost = self.lost_error();
                return Err(lost.unwrap_or_else(|| Error::device(format!("buffer \"{label}\": {error}"))));
            }
        }
        buffer.unmap();
        Ok(buffer)
    }

    /// A storage buffer that can be copied to and from.
    pub(crate) fn storage(&self, label: &str, size: u64) -> Result<wgpu::Buffer> {
        use wgpu::BufferUsages as Usage;
        self.buffer(label, size, Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC)
    }
}
