//! `demo`: what was drawn and what was found, compared.

mod marks;
mod report;

pub(crate) use marks::marks;
pub(crate) use report::{Ran, document, table};

use crate::engine::Detection;
use crate::scene::{Class, Scene, SceneOptions};
use serde_json::{Map, Value, json};
use tilehawk_coco::{Annotation, Category, Dataset, Image, pairs};

/// Least intersection over union of an object and a box that finds it.
pub(crate) const IOU: f64 = 0.5;

/// The objects of a scene as a COCO data set of one picture. Classes are spelled as in `known`, those of the model, where
/// only the case differs.
pub(crate) fn truth(scene: &Scene, options: SceneOptions, file_name: &str, known: &[String]) -> Dataset {
    let spelled = |class: Class| {
        let same = known.iter().find(|name| name.eq_ignore_ascii_case(class.name()));
        same.cloned().unwrap_or_else(|| class.name().to_owned())
    };
    let category = |class: Class| class as u64 + 1;
    let annotation = |(id, (class, bbox)): (u64, (Class, [f64; 4]))| Annotation {
        id,
        image_id: 1,
        category_id: category(class),
        bbox,
        area: bbox[2] * bbox[3],
        iscrowd: false,
        ignore: false,
        segmentation: None,
        extra: Map::new(),
    };
    let boxes = scene.objects.iter().map(|object| (object.class, object.bbox()));
    let description = format!("drawn by `tilehawk demo`, seed {}", options.seed);
    Dataset {
        extra: Map::from_iter([("info".to_owned(), json!({ "description": description }))]),
        images: vec![Image {
            id: 1,
            file_name: file_name.to_owned(),
            width: options.width,
            height: options.height,
            extra: Map::new(),
        }],
        annotations: (1..).zip(boxes).map(annotation).collect(),
        categories: Class::ALL
            .iter()
            .map(|&class| Category { id: category(class), name: spelled(class), extra: Map::new() })
            .collect(),
    }
}

/// What became of the objects and boxes of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The class.
    pub(crate) name: String,
    /// Objects drawn.
    pub(crate) objects: usize,
    /// Objects found.
    pub(crate) found: usize,
    /// Boxes on no object of the class.
    pub(crate) wrong: usize,
}

/// Objects and boxes brought together, class by class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// By class: those drawn, then others that boxes were of.
    pub(crate) tallies: Vec<Tally>,
    /// For each object, whether it was found.
    pub(crate) found: Vec<bool>,
    /// For each box, whether it is on an object of its class.
    pub(crate) right: Vec<bool>,
}

impl Judged {
    /// Compares the objects of a scene with boxes and the names of their classes, whose case does not matter.
    pub(crate) fn new(scene: &Scene, items: &[Detection], labels: &[String]) -> Self {
        let mut judged = Self {
            tallies: Vec::new(),
            found: vec![false; scene.objects.len()],
            right: vec![false; items.len()],
        };
        let mut names: Vec<&str> = Class::ALL.iter().map(|class| class.name()).collect();
        for label in labels {
            if !names.iter().any(|name| name.eq_ignore_ascii_case(label)) {
                names.push(label);
            }
        }
        for name in names {
            judged.add(scene, items, labels, name);
        }
        judged
    }

    fn add(&mut self, scene: &Scene, items: &[Detection], labels: &[String], name: &str) {
        let numbered = scene.objects.iter().enumerate();
        let objects: Vec<usize> =
            numbered.filter(|(_, object)| object.class.name() == name).map(|(number, _)| number).collect();
        let boxes: Vec<usize> =
            (0..labels.len()).filter(|&number| labels[number].eq_ignore_ascii_case(name)).collect();
        let truths: Vec<[f64; 4]> = objects.iter().map(|&number| scene.objects[number].bbox()).collect();
        let finds: Vec<([f64; 4], f64)> = boxes
            .iter()
            .map(|&number| {
                let [x0, y0, x1, y1] = items[number].rect.to_array().map(f64::from);
                ([x0, y0, x1 - x0, y1 - y0], f64::from(items[number].score))
            })
            .collect();
        let mut found = 0;
        for (&number, object) in boxes.iter().zip(pairs(&truths, &finds, IOU)) {
            if let Some(object) = object {
                self.right[number] = true;
                self.found[objects[object]] = true;
                found += 1;
            }
        }
        let (objects, wrong) = (objects.len(), boxes.len() - found);
        self.tallies.push(Tally { name: name.to_owned(), objects, found, wrong });
    }

    /// All classes together.
    pub(crate) fn all(&self) -> Tally {
        let sum = |of: fn(&Tally) -> usize| self.tallies.iter().map(of).sum();
        Tally {
            name: "all".to_owned(),
            objects: sum(|tally| tally.objects),
            found: sum(|tally| tally.found),
            wrong: sum(|tally| tally.wrong),
        }
    }
}

impl Tally {
    /// Share of the boxes that are right; none if there are no boxes.
    pub(crate) fn precision(&self) -> Option<f64> {
        share(self.found, self.found + self.wrong)
    }

    /// Share of the objects that were found; none if there are no objects.
    pub(crate) fn recall(&self) -> Option<f64> {
        share(self.found, self.objects)
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A number of a document: `null` where there is none.
fn value(share: Option<f64>) -> Value {
    share.map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests;
