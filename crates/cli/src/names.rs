//! Names of output files: one per picture, never on top of something that was given.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Hands out file stems in an output folder.
pub(crate) struct Names {
    folder: PathBuf,
    extensions: Vec<&'static str>,
    protected: HashSet<PathBuf>,
    taken: HashSet<String>,
}

impl Names {
    /// Names in `folder` for files of `extensions`; none of them is one of the existing files `protected`.
    pub(crate) fn new<'a>(
        folder: &Path,
        extensions: &[&'static str],
        protected: impl IntoIterator<Item = &'a Path>,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            extensions: extensions.to_vec(),
            protected: protected.into_iter().filter_map(resolve).collect(),
            taken: HashSet::new(),
        }
    }

    /// The path without extension for `picture`: its stem, or with `_2`, `_3`, ... the next that is free.
    pub(crate) fn next(&mut self, picture: &Path) -> PathBuf {
        let stem = picture.file_stem().unwrap_or(picture.as_os_str()).to_owned();
        let mut number = 1u32;
        loop {
            let mut name: OsString = stem.clone();
            if number > 1 {
                name.push(format!("_{number}"));
            }
            // Some file systems do not tell cases apart.
            let key = name.to_string_lossy().to_lowercase();
            if !self.taken.contains(&key) && !self.hits_protected(&name) {
                self.taken.insert(key);
                return self.folder.join(name);
            }
            number += 1;
        }
    }

    fn hits_protected(&self, name: &OsString) -> bool {
        let base = self.folder.join(name);
        self.extensions.iter().any(|extension| {
            resolve(&with_extension(&base, extension)).is_some_and(|p| self.protected.contains(&p))
        })
    }
}

/// `base` and `.extension`, whatever dots `base` has.
pub(crate) fn with_extension(base: &Path, extension: &str) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// Whether two paths are the same file.
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
    resolve(a).is_some_and(|a| resolve(b) == Some(a))
}

/// The true path of a file, or of one that is yet to be made in a folder that exists.
fn resolve(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| {
        let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        Some(parent.canonicalize().ok()?.join(path.file_name()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stems_and_given_files_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        let given = folder.path().join("a.png");
        std::fs::write(&given, b"").unwrap();
        let mut names = Names::new(folder.path(), &["json", "png"], [given.as_path()]);
        let mut next = |path: &str| names.next(Path::new(path)).file_name().unwrap().to_owned();
        assert_eq!(next("a.png"), "a_2");
        assert_eq!(next("x/b.jpg"), "b");
        assert_eq!(next("y/B.png"), "B_2");
        assert_eq!(next("b_2.png"), "b_2_2");
        assert_eq!(next("c.d.jpg"), "c.d");
        assert_eq!(with_extension(Path::new("o/c.d"), "json"), Path::new("o/c.d.json"));
    }

    #[test]
    fn a_coco_file_still_to_be_made_is_protected() {
        let folder = tempfile::tempdir().unwrap();
        let coco = folder.path().join("a.json");
        let mut names = Names::new(folder.path(), &["json"], [coco.as_path()]);
        assert_eq!(names.next(Path::new("a.jpg")).file_name().unwrap(), "a_2");
    }
}
