//! What was found to be fastest on a device, kept in the user's cache folder.

use crate::args::{DeviceArgs, Tune};
use crate::failure::{Failure, Outcome, warn};
use crate::files;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tilehawk::Detector;
use tilehawk::gpu::{Context, Tunings};

/// Bytes of a file that is read; a choice takes some hundred.
const MOST_BYTES: u64 = 16 << 20;

/// The file of a device. Whatever is wrong with it is said, and the run goes on with the usual choices.
#[derive(Debug)]
pub(crate) struct Store {
    path: Option<PathBuf>,
    /// Numbers of tiles that were tuned for.
    done: Mutex<BTreeSet<u32>>,
}

impl Store {
    /// Reads the choices of a device; none if they are not wanted.
    pub(crate) fn open(context: &Context, device: &DeviceArgs) -> Outcome<Option<Arc<Self>>> {
        let wanted = match device.tune().map_err(Failure::Bad)? {
            Tune::Auto => !context.is_software(),
            Tune::On => true,
            Tune::Off => false,
        };
        if !wanted {
            return Ok(None);
        }
        let path = files::cache_folder().map(|folder| folder.join(context.tunings().file_name()));
        if let Some(path) = path.as_ref().filter(|path| path.exists()) {
            let added = read(path).and_then(|kept| context.add_tunings(&kept).map_err(|e| e.to_string()));
            if let Err(reason) = added {
                warn(&format!("warning: {}: {reason}; it is made anew", path.display()));
            }
        }
        Ok(Some(Arc::new(Self { path, done: Mutex::default() })))
    }

    /// Times what has no choice yet, for pictures of `tiles` tiles.
    pub(crate) fn tune(&self, detector: &Detector, tiles: u32) {
        // Held meanwhile: others wait for the result.
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if !done.insert(tiles) {
            return;
        }
        let context = detector.context();
        if context.tunings().is_empty() {
            warn(&format!(
                "note: timing kernels on {} for this and later runs (--tune off leaves it out)",
                context.info().name
            ));
        }
        let started = Instant::now();
        match detector.tune(tiles) {
            Ok(tuned) if tuned.timed == 0 => {}
            Ok(tuned) => {
                warn(&format!(
                    "note: {} kinds of layers were timed in {:.1} s, and {} run other than usual",
                    tuned.timed,
                    started.elapsed().as_secs_f64(),
                    tuned.changed
                ));
                self.keep(context);
            }
            Err(error) => warn(&format!("warning: timing kernels: {error}; the run goes on without")),
        }
    }

    fn keep(&self, context: &Context) {
        let Some(path) = &self.path else {
            warn("warning: there is no home folder to keep it in (HOME); it is timed again next time");
            return;
        };
        let mut all = context.tunings();
        // Another process may have found more in the meantime.
        if let Ok(kept) = read(path) {
            let _ = all.merge(&kept);
        }
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        let kept = made.map_err(|e| format!("{}: {e}", path.display())).and_then(|()| {
            let written = files::write_bytes(path, all.to_json().as_bytes());
            written.map_err(|failure| failure.message().unwrap_or_default().to_owned())
        });
        if let Err(reason) = kept {
            warn(&format!("warning: {reason}; what was timed is not kept"));
        }
    }
}

fn read(path: &Path) -> Result<Tunings, String> {
    let size = fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > MOST_BYTES {
        return Err(format!("{size} bytes are too many for tunings"));
    }
    let bytes = files::read(path).map_err(|failure| failure.message().unwrap_or_default().to_owned())?;
    let text = String::from_utf8(bytes).map_err(|e| e.to_string())?;
    Tunings::from_json(&text).map_err(|e| e.to_string())
}
