//! Pictures in turn: decoded ahead on a thread, found on the device, finished while the next one is under way.

use crate::engine::{Detections, Finder};
use crate::failure::Outcome;
use image::RgbImage;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
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
pub(crate) fn run<F: Finder>(
    paths: &[&Path],
    decode: impl Fn(&Path) -> Outcome<RgbImage> + Sync,
    finder: &F,
    mut finish: impl FnMut(usize, Outcome<Found>) -> Outcome<()>,
) -> Outcome<()> {
    thread::scope(|scope| {
        // One decoded picture waits while the next is decoded; more would only hold memory.
        let (sender, receiver) = sync_channel(1);
        let decode = &decode;
        scope.spawn(move || {
            for (number, path) in paths.iter().enumerate() {
                if sender.send((number, decode(path))).is_err() {
                    return;
                }
            }
        });
        drain(receiver, paths, finder, &mut finish)
    })
}

/// Takes the receiver by value: the decoding thread ends when it is dropped.
fn drain<F: Finder>(
    receiver: Receiver<(usize, Outcome<RgbImage>)>,
    paths: &[&Path],
    finder: &F,
    finish: &mut impl FnMut(usize, Outcome<Found>) -> Outcome<()>,
) -> Outcome<()> {
    let mut settle = |waiting: Option<(usize, Outcome<(RgbImage, F::Job)>)>| match waiting {
        None => Ok(()),
        Some((number, started)) => {
            let found = started.and_then(|(picture, job)| {
                let detections = finder.wait(job).map_err(|failure| failure.at(paths[number]))?;
                Ok(Found { picture, detections })
            });
            finish(number, found)
        }
    };
    let mut waiting = None;
    for (number, decoded) in receiver {
        let started = decoded.and_then(|picture| {
            let job = finder.submit(&picture).map_err(|failure| failure.at(paths[number]))?;
            Ok((picture, job))
        });
        settle(waiting.replace((number, started)))?;
    }
    settle(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use std::cell::{Cell, RefCell};

    /// Counts the pictures under way; fails on pictures of one pixel.
    #[derive(Default)]
    struct Fake {
        under_way: Cell<u32>,
        most: Cell<u32>,
    }

    impl Finder for Fake {
        type Job = u32;

        fn submit(&self, picture: &RgbImage) -> Outcome<u32> {
            self.under_way.set(self.under_way.get() + 1);
            self.most.set(self.most.get().max(self.under_way.get()));
            Ok(picture.width())
        }

        fn wait(&self, job: u32) -> Outcome<Detections> {
            self.under_way.set(self.under_way.get() - 1);
            if job == 1 { Err(Failure::Internal("lost".to_owned())) } else { Ok(Detections::default()) }
        }
    }

    fn decode(path: &Path) -> Outcome<RgbImage> {
        match path.to_str().and_then(|name| name.parse::<u32>().ok()) {
            Some(width) => Ok(RgbImage::new(width, 1)),
            None => Err(Failure::file(path, "bad")),
        }
    }

    #[test]
    fn all_are_finished_in_order_and_two_are_under_way() {
        let fake = Fake::default();
        let seen = RefCell::new(Vec::new());
        let paths = ["2", "x", "3", "4"].map(Path::new);
        run(&paths, decode, &fake, |number, found| {
            seen.borrow_mut().push((number, found.ok().map(|found| found.picture.width())));
            Ok(())
        })
        .unwrap();
        assert_eq!(*seen.borrow(), [(0, Some(2)), (1, None), (2, Some(3)), (3, Some(4))]);
        assert_eq!(fake.most.get(), 2);
    }

    #[test]
    fn a_final_failure_ends_the_run_and_names_the_picture() {
        let many: Vec<String> = (0..50).map(|i| if i == 1 { "1".into() } else { "2".into() }).collect();
        let paths: Vec<&Path> = many.iter().map(Path::new).collect();
        let mut finished = 0;
        let ended = run(&paths, decode, &Fake::default(), |_, found| {
            finished += 1;
            found.map(|_| ())
        });
        assert_eq!(ended.unwrap_err().message(), Some("1: lost"));
        assert_eq!(finished, 2);
    }
}
