//! The numbers of a demo as text and as JSON.

use super::{IOU, Judged, Tally, value};
use crate::scene::SceneOptions;
use crate::table::aligned;
use serde_json::{Value, json};
use std::time::Duration;

/// A row for each class and one for all, then precision and recall.
pub(crate) fn table(judged: &Judged) -> String {
    let mut rows = vec![["", "objects", "found", "missed", "false"].map(str::to_owned).to_vec()];
    let all = judged.all();
    rows.extend(judged.tallies.iter().chain([&all]).map(|tally| {
        let numbers = [tally.objects, tally.found, tally.objects - tally.found, tally.wrong];
        std::iter::once(tally.name.clone()).chain(numbers.map(|number| number.to_string())).collect()
    }));
    let percent =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0));
    format!(
        "{}\n\nprecision {}, recall {} (a box finds an object of its class from an IOU of {IOU})",
        aligned(&rows, 1).join("\n"),
        percent(all.precision()),
        percent(all.recall())
    )
}

/// What ran, and how long the search took.
#[derive(Debug)]
pub(crate) struct Ran<'a> {
    /// The scene asked for.
    pub(crate) scene: SceneOptions,
    /// Name of the model.
    pub(crate) model: &'a str,
    /// Tiles searched.
    pub(crate) tiles: u32,
    /// Time from pixels to boxes.
    pub(crate) elapsed: Duration,
    /// Name and interface of the adapter.
    pub(crate) adapter: &'a str,
}

/// All numbers, described in docs/FORMATS.md.
pub(crate) fn document(judged: &Judged, ran: &Ran<'_>) -> Value {
    let numbers = |tally: &Tally| {
        json!({
            "name": tally.name,
            "objects": tally.objects,
            "found": tally.found,
            "missed": tally.objects - tally.found,
            "false": tally.wrong,
            "precision": value(tally.precision()),
            "recall": value(tally.recall()),
        })
    };
    json!({
        "width": ran.scene.width,
        "height": ran.scene.height,
        "seed": ran.scene.seed,
        "model": ran.model,
        "iou": IOU,
        "overall": numbers(&judged.all()),
        "classes": judged.tallies.iter().map(numbers).collect::<Vec<_>>(),
        "tiles": ran.tiles,
        "seconds": ran.elapsed.as_secs_f64(),
        "adapter": ran.adapter,
    })
}
