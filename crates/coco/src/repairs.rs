//! What was amiss in a file and how it was made good.

use std::fmt;

/// A kind of flaw, with what was done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Repair {
    /// There is no list `annotations`; it was taken as empty.
    NoAnnotations,
    /// An annotation of an image that is not in the file; left out.
    UnknownImage,
    /// An annotation of a category that is not in the file; left out.
    UnknownCategory,
    /// An annotation without `bbox`, or with an empty one; left out.
    NoBox,
    /// An annotation whose box has a negative width or height; left out.
    NegativeBox,
    /// An annotation without `area`, or with a negative one; width times height was taken.
    NoArea,
    /// An annotation without `id`, or with the id of one before it; a new id was given.
    NewId,
    /// An annotation whose box has a width or height of 0; kept.
    EmptyBox,
    /// An annotation whose box reaches outside its picture; kept as it is.
    Outside,
    /// An annotation whose box was cut at the border of its picture, by [`Dataset::clip_boxes`](crate::Dataset).
    Clipped,
    /// An annotation whose box lay wholly outside its picture; left out by [`Dataset::clip_boxes`](crate::Dataset).
    OutsideLeftOut,
    /// An image without `width` or `height`; kept with 0.
    NoSize,
}

impl Repair {
    /// What was found and done, after a count.
    fn text(self) -> &'static str {
        match self {
            Self::NoAnnotations => "list `annotations` absent: taken as empty",
            Self::UnknownImage => "annotations of images that are not in the file: left out",
            Self::UnknownCategory => "annotations of categories that are not in the file: left out",
            Self::NoBox => "annotations without a box: left out",
            Self::NegativeBox => "annotations with a negative width or height: left out",
            Self::NoArea => "annotations without `area`, or with a negative one: width times height taken",
            Self::NewId => "annotations without an id of their own: numbered anew",
            Self::EmptyBox => "boxes of width or height 0: kept",
            Self::Outside => "boxes reaching outside their pictures: kept as they are",
            Self::Clipped => "boxes reaching outside their pictures: cut at the border",
            Self::OutsideLeftOut => "boxes wholly outside their pictures: left out",
            Self::NoSize => "images without `width` or `height`: kept, their boxes not checked",
        }
    }
}

/// The flaws of a file, in the order in which they were first met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repairs {
    found: Vec<(Repair, usize, String)>,
}

impl Repairs {
    /// Counts a flaw; `place` names where, and is kept for the first of its kind.
    pub(crate) fn add(&mut self, repair: Repair, place: impl fmt::Display) {
        match self.found.iter_mut().find(|(kind, ..)| *kind == repair) {
            Some((_, count, _)) => *count += 1,
            None => self.found.push((repair, 1, place.to_string())),
        }
    }

    /// Forgets a kind of flaw.
    pub(crate) fn remove(&mut self, repair: Repair) {
        self.found.retain(|(kind, ..)| *kind != repair);
    }

    /// How often a flaw was met.
    pub fn count(&self, repair: Repair) -> usize {
        self.found.iter().find(|(kind, ..)| *kind == repair).map_or(0, |(_, count, _)| *count)
    }

    /// Whether nothing was amiss.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// One line for each kind of flaw: count, what was found, what was done, and where first.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.found.iter().map(|(repair, count, place)| format!("{count} {} (first: {place})", repair.text()))
    }
}
