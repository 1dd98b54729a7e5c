//! The boxes of the annotated picture.

use super::Judged;
use crate::annotate::Mark;
use crate::engine::Detection;
use crate::scene::Scene;
use image::Rgb;
use tilehawk::geom::RectPx;

/// Red: a box on no object.
const WRONG: Rgb<u8> = Rgb([255, 0, 0]);
/// Yellow: an object without a box.
const MISSED: Rgb<u8> = Rgb([255, 230, 0]);

/// Right boxes in the colours of their classes, the others red, objects that were not found yellow.
pub(crate) fn marks(scene: &Scene, items: &[Detection], labels: &[String], judged: &Judged) -> Vec<Mark> {
    let boxes = items.iter().zip(labels).zip(&judged.right).map(|((item, label), &right)| {
        let mut mark = Mark::new(item, label);
        if !right {
            mark.colour = WRONG;
            mark.texts = mark.texts.map(|text| format!("false {text}"));
        }
        mark
    });
    let objects = scene.objects.iter().zip(&judged.found).filter(|(_, found)| !**found);
    let missed = objects.map(|(object, _)| Mark {
        rect: {
            let [x0, y0, x1, y1] = object.edges.map(|edge| edge as f32);
            RectPx::new(x0, y0, x1, y1)
        },
        colour: MISSED,
        texts: [format!("missed {}", object.class.name()), "missed".to_owned()],
        // Above all scores: a box that just fails to match must not hide it.
        rank: 2.0,
    });
    boxes.chain(missed).collect()
}
