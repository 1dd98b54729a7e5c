//! Annotations cut to tiles, as SAHI's `coco slice` cuts them.

use crate::entries::Annotation;
use crate::polygon::{self, Point};
use serde_json::Value;

/// The objects of one picture, ready to be cut to its tiles.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    objects: Vec<Object>,
    flaws: ShapeFlaws,
}

/// What an object covers: its polygons, or its box as one.
#[derive(Clone, Debug)]
struct Object {
    category_id: u64,
    iscrowd: bool,
    ignore: bool,
    polygons: Vec<Vec<Point>>,
    /// x0, y0, x1, y1.
    bounds: [f64; 4],
    area: f64,
}

/// Flaws of the shapes of annotations, and what was done about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShapeFlaws {
    /// Annotations without area; left out.
    pub empty: usize,
    /// Masks that are run lengths; the box was cut in their place.
    pub masks: usize,
    /// Polygons that are no lists of at least three points, within 10^9 pixels; the box was cut in place of all polygons of the annotation.
    pub polygons: usize,
}

impl ShapeFlaws {
    /// The sum of two counts.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            empty: self.empty + other.empty,
            masks: self.masks + other.masks,
            polygons: self.polygons + other.polygons,
        }
    }

    /// One line for each kind of flaw that was met.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        [
            (self.empty, "annotations without area: left out"),
            (self.masks, "masks as run lengths: their boxes cut instead"),
            (self.polygons, "annotations with a polygon of less than three points, of half a point or beyond 1e9: their boxes cut instead"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, text)| format!("{count} {text}"))
    }
}

/// The part of an object in a tile.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// The class.
    pub category_id: u64,
    /// Whether it is a crowd of objects.
    pub iscrowd: bool,
    /// Whether it is to be ignored.
    pub ignore: bool,
    /// `[x, y, width, height]` in pixels of the tile.
    pub bbox: [f64; 4],
    /// Polygons `[x, y, x, y, ...]` in whole pixels of the tile.
    pub segmentation: Vec<Vec<i64>>,
    /// Whole square pixels.
    pub area: i64,
}

impl Cut {
    /// Whether it marks a region to be ignored, and not an object.
    pub fn is_region(&self) -> bool {
        self.iscrowd || self.ignore
    }
}

impl Objects {
    /// Takes the annotations of one picture, in order.
    pub fn new<'a>(annotations: impl IntoIterator<Item = &'a Annotation>) -> Self {
        let mut all = Self::default();
        for annotation in annotations {
            let polygons = all.polygons(annotation);
            let area = polygons.iter().map(|polygon| polygon::area(polygon)).sum();
            if area > 0.0 {
                all.objects.push(Object {
                    category_id: annotation.category_id,
                    iscrowd: annotation.iscrowd,
                    ignore: annotation.ignore,
                    bounds: bounds(&polygons),
                    polygons,
                    area,
                });
            } else {
                all.flaws.empty += 1;
            }
        }
        all
    }

    /// What was amiss with the shapes.
    pub fn flaws(&self) -> ShapeFlaws {
        self.flaws
    }

    /// The parts of the objects in `tile` (x0, y0, x1, y1), in order. A part is kept if its area is at least
    /// `min_area_ratio` of the object's, both in whole square pixels as SAHI has them; of an object below one square
    /// pixel the true areas count. A part without area is never kept.
    pub fn cut(&self, tile: [u32; 4], min_area_ratio: f64) -> Vec<Cut> {
        let tile = tile.map(f64::from);
        self.objects.iter().filter_map(|object| object.cut(tile, min_area_ratio)).collect()
    }

    /// The polygons of an annotation; those of its box where it has none that can be used.
    fn polygons(&mut self, annotation: &Annotation) -> Vec<Vec<Point>> {
        match &annotation.segmentation {
            Some(Value::Array(rings)) if !rings.is_empty() => match rings.iter().map(points).collect() {
                Some(polygons) => return polygons,
                None => self.flaws.polygons += 1,
            },
            Some(Value::Object(_)) => self.flaws.masks += 1,
            _ => {}
        }
        let [x, y, width, height] = annotation.bbox;
        let (right, bottom) = (x + width, y + height);
        vec![vec![[right, y], [right, bottom], [x, bottom], [x, y]]]
    }
}

impl Object {
    fn cut(&self, tile: [f64; 4], min_area_ratio: f64) -> Option<Cut> {
        let [x0, y0, x1, y1] = self.bounds;
        // With `left + width` for the right side, as SAHI computes it.
        if x0 >= tile[2] || y0 >= tile[3] || x0 + (x1 - x0) <= tile[0] || y0 + (y1 - y0) <= tile[1] {
            return None;
        }
        let parts: Vec<Vec<Point>> =
            self.polygons.iter().flat_map(|polygon| polygon::clip(polygon, tile)).collect();
        let area: f64 = parts.iter().map(|part| polygon::area(part)).sum();
        let ratio = if self.area >= 1.0 { area.trunc() / self.area.trunc() } else { area / self.area };
        if parts.is_empty() || ratio < min_area_ratio {
            return None;
        }
        let [x0, y0, x1, y1] = bounds(&parts);
        Some(Cut {
            category_id: self.category_id,
            iscrowd: self.iscrowd,
            ignore: self.ignore,
            bbox: [x0 - tile[0], y0 - tile[1], x1 - x0, y1 - y0],
            segmentation: parts.iter().map(|part| whole_pixels(part, tile)).collect(),
            area: truncated(area),
        })
    }
}

/// The points of one polygon `[x, y, x, y, ...]`, in pixels within 10^9; none if it is not one.
fn points(ring: &Value) -> Option<Vec<Point>> {
    const FURTHEST: f64 = 1e9;
    let numbers: Vec<f64> = ring
        .as_array()?
        .iter()
        .map(|number| number.as_f64().filter(|number| number.abs() <= FURTHEST))
        .collect::<Option<_>>()?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    (pairs.len() > 2 && rest.is_empty()).then(|| pairs.to_vec())
}

fn bounds(polygons: &[Vec<Point>]) -> [f64; 4] {
    let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    polygons
        .iter()
        .flatten()
        .fold(start, |[x0, y0, x1, y1], &[x, y]| [x0.min(x), y0.min(y), x1.max(x), y1.max(y)])
}

/// `[x, y, x, y, ...]` relative to the tile, cut to whole pixels.
fn whole_pixels(ring: &[Point], tile: [f64; 4]) -> Vec<i64> {
    ring.iter().flat_map(|[x, y]| [truncated(x - tile[0]), truncated(y - tile[1])]).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "within a tile; the cast saturates")]
fn truncated(value: f64) -> i64 {
    value.trunc() as i64
}

#[cfg(test)]
mod tests;
