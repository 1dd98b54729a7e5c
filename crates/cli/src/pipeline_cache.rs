//! Compiled pipelines, kept in the user's cache folder for the next start.

use crate::args::PipelineCache;
use crate::failure::{Failure, Outcome, warn};
use crate::files;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use tilehawk::gpu::Context;
use tilehawk::wgpu;

/// Bytes of a file that is read; a model's pipelines take some MiB at most.
const MOST_BYTES: u64 = 256 << 20;

/// Bytes of the checksum before the data.
const SUM: usize = 4;

/// An open device. What it compiled is kept when it is dropped; whatever is wrong with that is said, and changes no result.
#[derive(Debug)]
pub(crate) struct Opened {
    context: Context,
    file: Option<PathBuf>,
}

impl Opened {
    /// Starts with what earlier runs kept, where that is wanted and the device can.
    pub(crate) fn new(context: Context, when: PipelineCache) -> Self {
        let wanted = match when {
            PipelineCache::Auto => !context.is_software(),
            PipelineCache::On => true,
            PipelineCache::Off => false,
        };
        let can = context.features().contains(wgpu::Features::PIPELINE_CACHE);
        if when == PipelineCache::On && !can {
            warn(&format!(
                "note: --pipeline-cache changes nothing: {} over {} has none",
                context.info().name,
                context.info().backend
            ));
        }
        let folder = files::cache_folder().filter(|_| wanted && can);
        let Some(file) = folder.map(|folder| path_in(&folder, &context)) else {
            return Self { context, file: None };
        };
        let mut data = None;
        if file.exists() {
            match read(&file) {
                Ok(kept) => data = Some(kept),
                Err(reason) => warn(&format!("warning: {}: {reason}; it is made anew", file.display())),
            }
        }
        let mut cache = create(&context, data.as_deref());
        if let (Err(reason), Some(_)) = (&cache, &data) {
            warn(&format!("warning: {}: {reason}; it is made anew", file.display()));
            cache = create(&context, None);
        }
        let cache = match cache {
            Ok(cache) => cache,
            Err(reason) => {
                warn(&format!("warning: {reason}; compiled shaders are not kept"));
                return Self { context, file: None };
            }
        };
        let context = context.with_pipeline_cache(cache);
        Self { context, file: Some(file) }
    }

    fn keep(&self, file: &Path) -> Outcome<()> {
        let Some(data) = self.context.pipeline_cache().and_then(wgpu::PipelineCache::get_data) else {
            return Ok(());
        };
        if read(file).is_ok_and(|kept| kept == data) {
            return Ok(());
        }
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|e| Failure::file(folder, e))?;
        }
        files::write_bytes(file, &[&crc32fast::hash(&data).to_le_bytes(), &*data].concat())
    }
}

impl Deref for Opened {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        if let Err(failure) = self.keep(file) {
            let reason = failure.message().unwrap_or_default();
            warn(&format!("warning: {reason}; compiled shaders are not kept"));
        }
    }
}

/// The file of a device, beside that of its tunings. Drivers tell devices of one name apart.
fn path_in(folder: &Path, context: &Context) -> PathBuf {
    let wgpu::AdapterInfo { vendor, device, .. } = context.info();
    folder.join(context.tunings().file_name()).with_extension(format!("{vendor:04x}-{device:04x}.pipelines"))
}

/// What [`Opened::keep`] wrote.
fn read(file: &Path) -> Result<Vec<u8>, String> {
    let size = fs::metadata(file).map_err(|e| e.to_string())?.len();
    if size > MOST_BYTES {
        return Err(format!("{size} bytes are too many for compiled shaders"));
    }
    let mut bytes = files::read(file).map_err(|failure| failure.message().unwrap_or_default().to_owned())?;
    let damaged = || "its checksum is not that of its data".to_owned();
    let sum = bytes.first_chunk::<SUM>().copied().ok_or_else(damaged)?;
    let data = bytes.split_off(SUM);
    if crc32fast::hash(&data) == u32::from_le_bytes(sum) { Ok(data) } else { Err(damaged()) }
}

/// A cache that holds `data`, but for what the driver finds outdated; data of another device are an error.
#[expect(unsafe_code, reason = "wgpu asks for it where a driver reads compiled code from outside")]
fn create(context: &Context, data: Option<&[u8]>) -> Result<wgpu::PipelineCache, String> {
    let descriptor = wgpu::PipelineCacheDescriptor { label: Some("pipelines"), data, fallback: true };
    let filters =
        [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation];
    let scopes = filters.map(|filter| context.device().push_error_scope(filter));
    // SAFETY: the data are what `get_data` returned, undamaged by their checksum; wgpu compares device, driver and length in
    // their header, and the driver its own. What somebody else puts into the folder on purpose is not guarded against: the
    // folder must be the user's alone, as those of drivers for the same code are.
    let cache = unsafe { context.device().create_pipeline_cache(&descriptor) };
    let errors = scopes.into_iter().rev().filter_map(|scope| pollster::block_on(scope.pop()));
    match errors.collect::<Vec<_>>().first() {
        None => Ok(cache),
        Some(error) => {
            // The cause stands last.
            let text = error.to_string();
            Err(text
                .lines()
                .rev()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .unwrap_or_default()
                .to_owned())
        }
    }
}
