//! The tables of `eval`.

use super::Judged;
use crate::table;
use tilehawk_coco::{BREAKDOWN_PARTS, Breakdown, Evaluation, TinyPerson};

/// All tables, a blank line between them.
pub(crate) fn tables(judged: &Judged) -> String {
    let mut tables = vec![precision_and_recall(&judged.result)];
    tables.extend(judged.tiny.as_ref().map(tiny));
    tables.extend(judged.breakdown.as_ref().map(breakdown));
    let text: Vec<String> = tables.iter().map(|rows| table::aligned(rows, 1).join("\n")).collect();
    text.join("\n\n")
}

fn precision_and_recall(result: &Evaluation) -> Vec<Vec<String>> {
    let settings = result.settings();
    let places = [("AP", None), ("AP50", result.iou_place(0.5)), ("AP75", result.iou_place(0.75))];
    let places: Vec<_> = places.into_iter().filter(|(name, iou)| *name == "AP" || iou.is_some()).collect();
    let mut title = vec![String::new(), "objects".to_owned()];
    title.extend(places.iter().map(|(name, _)| (*name).to_owned()));
    title.extend(settings.max_detections.iter().map(|most| format!("AR@{most}")));
    let row = |name: &str, class: Option<usize>, area: usize, objects: usize| {
        let mut row = vec![name.to_owned(), objects.to_string()];
        row.extend(places.iter().map(|(_, iou)| number(result.precision(class, *iou, area))));
        let counts = 0..settings.max_detections.len();
        row.extend(counts.map(|count| number(result.recall(class, None, area, count))));
        row
    };
    let mut rows = vec![title];
    for (area, range) in settings.areas.iter().enumerate() {
        let objects = result.classes().iter().map(|class| class.objects[area]).sum();
        rows.push(row(&range.name, None, area, objects));
    }
    if result.classes().len() > 1 {
        let classes = result.classes().iter().enumerate();
        rows.extend(classes.map(|(place, class)| row(&class.name, Some(place), 0, class.objects[0])));
    }
    rows
}

fn tiny(tiny: &TinyPerson) -> Vec<Vec<String>> {
    let title = ["TinyPerson", "objects", "AP25", "AP50", "AP75", "MR25", "MR50", "MR75"];
    let mut rows = vec![title.map(str::to_owned).to_vec()];
    for bin in &tiny.bins {
        let sides = [bin.area.min, bin.area.max].map(f64::sqrt);
        let name = if sides[1] < 1e5 {
            format!("{} {}-{}", bin.area.name, sides[0], sides[1])
        } else {
            format!("{} {}-", bin.area.name, sides[0])
        };
        let mut row = vec![name, bin.objects.to_string()];
        row.extend(bin.precision.iter().chain(&bin.miss_rate).map(|value| number(*value)));
        rows.push(row);
    }
    rows
}

fn breakdown(breakdown: &Breakdown) -> Vec<Vec<String>> {
    let row = |name: &str, class: Option<usize>, area: usize| {
        let mut row = vec![name.to_owned()];
        row.extend(breakdown.parts(class, area).map(number));
        row
    };
    let mut rows = vec![vec!["breakdown".to_owned()]];
    rows[0].extend(BREAKDOWN_PARTS.map(str::to_owned));
    let areas = breakdown.areas.iter().enumerate();
    rows.extend(areas.map(|(area, range)| row(&range.name, None, area)));
    if breakdown.classes.len() > 1 {
        let classes = breakdown.classes.iter().enumerate();
        rows.extend(classes.map(|(place, class)| row(&class.name, Some(place), 0)));
    }
    rows
}

/// A measure, or a dash where there is nothing to find.
fn number(value: f64) -> String {
    if value < 0.0 { "-".to_owned() } else { format!("{value:.3}") }
}
