//! `merge`: boxes of anybody's detector, merged on the device.

use crate::args::{DeviceArgs, MergeArgs};
use crate::boxes_file::{BoxesFile, Form};
use crate::engine::BoxMerger;
use crate::failure::{Failure, Outcome, print_line};
use crate::{engine, files};

/// Reads, checks, merges and writes.
pub(crate) fn run(args: &MergeArgs, device: &DeviceArgs) -> Outcome<()> {
    let form = Form::of(&args.out)?;
    files::check_writable(&args.out)?;
    let mut boxes = BoxesFile::load(&args.input)?;
    boxes.check_form(form).map_err(|reason| Failure::file(&args.out, reason))?;
    let context = engine::open(device)?;
    let mut merger = BoxMerger::new(&context);
    let before = boxes.count();
    for group in boxes.groups_mut() {
        let kept = engine::merge(&mut merger, group.boxes(), args)
            .map_err(|e| Failure::from(e.at(args.input.display())))?;
        group.keep(&kept);
    }
    files::write_bytes(&args.out, &boxes.to_bytes(form)?)?;
    print_line(&format!(
        "{}: {} of {before} boxes kept ({})",
        args.out.display(),
        boxes.count(),
        engine::adapter_name(&context)
    ))
}
