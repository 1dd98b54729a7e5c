//! What was found to be fastest on a device, kept in the user's cache folder.

use crate::args::{DeviceArgs, Tune};
use crate::failure::warn;
use crate::files;
use etcetera::BaseStrategy;
use std::path::PathBuf;
use std::sync::Once;
use std::time::Instant;
use tilehawk::Detector;
use tilehawk::gpu::{Context, Tunings};

/// The file of a device. Whatever is wrong with it is said, and the run goes on with the usual choices.
#[derive(Debug)]
pub(crate) struct Store {
    path: Option<PathBuf>,
    done: Once,
}

impl Store {
    /// Reads the choices of a device; none if they are not wanted.
    pub(crate) fn open(context: &Context, device: &DeviceArgs) -> Option<Self> {
        let wanted = match device.tune() {
            Tune::Auto => !context.is_software(),
            Tune::On => true,
            Tune::Off => false,
        };
        if !wanted {
            return None;
        }
        let store = Self {
            path: folder().map(|folder| folder.join(context.tunings().file_name())),
            done: Once::new(),
        };
        store.read(context);
        Some(store)
    }

    fn read(&self, context: &Context) {
        let Some(path) = self.path.as_ref().filter(|path| path.exists()) else { return };
        let read = std::fs::read_to_string(path)
            .map_err(|e| e.to_string())
            .and_then(|text| Tunings::from_json(&text).map_err(|e| e.to_string()))
            .and_then(|tunings| context.set_tunings(tunings).map_err(|e| e.to_string()));
        if let Err(reason) = read {
            warn(&format!("warning: {}: {reason}; it is made anew", path.display()));
        }
    }

    /// Times what has no choice yet, before the first picture, for chunks of up to `tiles` tiles.
    pub(crate) fn tune(&self, detector: &Detector, tiles: u32) {
        self.done.call_once(|| {
            let started = Instant::now();
            match detector.tune(tiles) {
                Ok(tuned) if tuned.timed == 0 => {}
                Ok(tuned) => {
                    warn(&format!(
                        "note: {} kinds of work were timed on {} in {:.1} s, once, and {} run other than usual \
                         (--tune off leaves it out)",
                        tuned.timed,
                        detector.context().info().name,
                        started.elapsed().as_secs_f64(),
                        tuned.changed
                    ));
                    self.keep(detector.context());
                }
                Err(error) => warn(&format!("warning: tuning: {error}; the usual choices are used")),
            }
        });
    }

    fn keep(&self, context: &Context) {
        let Some(path) = &self.path else {
            warn("warning: there is no cache folder; what was timed is not kept (set XDG_CACHE_HOME)");
            return;
        };
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let made = made.map_err(|e| format!("{}: {e}", path.display()));
        let kept = made.and_then(|()| {
            let written = files::write_bytes(path, context.tunings().to_json().as_bytes());
            written.map_err(|failure| failure.message().unwrap_or_default().to_owned())
        });
        if let Err(reason) = kept {
            warn(&format!("warning: {reason}; what was timed is not kept"));
        }
    }
}

/// The folder of this program's caches.
fn folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("tilehawk"))
}
