//! Objects and detections brought together: one group for each class and picture.

use crate::curve::descending;
use crate::dataset::Dataset;
use crate::detections::Detection;
use crate::entries::Annotation;
use std::collections::HashMap;

/// An object to be found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth {
    pub(crate) bbox: [f64; 4],
    pub(crate) area: f64,
    /// Whether any number of boxes may match it, by their share inside it.
    pub(crate) crowd: bool,
    /// Whether boxes that match it count neither for nor against.
    pub(crate) ignore: bool,
}

/// A box that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) bbox: [f64; 4],
    pub(crate) score: f64,
}

impl Found {
    /// Square pixels of the box.
    pub(crate) fn area(&self) -> f64 {
        self.bbox[2] * self.bbox[3]
    }
}

/// A class in a picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// Objects in the order of the file.
    pub(crate) truths: Vec<Truth>,
    /// Detections by descending score, then in the order of the file.
    pub(crate) found: Vec<Found>,
}

/// How an annotation counts for a class.
pub(crate) type Admit<'a> = &'a dyn Fn(&Annotation) -> Option<Truth>;

/// COCO's rule: a crowd is ignored; the field `ignore` means nothing.
pub(crate) fn coco_truth(annotation: &Annotation) -> Truth {
    let crowd = annotation.iscrowd;
    Truth { bbox: annotation.bbox, area: annotation.area, crowd, ignore: crowd }
}

/// A data set and detections by picture.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    annotations: Vec<(usize, &'a Annotation)>,
    detections: Vec<(usize, &'a Detection)>,
}

impl<'a> Index<'a> {
    /// Pictures by ascending id; entries of a picture in the order of the file, or with `by_category` by category
    /// first.
    pub(crate) fn new(dataset: &'a Dataset, detections: &'a [Detection], by_category: bool) -> Self {
        let mut ids: Vec<u64> = dataset.images.iter().map(|image| image.id).collect();
        ids.sort_unstable();
        let places: HashMap<u64, usize> =
            ids.into_iter().enumerate().map(|(place, id)| (id, place)).collect();
        let mut annotations: Vec<_> = dataset
            .annotations
            .iter()
            .filter_map(|annotation| Some((*places.get(&annotation.image_id)?, annotation)))
            .collect();
        let mut detections: Vec<_> =
            detections.iter().filter_map(|found| Some((*places.get(&found.image_id)?, found))).collect();
        let order = |category: u64| if by_category { category } else { 0 };
        annotations.sort_by_key(|(place, annotation)| (*place, order(annotation.category_id)));
        detections.sort_by_key(|(place, found)| (*place, order(found.category_id)));
        Self { annotations, detections }
    }

    /// The groups of a class, pictures by ascending id, without empty ones. At most `most` detections of each stay.
    pub(crate) fn groups(&self, truth: Admit<'_>, takes: &dyn Fn(u64) -> bool, most: usize) -> Vec<Group> {
        let truths =
            self.annotations.iter().filter_map(|(place, annotation)| Some((*place, truth(annotation)?)));
        let found = self.detections.iter().filter(|(_, found)| takes(found.category_id));
        let mut truths = truths.peekable();
        let mut found = found.peekable();
        let mut groups = Vec::new();
        loop {
            let next = [truths.peek().map(|(place, _)| *place), found.peek().map(|(place, _)| *place)];
            let Some(place) = next.into_iter().flatten().min() else { break };
            let mut group = Group::default();
            while let Some((_, truth)) = truths.next_if(|(at, _)| *at == place) {
                group.truths.push(truth);
            }
            while let Some((_, one)) = found.next_if(|(at, _)| *at == place) {
                group.found.push(Found { bbox: one.bbox, score: one.score });
            }
            group.found.sort_by(|a, b| descending(a.score, b.score));
            group.found.truncate(most);
            groups.push(group);
        }
        groups
    }
}
