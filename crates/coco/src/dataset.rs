//! A data set: images, annotations and categories.

use crate::entries::{Annotation, Category, Image};
use crate::error::{self, Error, Result};
use crate::raw::{RawAnnotation, RawDataset};
use crate::repairs::{Repair, Repairs};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// A data set in which ids are unique, and all annotations are of known images and categories.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Dataset {
    /// All other fields of the file, `info` and `licenses` among them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
    /// The pictures, in the order of the file.
    pub images: Vec<Image>,
    /// The objects, in the order of the file.
    pub annotations: Vec<Annotation>,
    /// The classes, in the order of the file.
    pub categories: Vec<Category>,
}

impl Dataset {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or as [`Dataset::parse`].
    pub fn load(path: &Path) -> Result<(Self, Repairs)> {
        Self::parse(&error::read(path)?).map_err(|e| e.in_file(path))
    }

    /// Reads and checks a JSON text. Small flaws are made good and counted.
    ///
    /// # Errors
    ///
    /// If it is not JSON, lacks `images` or `categories`, has an entry of a wrong type, two images or two categories
    /// of one id, two categories of one name, or a box that is not four finite numbers.
    pub fn parse(text: &[u8]) -> Result<(Self, Repairs)> {
        if error::first_byte(text) == Some(b'[') {
            let reason =
                "a list, where a COCO data set is an object with `images`, `annotations` and `categories`";
            return Err(Error::new(format!("{reason}; a list of results belongs with the detections")));
        }
        let raw: RawDataset = serde_json::from_slice(text).map_err(|e| {
            Error::new(format!("not a COCO data set with `images`, `annotations` and `categories`: {e}"))
        })?;
        check_unique("images", raw.images.iter().map(|image| image.id))?;
        check_unique("categories", raw.categories.iter().map(|category| category.id))?;
        check_names(&raw.categories)?;
        let mut repairs = Repairs::default();
        for image in raw.images.iter().filter(|image| image.width == 0 || image.height == 0) {
            repairs.add(Repair::NoSize, format_args!("image id {}", image.id));
        }
        if raw.annotations.is_none() {
            repairs.add(Repair::NoAnnotations, "the file");
        }
        let mut dataset = Self {
            extra: raw.extra,
            images: raw.images,
            annotations: Vec::new(),
            categories: raw.categories,
        };
        dataset.annotations = dataset.admit(raw.annotations.unwrap_or_default(), &mut repairs)?;
        Ok((dataset, repairs))
    }

    /// Cuts boxes at the borders of their pictures and leaves out those wholly outside, as a consumer of pixels wants
    /// it; evaluation does not. `area` shrinks with its box. Boxes in pictures of unknown size stay. `repairs` are those of
    /// reading; what was told of such boxes there gives way to what is done now.
    pub fn clip_boxes(&mut self, repairs: &mut Repairs) {
        repairs.remove(Repair::Outside);
        let sizes = sizes(&self.images);
        self.annotations.retain_mut(|annotation| {
            let size = sizes.get(&annotation.image_id).copied().unwrap_or([0, 0]);
            if !reaches_outside(annotation.bbox, size) {
                return true;
            }
            let [x, y, width, height] = annotation.bbox;
            let [columns, rows] = size.map(f64::from);
            let (x0, y0) = (x.max(0.0), y.max(0.0));
            let (w, h) = ((x + width).min(columns) - x0, (y + height).min(rows) - y0);
            if w <= 0.0 || h <= 0.0 {
                repairs.add(Repair::OutsideLeftOut, format_args!("annotation id {}", annotation.id));
                return false;
            }
            repairs.add(Repair::Clipped, format_args!("annotation id {}", annotation.id));
            annotation.bbox = [x0, y0, w, h];
            annotation.area *= (w * h) / (width * height);
            true
        });
    }

    /// The name of a category, empty if there is none of this id.
    pub fn category_name(&self, id: u64) -> &str {
        self.categories.iter().find(|category| category.id == id).map_or("", |category| &category.name)
    }

