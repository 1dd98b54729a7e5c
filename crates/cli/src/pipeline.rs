//! Pictures in turn through three threads: one decodes, one waits for the device, the caller's finishes.

use crate::engine::{Detections, Finder};
use crate::failure::{Failure, Outcome};
use image::RgbImage;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

/// A picture with its boxes.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its pixels.
    pub(crate) picture: RgbImage,
    /// Its boxes.
    pub(crate) detections: Detections,
}

/// Runs all `paths` and hands each picture or its failure to `finish`, in order, with its place in the list.
/// An error that `finish` returns ends the run.
pub(crate) fn run(
    paths: &[&Path],
    decode: impl Fn(&Path) -> Outcome<RgbImage> + Send,
    finder: &impl Finder,
    mut finish: impl FnMut(usize, Outcome<Found>) -> Outcome<()>,
) -> Outcome<()> {
    thread::scope(|scope| {
        // Without room in the channels each thread holds one picture; more would only take memory.
        let (decoded, to_find) = sync_channel(0);
        let (found, to_finish) = sync_channel(0);
        // A thread ends when the one after it has gone.
        scope.spawn(move || {
            for path in paths {
                // A fault in a codec must not take the other pictures along.
                let picture = catch_unwind(AssertUnwindSafe(|| decode(path))).unwrap_or_else(|_| {
                    Err(Failure::file(path, "the decoder failed on it; convert it to PNG"))
                });
                if decoded.send(picture).is_err() {
                    return;
                }
            }
        });
        scope.spawn(move || {
            for (path, picture) in paths.iter().zip(to_find) {
                let done = picture.and_then(|picture| {
                    let detections = finder.find(&picture).map_err(|failure| failure.at(path))?;
                    Ok(Found { picture, detections })
                });
                if found.send(done).is_err() {
                    return;
                }
            }
        });
        to_finish.into_iter().enumerate().try_for_each(|(number, found)| finish(number, found))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Fails on pictures of one pixel.
    struct Fake;

    impl Finder for Fake {
        fn find(&self, picture: &RgbImage) -> Outcome<Detections> {
            if picture.width() == 1 {
                return Err(Failure::Device("lost".to_owned()));
            }
            Ok(Detections::default())
        }
    }

    fn decode(path: &Path) -> Outcome<RgbImage> {
        match path.to_str().and_then(|name| name.parse::<u32>().ok()) {
            Some(width) => Ok(RgbImage::new(width, 1)),
            None => Err(Failure::file(path, "bad")),
        }
    }

    #[test]
    fn all_are_finished_in_order() {
        let mut seen = Vec::new();
        let paths = ["2", "x", "3", "4"].map(Path::new);
        run(&paths, decode, &Fake, |number, found| {
            seen.push((number, found.ok().map(|found| found.picture.width())));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [(0, Some(2)), (1, None), (2, Some(3)), (3, Some(4))]);
    }

    #[test]
    fn pictures_are_decoded_ahead_but_not_far() {
        let (begun, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let paths = ["2"; 20].map(Path::new);
        let counted = |path: &Path| {
            let ahead = begun.fetch_add(1, Ordering::SeqCst) - finished.load(Ordering::SeqCst);
            assert!(ahead < 4, "{ahead}");
            decode(path)
        };
        run(&paths, counted, &Fake, |number, _| {
            while number == 0 && begun.load(Ordering::SeqCst) < 2 {
                thread::yield_now();
            }
            finished.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
        assert_eq!(begun.into_inner(), 20);
    }

    #[test]
    fn a_final_failure_ends_the_run_and_names_the_picture() {
        let mut paths = ["2"; 50].map(Path::new);
        paths[1] = Path::new("1");
        let mut finished = 0;
        let ended = run(&paths, decode, &Fake, |_, found| {
            finished += 1;
            found.map(|_| ())
        });
        assert_eq!(ended.unwrap_err().message(), Some("1: lost"));
        assert_eq!(finished, 2);
    }
}
