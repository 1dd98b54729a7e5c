//! Reading COCO data sets.

use crate::failure::{Outcome, warn};
use std::path::Path;
use tilehawk_coco::Dataset;

/// Reads a data set and says what was mended.
pub(crate) fn load(path: &Path) -> Outcome<Dataset> {
    let (dataset, repairs) = Dataset::load(path)?;
    repairs.lines().for_each(|line| warn(&format!("note: {}: {line}", path.display())));
    Ok(dataset)
}