    /// The data set as JSON.
    ///
    /// # Errors
    ///
    /// If a number in it is not finite.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::new(format!("the data set cannot be written: {e}")))
    }

    /// Checks the annotations one by one.
    fn admit(&self, raw: Vec<RawAnnotation>, repairs: &mut Repairs) -> Result<Vec<Annotation>> {
        let sizes = sizes(&self.images);
        let categories: HashSet<u64> = self.categories.iter().map(|category| category.id).collect();
        let mut next =
            raw.iter().filter_map(|annotation| annotation.id).max().map_or(1, |id| id.saturating_add(1));
        let mut seen = HashSet::new();
        let mut admitted = Vec::with_capacity(raw.len());
        for (row, raw) in raw.into_iter().enumerate() {
            let place = match raw.id {
                Some(id) => format!("annotation {row}, id {id}"),
                None => format!("annotation {row}"),
            };
            let Some(&size) = sizes.get(&raw.image_id) else {
                repairs.add(Repair::UnknownImage, format_args!("{place}, image_id {}", raw.image_id));
                continue;
            };
            if !categories.contains(&raw.category_id) {
                repairs
                    .add(Repair::UnknownCategory, format_args!("{place}, category_id {}", raw.category_id));
                continue;
            }
            let Some(bbox) = box_of(raw.bbox.as_deref(), &place)? else {
                repairs.add(Repair::NoBox, place);
                continue;
            };
            if bbox[2] < 0.0 || bbox[3] < 0.0 {
                repairs.add(Repair::NegativeBox, place);
                continue;
            }
            if bbox[2] == 0.0 || bbox[3] == 0.0 {
                repairs.add(Repair::EmptyBox, &place);
            } else if reaches_outside(bbox, size) {
                repairs.add(Repair::Outside, &place);
            }
            let area = raw.area.filter(|area| *area >= 0.0).unwrap_or_else(|| {
                repairs.add(Repair::NoArea, &place);
                bbox[2] * bbox[3]
            });
            let id = match raw.id {
                Some(id) if seen.insert(id) => id,
                _ => {
                    repairs.add(Repair::NewId, &place);
                    while !seen.insert(next) {
                        next = next.wrapping_add(1);
                    }
                    next
                }
            };
            admitted.push(Annotation {
                id,
                image_id: raw.image_id,
                category_id: raw.category_id,
                bbox,
                area,
                iscrowd: raw.iscrowd,
                ignore: raw.ignore,
                segmentation: raw.segmentation,
                extra: raw.extra,
            });
        }
        Ok(admitted)
    }
}

/// Columns and rows by image id.
fn sizes(images: &[Image]) -> HashMap<u64, [u32; 2]> {
    images.iter().map(|image| (image.id, [image.width, image.height])).collect()
}

/// Whether a box has a part outside a picture of known size. Less than 0.01 pixels are rounding.
fn reaches_outside([x, y, width, height]: [f64; 4], size: [u32; 2]) -> bool {
    let [columns, rows] = size.map(f64::from);
    let slack = 0.01;
    columns > 0.0
        && rows > 0.0
        && (x < -slack || y < -slack || x + width > columns + slack || y + height > rows + slack)
}

/// The box of an annotation; none if it has none.
pub(crate) fn box_of(bbox: Option<&[f64]>, place: &str) -> Result<Option<[f64; 4]>> {
    let Some(bbox) = bbox.filter(|bbox| !bbox.is_empty()) else { return Ok(None) };
    match <[f64; 4]>::try_from(bbox) {
        Ok(bbox) if bbox.iter().all(|value| value.is_finite() && value.abs() <= MAX_COORDINATE) => {
            Ok(Some(bbox))
        }
        Ok(bbox) => Err(Error::new(format!("{place}: bbox {bbox:?} is beyond {MAX_COORDINATE:e}; mend it"))),
        Err(_) => {
            Err(Error::new(format!("{place}: bbox has {} numbers; give [x, y, width, height]", bbox.len())))
        }
    }
}

/// Coordinates beyond this are a mistake, and their products might overflow.
const MAX_COORDINATE: f64 = 1e18;

fn check_unique(list: &str, ids: impl Iterator<Item = u64>) -> Result<()> {
    let mut rows = HashMap::new();
    for (row, id) in ids.enumerate() {
        if let Some(first) = rows.insert(id, row) {
            return Err(Error::new(format!(
                "`{list}` {first} and {row} both have id {id}; give each its own"
            )));
        }
    }
    Ok(())
}

fn check_names(categories: &[Category]) -> Result<()> {
    let mut ids = HashMap::new();
    for category in categories {
        if let Some(first) = ids.insert(category.name.as_str(), category.id) {
            return Err(Error::new(format!(
                "categories {first} and {} are both named \"{}\"; give each its own name",
                category.id, category.name
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
