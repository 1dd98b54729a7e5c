//! Plots are whole SVG files that name what they show. With TILEHAWK_PLOTS=DIR they are left in that folder.

#![cfg(feature = "plots")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use tilehawk_coco::{Breakdown, Dataset, Detections, Evaluation, Settings, plots};

#[test]
fn curves_and_breakdown() {
    let path = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let (mut dataset, _) = Dataset::load(&path("gt0.json")).unwrap();
    dataset.categories[1].name = "<c2> & co\u{1}".to_owned();
    let found = Detections::load(&path("dt0.json"), &dataset).unwrap();
    let result = Evaluation::new(&dataset, &found.items, &Settings::default()).unwrap();
    let parts = Breakdown::new(&dataset, &found.items, &Settings::default()).unwrap();
    let drawn = [
        plots::precision_recall(&result, 0).unwrap(),
        plots::breakdown(&parts, None, 0).unwrap(),
        plots::breakdown(&parts, Some(1), 1).unwrap(),
    ];
    for (svg, words) in drawn.iter().zip([
        ["IOU 0.50", "mean of all"],
        ["all classes", "C75"],
        ["&lt;c2&gt; &amp; co", "small"],
    ]) {
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains('\u{1}'), "XML has no control characters");
        assert!(words.iter().all(|word| svg.contains(word)), "{words:?}");
    }
    assert!(plots::precision_recall(&result, 99).is_err());
    assert!(plots::breakdown(&parts, None, 99).is_err());
    if let Some(folder) = std::env::var_os("TILEHAWK_PLOTS") {
        for (number, svg) in drawn.iter().enumerate() {
            std::fs::write(Path::new(&folder).join(format!("{number}.svg")), svg).unwrap();
        }
    }
}
