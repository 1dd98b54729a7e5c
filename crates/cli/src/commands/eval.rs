//! `eval`: detections judged by a COCO data set.

use crate::args::EvalArgs;
use crate::classes::quoted;
use crate::eval::{Judged, document, draw, tables};
use crate::failure::{Failure, Outcome, print_line, warn};
use crate::names::same_file;
use crate::{dataset, files};
use std::collections::BTreeMap;
use std::path::Path;
use tilehawk_coco::{Breakdown, Dataset, Detections, DetectionsForm, Evaluation, Settings, TinyPerson};

/// Reads, judges, prints and writes.
pub(crate) fn run(args: &EvalArgs) -> Outcome<()> {
    let json = args.json.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(path) = json {
        files::check_writable(path)?;
        if [&args.gt, &args.dt].into_iter().any(|given| same_file(given, path)) {
            return Err(Failure::file(path, "is one of the files given; choose another name for --json"));
        }
    }
    let dataset = dataset::load(&args.gt)?;
    let settings = settings(args, &dataset).map_err(|reason| Failure::file(&args.gt, reason))?;
    let found = Detections::load(&args.dt, &dataset)?;
    if let Some(folder) = &args.plots {
        files::prepare_folder(folder)?;
    }
    tell_left_out(&found, &args.dt);
    let judged = judge(args, dataset, found, &settings)?;
    let document = document(&judged, &args.gt, &args.dt);
    if let Some(path) = json {
        files::write_bytes(path, format!("{document}\n").as_bytes())?;
    }
    if let Some(folder) = &args.plots {
        let count = draw(&judged, folder)?;
        warn(&format!("{}: {count} plots", folder.display()));
    }
    if args.json.is_some() && json.is_none() { print_line(&document.to_string()) } else { print(&judged) }
}

fn judge(args: &EvalArgs, dataset: Dataset, found: Detections, settings: &Settings) -> Outcome<Judged> {
    let items = &found.items;
    let result = Evaluation::new(&dataset, items, settings)?;
    let tiny = args.tiny.then(|| TinyPerson::new(&dataset, items, settings)).transpose()?;
    let wanted = args.breakdown || args.plots.is_some() && !args.agnostic;
    let breakdown = wanted.then(|| Breakdown::new(&dataset, items, settings)).transpose()?;
    Ok(Judged { dataset, found, result, tiny, breakdown })
}

fn print(judged: &Judged) -> Outcome<()> {
    let classes = judged.result.classes();
    let objects: usize = classes.iter().map(|class| class.objects[0]).sum();
    let detections: usize = classes.iter().map(|class| class.detections).sum();
    print_line(&format!(
        "{} images, {objects} objects, {detections} detections\n\n{}",
        judged.dataset.images.len(),
        tables(judged)
    ))
}

fn settings(args: &EvalArgs, dataset: &Dataset) -> Result<Settings, String> {
    let mut settings = Settings {
        max_detections: args.max_dets.clone(),
        class_agnostic: args.agnostic,
        categories: args.classes.as_ref().map(|classes| category_ids(classes, dataset)).transpose()?,
        ..Settings::default()
    };
    settings.max_detections.sort_unstable();
    settings.max_detections.dedup();
    if let Some(thresholds) = &args.iou {
        settings.iou_thresholds.clone_from(thresholds);
        settings.iou_thresholds.sort_by(f64::total_cmp);
        settings.iou_thresholds.dedup();
    }
    Ok(settings)
}

/// The categories of these names, or ids.
fn category_ids(classes: &[String], dataset: &Dataset) -> Result<Vec<u64>, String> {
    let find = |class: &String| {
        let named = dataset.categories.iter().find(|category| category.name == *class);
        let numbered = || dataset.categories.iter().find(|category| Ok(category.id) == class.parse::<u64>());
        named.or_else(numbered).map(|category| category.id).ok_or_else(|| {
            let names: Vec<&str> = dataset.categories.iter().map(|category| category.name.as_str()).collect();
            format!("no class \"{class}\"; give --classes some of {}", names.join(", "))
        })
    };
    classes.iter().map(find).collect()
}

/// Says which detections do not fit the ground truth.
fn tell_left_out(found: &Detections, path: &Path) {
    let tell = |counts: &BTreeMap<String, usize>, what: &str| {
        if !counts.is_empty() {
            let names: Vec<&str> = counts.keys().map(String::as_str).collect();
            warn(&format!(
                "warning: {}: {} detections of {} {what} that the ground truth lacks are left out: {}",
                path.display(),
                counts.values().sum::<usize>(),
                counts.len(),
                quoted(&names)
            ));
        }
    };
    if found.form == DetectionsForm::NumberedResults {
        warn(&format!(
            "warning: {}: written without a ground truth, so category ids are class numbers plus 1; if those are not the \
             ground truth's, give --gt to detect",
            path.display()
        ));
    }
    tell(&found.unknown_images, "images");
    tell(&found.unknown_categories, "categories");
    if found.negative > 0 {
        warn(&format!(
            "warning: {}: {} detections with a negative width or height are left out",
            path.display(),
            found.negative
        ));
    }
    if found.items.is_empty() {
        warn(&format!(
            "warning: {}: no detection is left; if some should be, compare its ids with those of the ground truth",
            path.display()
        ));
    }
}
