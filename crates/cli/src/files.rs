//! Writing files whole or not at all.

use crate::failure::{Failure, Outcome};
use etcetera::BaseStrategy;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Writes `path` by way of a temporary file beside it, so that no half of it is ever seen.
pub(crate) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Outcome<()> {
    let (temporary, file) = open_beside(path).map_err(|e| Failure::file(path, not_writable(&e)))?;
    let mut writer = BufWriter::new(file);
    let done = fill(&mut writer)
        .and_then(|()| writer.flush())
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|e| Failure::file(path, format!("cannot be written: {e}")));
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    done
}

/// Writes bytes by [`write_whole`].
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Outcome<()> {
    write_whole(path, |file| file.write_all(bytes))
}

/// Makes a folder with those above it and checks that files can be written to it.
pub(crate) fn prepare_folder(folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder).map_err(|e| {
        Failure::file(folder, format!("the output folder cannot be made: {e}; choose another"))
    })?;
    check_writable(&folder.join("check"))
}

/// As [`prepare_folder`], for a folder that must be empty unless `force` is given.
pub(crate) fn prepare_new_folder(folder: &Path, force: bool) -> Outcome<()> {
    let used = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if used && !force {
        return Err(Failure::file(
            folder,
            "is not empty; give a new folder, or --force to write into this one",
        ));
    }
    prepare_folder(folder)
}

/// The folder of this program's caches, if the user has a home.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("tilehawk"))
}

/// Checks that a file can be written at `path`, without touching it.
pub(crate) fn check_writable(path: &Path) -> Outcome<()> {
    if path.is_dir() {
        return Err(Failure::file(path, "is a folder; give the name of a file"));
    }
    let (temporary, _) = open_beside(path).map_err(|e| Failure::file(parent(path), not_writable(&e)))?;
    fs::remove_file(&temporary).map_err(|e| Failure::file(parent(path), not_writable(&e)))
}

/// Checks that a file can be read.
pub(crate) fn check_readable(path: &Path) -> Outcome<()> {
    // A pipe or device may never end.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Failure::file(path, "not a file; give the name of one"));
    }
    File::open(path).map(drop).map_err(|e| Failure::file(path, format!("cannot be read: {e}")))
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Outcome<Vec<u8>> {
    check_readable(path)?;
    fs::read(path).map_err(|e| Failure::file(path, format!("cannot be read: {e}")))
}

/// Reads class names, one a line.
pub(crate) fn read_names(path: &Path) -> Outcome<Vec<String>> {
    let text = String::from_utf8(read(path)?)
        .map_err(|_| Failure::file(path, "not UTF-8 text; give class names, one a line"))?;
    let names: Vec<String> = text.trim_end().lines().map(|line| line.trim().to_owned()).collect();
    if let Some(line) = names.iter().position(String::is_empty) {
        return Err(Failure::file(path, format!("line {} is empty; give class names, one a line", line + 1)));
    }
    if names.is_empty() {
        return Err(Failure::file(path, "no names; give class names, one a line"));
    }
    Ok(names)
}

fn not_writable(error: &io::Error) -> String {
    format!("cannot be written to: {error}; choose another folder or change its rights")
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn open_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = parent(path).join(format!(".tilehawk-{}-{number}.tmp", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    Ok((temporary, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_bytes(&path, b"old").unwrap();
        let failed = write_whole(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("full"))
        });
        assert!(failed.unwrap_err().message().unwrap().contains("full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_under_a_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(prepare_folder(&file.join("out")).is_err());
        assert!(check_writable(&file.join("out.json")).is_err());
        prepare_folder(&folder.path().join("a/b")).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 0);
    }

    #[test]
    fn names_one_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names");
        fs::write(&path, "car\r\nbig truck\n\n").unwrap();
        assert_eq!(read_names(&path).unwrap(), ["car", "big truck"]);
        for bad in [&b""[..], b"\n\n", b"a\n\nb", b"\xff\xfe"] {
            fs::write(&path, bad).unwrap();
            assert!(read_names(&path).is_err(), "{bad:?}");
        }
    }
}
