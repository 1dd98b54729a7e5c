//! The one error type.

use std::fmt;
use std::path::Path;

/// What is wrong, with its place and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with a message that names place, reason and remedy.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// The same error with the name of the file before it.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Self {
        Self { message: format!("{}: {}", path.display(), self.message) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Reads a whole file without the byte order mark that some editors put first.
///
/// # Errors
///
/// If it cannot be read, or is no file: a pipe or device may never end.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let fail = |reason: String| Error::new(reason).in_file(path);
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(fail("not a file; give the name of one".to_owned()));
    }
    let mut bytes = std::fs::read(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

/// The first byte of a JSON text that is not white space.
pub(crate) fn first_byte(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}
