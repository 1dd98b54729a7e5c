//! The document that `detect` writes for a picture. The order of fields is part of the format.

use crate::engine::{Detections, Stats};
use serde::Serialize;

/// A picture with its boxes.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    input_path: String,
    width: u32,
    height: u32,
    boxes: Vec<BoxEntry<'a>>,
    stats: &'a Stats,
}

/// A box.
#[derive(Debug, Serialize)]
struct BoxEntry<'a> {
    cls_id: u32,
    label: &'a str,
    score: f32,
    coordinate: [f32; 4],
}

impl<'a> Document<'a> {
    /// The document of one picture; `labels` are those of the boxes, in order.
    pub(crate) fn new(
        input_path: String,
        size: [u32; 2],
        found: &'a Detections,
        labels: &'a [String],
    ) -> Self {
        let boxes = found
            .items
            .iter()
            .zip(labels)
            .map(|(item, label)| BoxEntry {
                cls_id: item.class_id,
                label,
                score: item.score,
                coordinate: item.rect.to_array(),
            })
            .collect();
        Self { input_path, width: size[0], height: size[1], boxes, stats: &found.stats }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Detection;
    use tilehawk::geom::RectPx;

    #[test]
    fn fields_in_order_and_numbers_without_noise() {
        let found = Detections {
            items: vec![Detection { rect: RectPx::new(0.1, 2.0, 30.7, 4.5), score: 0.9, class_id: 3 }],
            stats: Stats::default(),
        };
        let labels = ["car".to_owned()];
        let text =
            serde_json::to_string(&Document::new("a.jpg".to_owned(), [40, 50], &found, &labels)).unwrap();
        let start = r#"{"input_path":"a.jpg","width":40,"height":50,"boxes":[{"cls_id":3,"label":"car","score":0.9,"coordinate":[0.1,2.0,30.7,4.5]}],"stats":{"#;
        assert!(text.starts_with(start), "{text}");
    }
}
