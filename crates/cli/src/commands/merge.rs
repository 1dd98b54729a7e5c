//! `merge`: boxes of anybody's detector, merged on the device.

use crate::args::{AlgorithmArg, DeviceArgs, MergeArgs};
use crate::boxes_file::{BoxesFile, Form};
use crate::classes::ClassRules;
use crate::engine::BoxMerger;
use crate::failure::{Failure, Outcome, print_line, warn};
use crate::{engine, files};

/// Reads, checks, merges and writes.
pub(crate) fn run(args: &MergeArgs, device: &DeviceArgs) -> Outcome<()> {
    let options = args.options()?;
    let form = Form::of(&args.out)?;
    files::check_writable(&args.out)?;
    let mut boxes = BoxesFile::load(&args.input)?;
    boxes.check_form(form).map_err(|reason| Failure::file(&args.out, reason))?;
    let before = boxes.count();
    let left_out = leave_out(&mut boxes, args).map_err(|reason| Failure::file(&args.input, reason))?;
    if args.algorithm == AlgorithmArg::KeepBest && !boxes.has_edges() {
        warn(&format!(
            "note: {} does not say which tile edges boxes touch (`edges`), so keep-best acts as nms",
            args.input.display()
        ));
    }
    let context = engine::open(device)?;
    let mut merger = BoxMerger::new(&context);
    boxes
        .merge(|boxes| merger.merge(boxes, &options))
        .map_err(|e| Failure::from(e.at(args.input.display())))?;
    files::write_bytes(&args.out, &boxes.to_bytes(form)?)?;
    print_line(&format!(
        "{}: {} of {before} boxes kept{left_out} ({})",
        args.out.display(),
        boxes.count(),
        engine::adapter_name(&context)
    ))
}

/// Leaves out boxes by class and score, checks the scores of the others, and says how many are gone.
fn leave_out(boxes: &mut BoxesFile, args: &MergeArgs) -> Result<String, String> {
    let before = boxes.count();
    let mut told = String::new();
    // Without boxes there are no names, and nothing to leave out.
    if before > 0 {
        let rules = ClassRules::new(&args.rules, &boxes.known())?;
        if !rules.is_empty() {
            boxes.filter(&rules);
            told = format!(", {} left out by class or score", before - boxes.count());
        }
    }
    if let Some(name) = args.algorithm.needs_shares() {
        boxes.check_shares(name)?;
    }
    Ok(told)
}
