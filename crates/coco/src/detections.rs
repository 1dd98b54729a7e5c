//! What a detector found: COCO results, or the documents that `tilehawk detect` writes.

use crate::dataset::{Dataset, box_of};
use crate::error::{self, Error, Result};
use crate::names::ImageNames;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// A box that a detector found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// The picture.
    pub image_id: u64,
    /// The class.
    pub category_id: u64,
    /// `[x, y, width, height]`, finite, sizes at least 0.
    pub bbox: [f64; 4],
    /// How sure the detector is; finite, higher is surer.
    pub score: f64,
}

/// What a file of detections was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectionsForm {
    /// A list of COCO results.
    Results,
    /// A list of COCO results that name their pictures, as `tilehawk detect` writes them without a ground truth: their
    /// category ids are class numbers of the model plus 1, and need not be those of the data set.
    NumberedResults,
    /// Documents of `tilehawk detect`, with file names and labels in place of ids.
    Documents,
}

/// What a file of detections held.
#[derive(Clone, Debug, PartialEq)]
pub struct Detections {
    /// The boxes that fit the data set, in the order of the file.
    pub items: Vec<Detection>,
    /// What the file was.
    pub form: DetectionsForm,
    /// Images that the data set lacks, with the number of their boxes, which are left out.
    pub unknown_images: BTreeMap<String, usize>,
    /// Classes that the data set lacks, with the number of their boxes, which are left out.
    pub unknown_categories: BTreeMap<String, usize>,
    /// Boxes with a negative width or height, which are left out.
    pub negative: usize,
}

#[derive(Deserialize)]
struct RawResult {
    image_id: u64,
    category_id: u64,
    bbox: Vec<f64>,
    score: f64,
    file_name: Option<String>,
}

#[derive(Deserialize)]
struct RawDocument {
    input_path: String,
    boxes: Vec<RawBox>,
}

#[derive(Deserialize)]
struct RawBox {
    label: String,
    score: f64,
    coordinate: [f64; 4],
}

impl Detections {
    /// Reads and checks a file of detections in the pictures of `dataset`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or as [`Detections::parse`].
    pub fn load(path: &Path, dataset: &Dataset) -> Result<Self> {
        Self::parse(&error::read(path)?, dataset).map_err(|e| e.in_file(path))
    }

    /// Reads and checks a list of COCO results, or documents of `tilehawk detect`, one after another.
    ///
    /// Results that name a picture (`file_name`) whose id in the data set is another were written without a ground
    /// truth, and are refused: their ids count pictures and classes in an order of their own.
    ///
    /// # Errors
    ///
    /// If the text is neither, a box is not four finite numbers, a score is not finite, a document's picture is not
    /// told apart by its file name, or ids are not those of the data set.
    pub fn parse(text: &[u8], dataset: &Dataset) -> Result<Self> {
        match error::first_byte(text) {
            Some(b'[') => Self::of_results(text, dataset),
            Some(b'{') => Self::of_documents(text, dataset),
            _ => Err(Error::new(format!("neither {FORMS}"))),
        }
    }

    fn empty(form: DetectionsForm) -> Self {
        Self {
            items: Vec::new(),
            form,
            unknown_images: BTreeMap::new(),
            unknown_categories: BTreeMap::new(),
            negative: 0,
        }
    }

    fn of_results(text: &[u8], dataset: &Dataset) -> Result<Self> {
        let raw: Vec<RawResult> = serde_json::from_slice(text).map_err(|e| {
            Error::new(format!("not a list of COCO results ([{{image_id, category_id, bbox, score}}]): {e}"))
        })?;
        let names: HashMap<u64, &str> =
            dataset.images.iter().map(|image| (image.id, image.file_name.as_str())).collect();
        let categories: HashSet<u64> = dataset.categories.iter().map(|category| category.id).collect();
        let mut found = Self::empty(DetectionsForm::Results);
        for (row, raw) in raw.into_iter().enumerate() {
            let Some(known) = names.get(&raw.image_id) else {
                count(&mut found.unknown_images, raw.image_id.to_string());
                continue;
            };
            if raw.file_name.is_some() {
                found.form = DetectionsForm::NumberedResults;
            }
            if let Some(name) = raw.file_name.as_deref().filter(|name| !same_name(name, known)) {
                return Err(Error::new(format!(
                    "result {row}: image_id {} is \"{name}\" here and \"{known}\" in the data set: the ids are of \
                     another data set, or of none; write the results with `detect --coco FILE --gt GT.json`",
                    raw.image_id
                )));
            }
            if !categories.contains(&raw.category_id) {
                count(&mut found.unknown_categories, raw.category_id.to_string());
                continue;
            }
            let place = format!("result {row}");
            let bbox = box_of(Some(&raw.bbox), &place)?
                .ok_or_else(|| Error::new(format!("{place}: bbox is empty; give [x, y, width, height]")))?;
            found.push(Detection {
                image_id: raw.image_id,
                category_id: raw.category_id,
                bbox,
                score: raw.score,
            });
        }
        Ok(found)
    }

    fn of_documents(text: &[u8], dataset: &Dataset) -> Result<Self> {
        let categories: HashMap<&str, u64> =
            dataset.categories.iter().map(|category| (category.name.as_str(), category.id)).collect();
        let images = ImageNames::new(dataset);
        let mut seen = HashMap::new();
        let mut found = Self::empty(DetectionsForm::Documents);
        for (number, document) in serde_json::Deserializer::from_slice(text).into_iter().enumerate() {
            let document: RawDocument =
                document.map_err(|e| Error::new(format!("document {number}: neither {FORMS}: {e}")))?;
            let path = &document.input_path;
            let image_id =
                images.find(Path::new(path)).map_err(|e| Error::new(format!("\"{path}\": {e}")))?;
            let Some(image_id) = image_id else {
                if !document.boxes.is_empty() {
                    *found.unknown_images.entry(path.clone()).or_default() += document.boxes.len();
                }
                continue;
            };
            if let Some(first) = seen.insert(image_id, path.clone()) {
                return Err(Error::new(format!(
                    "\"{first}\" and \"{path}\" are both image id {image_id}; give one"
                )));
            }
            for raw in document.boxes {
                let Some(&category_id) = categories.get(raw.label.as_str()) else {
                    count(&mut found.unknown_categories, raw.label);
                    continue;
                };
                let [x0, y0, x1, y1] = raw.coordinate;
                let place = format!("document {number}, a box of \"{}\"", raw.label);
                if let Some(bbox) = box_of(Some(&[x0, y0, x1 - x0, y1 - y0]), &place)? {
                    found.push(Detection { image_id, category_id, bbox, score: raw.score });
                }
            }
        }
        Ok(found)
    }

    fn push(&mut self, item: Detection) {
        if item.bbox[2] < 0.0 || item.bbox[3] < 0.0 {
            self.negative += 1;
        } else {
            self.items.push(item);
        }
    }
}

const FORMS: &str = "a list of COCO results ([{image_id, category_id, bbox, score}]) nor documents of \
                     `tilehawk detect` ({input_path, boxes})";

/// Adds one to the count of `name`.
fn count(counts: &mut BTreeMap<String, usize>, name: String) {
    *counts.entry(name).or_default() += 1;
}

fn same_name(a: &str, b: &str) -> bool {
    Path::new(a).file_name() == Path::new(b).file_name()
}

#[cfg(test)]
mod tests;
