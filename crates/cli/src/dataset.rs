//! Reading COCO data sets.

use crate::failure::{Outcome, warn};
use std::path::Path;
use tilehawk_coco::{Dataset, Repairs};

/// Reads a data set and says what was mended.
pub(crate) fn load(path: &Path) -> Outcome<Dataset> {
    let (dataset, repairs) = Dataset::load(path)?;
    tell(path, &repairs);
    Ok(dataset)
}

/// The same with boxes cut at the borders of their pictures.
pub(crate) fn load_clipped(path: &Path) -> Outcome<Dataset> {
    let (mut dataset, mut repairs) = Dataset::load(path)?;
    dataset.clip_boxes(&mut repairs);
    tell(path, &repairs);
    Ok(dataset)
}

fn tell(path: &Path, repairs: &Repairs) {
    repairs.lines().for_each(|line| warn(&format!("note: {}: {line}", path.display())));
}
