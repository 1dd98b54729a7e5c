//! The SVG files of `eval`.

use super::Judged;
use crate::failure::Outcome;
use crate::files;
use std::path::Path;
use tilehawk_coco::plots::{breakdown, precision_recall};

/// Writes `precision_recall_50.svg`, `precision_recall_75.svg`, `breakdown.svg` and, for each class,
/// `breakdown_<id>_<name>.svg`; says how many files.
pub(crate) fn draw(judged: &Judged, folder: &Path) -> Outcome<usize> {
    let mut drawn = Vec::new();
    for (name, threshold) in [("50", 0.5), ("75", 0.75)] {
        if let Some(iou) = judged.result.iou_place(threshold) {
            drawn.push((format!("precision_recall_{name}.svg"), precision_recall(&judged.result, iou)?));
        }
    }
    if let Some(parts) = judged.breakdown.as_ref().filter(|parts| parts.curves(None, 0).is_some()) {
        drawn.push(("breakdown.svg".to_owned(), breakdown(parts, None, 0)?));
        for (place, class) in parts.classes.iter().enumerate() {
            if parts.curves(Some(place), 0).is_some() {
                let name = format!("breakdown_{}_{}.svg", class.id, plain(&class.name));
                drawn.push((name, breakdown(parts, Some(place), 0)?));
            }
        }
    }
    for (name, svg) in &drawn {
        files::write_bytes(&folder.join(name), svg.as_bytes())?;
    }
    Ok(drawn.len())
}

/// A class name as a part of a file name: letters and digits, and `_` for all else, 40 characters at most.
fn plain(name: &str) -> String {
    name.chars().take(40).map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}
