//! A data set of tiles, as SAHI writes it.

use crate::entries::Category;
use crate::slice::Cut;
use serde::Serialize;

/// A data set of tiles. Ids of images and annotations count from 1; fields come in SAHI's order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SlicedDataset {
    images: Vec<SlicedImage>,
    annotations: Vec<SlicedAnnotation>,
    categories: Vec<Category>,
}

/// A tile.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct SlicedImage {
    height: u32,
    width: u32,
    id: usize,
    file_name: String,
}

/// The part of an object in a tile.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct SlicedAnnotation {
    iscrowd: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore: Option<u8>,
    image_id: usize,
    bbox: [f64; 4],
    segmentation: Vec<Vec<i64>>,
    category_id: u64,
    id: usize,
    area: i64,
}

impl SlicedDataset {
    /// A data set of these classes, without tiles.
    pub fn new(categories: Vec<Category>) -> Self {
        Self { categories, ..Self::default() }
    }

    /// Adds a tile of `size` (width, height) with its objects.
    pub fn push(&mut self, file_name: String, size: [u32; 2], cuts: Vec<Cut>) {
        let image_id = self.images.len() + 1;
        self.images.push(SlicedImage { height: size[1], width: size[0], id: image_id, file_name });
        for cut in cuts {
            self.annotations.push(SlicedAnnotation {
                iscrowd: u8::from(cut.iscrowd),
                ignore: cut.ignore.then_some(1),
                image_id,
                bbox: cut.bbox,
                segmentation: cut.segmentation,
                category_id: cut.category_id,
                id: self.annotations.len() + 1,
                area: cut.area,
            });
        }
    }

    /// How many tiles and annotations there are.
    pub fn counts(&self) -> [usize; 2] {
        [self.images.len(), self.annotations.len()]
    }
}
