//! Images of a data set by the names of their files.

use crate::dataset::Dataset;
use crate::entries::Image;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;

/// The images of a data set by the last part of their file names.
#[derive(Clone, Debug)]
pub struct ImageNames<'a> {
    images: HashMap<&'a OsStr, Vec<&'a Image>>,
}

impl<'a> ImageNames<'a> {
    /// The names of all images.
    pub fn new(dataset: &'a Dataset) -> Self {
        let mut images: HashMap<&OsStr, Vec<&Image>> = HashMap::new();
        for image in &dataset.images {
            if let Some(name) = Path::new(&image.file_name).file_name() {
                images.entry(name).or_default().push(image);
            }
        }
        Self { images }
    }

    /// The id of the image that `path` is: of equal file name; where names repeat, of the one whose folders `path` ends
    /// with. None if there is no such name.
    ///
    /// # Errors
    ///
    /// If the folders do not tell images of this name apart.
    pub fn find(&self, path: &Path) -> Result<Option<u64>> {
        let Some(named) = path.file_name().and_then(|name| self.images.get(name)) else { return Ok(None) };
        if let [one] = named[..] {
            return Ok(Some(one.id));
        }
        let mut nested = named.iter().filter(|image| path.ends_with(&image.file_name));
        match (nested.next(), nested.next()) {
            (Some(one), None) => Ok(Some(one.id)),
            _ => Err(Error::new(format!(
                "the data set has {} images of this name; give the path as it is there",
                named.len()
            ))),
        }
    }
}
