//! COCO results of a run, with ids from a ground truth or running ones.

use crate::engine::Detection;
use crate::failure::Outcome;
use crate::files;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use tilehawk_coco::{Dataset, ImageNames};

/// One box of a COCO results list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ResultEntry {
    image_id: u64,
    category_id: u64,
    bbox: [f32; 4],
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
}

/// Collects the boxes of a run as COCO results.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    truth: Option<Dataset>,
    categories: HashMap<String, u64>,
    entries: BTreeMap<usize, Vec<ResultEntry>>,
    left_out: BTreeSet<String>,
}

impl Collector {
    /// Ids from `truth`, or running numbers from 1.
    pub(crate) fn new(truth: Option<Dataset>) -> Self {
        let categories = truth
            .iter()
            .flat_map(|truth| &truth.categories)
            .map(|category| (category.name.clone(), category.id))
            .collect();
        Self { truth, categories, ..Self::default() }
    }

    /// The image id of each picture; the number of a picture is its place in the list.
    pub(crate) fn image_ids(&self, pictures: &[&Path]) -> Vec<Result<u64, String>> {
        let Some(truth) = &self.truth else {
            return (1..=pictures.len() as u64).map(Ok).collect();
        };
        let names = ImageNames::new(truth);
        let mut seen = BTreeSet::new();
        pictures
            .iter()
            .map(|picture| {
                let id = names
                    .find(picture)
                    .map_err(|e| format!("--gt: {e}"))?
                    .ok_or("not among the images of --gt; leave it out, or leave out --gt")?;
                if seen.insert(id) {
                    Ok(id)
                } else {
                    Err(format!("a second picture for image id {id} of --gt"))
                }
            })
            .collect()
    }

    /// Class names of the model that the ground truth lacks.
    pub(crate) fn unknown_classes<'a>(&self, classes: &'a [String]) -> Vec<&'a str> {
        let known = |class: &&String| self.truth.is_none() || self.categories.contains_key(*class);
        classes.iter().filter(|class| !known(class)).map(String::as_str).collect()
    }

    /// Adds the boxes of the picture of `number`.
    pub(crate) fn add(
        &mut self,
        number: usize,
        image_id: u64,
        picture: &Path,
        items: &[Detection],
        labels: &[String],
    ) {
        let file_name = || picture.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut entries = Vec::with_capacity(items.len());
        for (item, label) in items.iter().zip(labels) {
            let (category_id, file_name) = match (&self.truth, self.categories.get(label)) {
                (None, _) => (u64::from(item.class_id) + 1, file_name()),
                (Some(_), Some(&id)) => (id, None),
                (Some(_), None) => {
                    self.left_out.insert(label.clone());
                    continue;
                }
            };
            let bbox = to_xywh(item.rect.to_array());
            entries.push(ResultEntry { image_id, category_id, bbox, score: item.score, file_name });
        }
        self.entries.insert(number, entries);
    }

    /// Labels of boxes that were left out, as the ground truth has no such category.
    pub(crate) fn left_out(&self) -> Vec<&str> {
        self.left_out.iter().map(String::as_str).collect()
    }

    /// Writes the list, pictures in order.
    pub(crate) fn write(&self, path: &Path) -> Outcome<()> {
        let entries: Vec<&ResultEntry> = self.entries.values().flatten().collect();
        files::write_whole(path, |file| Ok(serde_json::to_writer(file, &entries)?))
    }
}

/// `[x, y, width, height]` of `[x0, y0, x1, y1]`.
fn to_xywh([x0, y0, x1, y1]: [f32; 4]) -> [f32; 4] {
    [x0, y0, x1 - x0, y1 - y0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilehawk::geom::RectPx;

    fn truth() -> Dataset {
        let text = r#"{"images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "u/b.jpg"},
                           {"id": 9, "file_name": "v/b.jpg"}],
                "categories": [{"id": 3, "name": "car"}], "annotations": []}"#;
        Dataset::parse(text.as_bytes()).unwrap().0
    }

    fn car(class_id: u32) -> Detection {
        Detection { rect: RectPx::new(0.1, 0.2, 0.4, 2.2), score: 0.7, class_id }
    }

    #[test]
    fn ids_by_name_and_folder() {
        let collector = Collector::new(Some(truth()));
        let paths = ["x/a.jpg", "x/v/b.jpg", "x/b.jpg", "c.jpg", "y/a.jpg"].map(Path::new);
        let ids = collector.image_ids(&paths);
        assert_eq!(ids[..2], [Ok(7), Ok(9)]);
        assert!(ids[2].as_ref().unwrap_err().contains("2 images"));
        assert!(ids[3].as_ref().unwrap_err().contains("not among"));
        assert!(ids[4].as_ref().unwrap_err().contains("second picture"));
    }

    #[test]
    fn classes_by_name_and_unknown_ones_left_out() {
        let mut collector = Collector::new(Some(truth()));
        let labels = ["car".to_owned(), "cow".to_owned()];
        assert_eq!(collector.unknown_classes(&labels), ["cow"]);
        collector.add(0, 7, Path::new("a.jpg"), &[car(1), car(0)], &labels);
        assert_eq!(collector.left_out(), ["cow"]);
        assert_eq!(collector.entries[&0].len(), 1);
        assert_eq!(collector.entries[&0][0].category_id, 3);
    }

    #[test]
    fn running_numbers_without_a_ground_truth() {
        let mut collector = Collector::new(None);
        assert_eq!(collector.image_ids(&[Path::new("a"), Path::new("b")]), [Ok(1), Ok(2)]);
        collector.add(1, 2, Path::new("d/b.jpg"), &[car(4)], &["x".to_owned()]);
        collector.add(0, 1, Path::new("d/a.jpg"), &[], &[]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        collector.write(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            r#"[{"image_id":2,"category_id":5,"bbox":[0.1,0.2,0.3,2.0],"score":0.7,"file_name":"b.jpg"}]"#
        );
    }
}
