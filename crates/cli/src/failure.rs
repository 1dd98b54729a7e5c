//! What ends a command: a message for the user and the exit code.

use std::io::{ErrorKind as IoKind, Write};
use std::path::Path;
use tilehawk::ErrorKind;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments, a file or the set-up are not usable; exit code 2.
    Bad(String),
    /// The device failed, and no other picture can be done; exit code 2.
    Device(String),
    /// The work was done, and its answer is no; exit code 1.
    Differs(String),
    /// Everything was reported where it happened; exit code 2.
    Reported,
    /// Whoever read standard output has gone; silence and exit code 0.
    ReaderGone,
}

/// `Result` with the command line's [`Failure`].
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure of a file: its name, the reason, and where there is one the remedy.
    pub(crate) fn file(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Bad(format!("{}: {reason}", path.display()))
    }

    /// A failure to write to standard output.
    pub(crate) fn stdout(error: &std::io::Error) -> Self {
        match error.kind() {
            IoKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Bad(format!("standard output: {error}")),
        }
    }

    /// The exit code: 2, but for an answer and a reader that has gone.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Differs(_) => 1,
            Self::Bad(_) | Self::Device(_) | Self::Reported => 2,
            Self::ReaderGone => 0,
        }
    }

    /// Whether work on other pictures makes sense after this.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Device(_) | Self::ReaderGone)
    }

    /// The message without a prefix, if there is one.
    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Self::Bad(message) | Self::Device(message) | Self::Differs(message) => Some(message),
            Self::Reported | Self::ReaderGone => None,
        }
    }

    /// The same failure with `place` put before its message.
    #[must_use]
    pub(crate) fn at(self, place: &Path) -> Self {
        let with = |message: String| format!("{}: {message}", place.display());
        match self {
            Self::Bad(message) => Self::Bad(with(message)),
            Self::Device(message) => Self::Device(with(message)),
            other => other,
        }
    }

    /// Writes the message to standard error.
    pub(crate) fn report(&self) {
        if let Some(message) = self.message() {
            warn(&format!("error: {message}"));
        }
    }
}

impl From<tilehawk::Error> for Failure {
    fn from(error: tilehawk::Error) -> Self {
        match error.kind() {
            ErrorKind::Device => Self::Device(error.to_string()),
            _ => Self::Bad(error.to_string()),
        }
    }
}

impl From<tilehawk_coco::Error> for Failure {
    fn from(error: tilehawk_coco::Error) -> Self {
        Self::Bad(error.to_string())
    }
}

/// A line on standard error; nobody is left to tell if that fails.
pub(crate) fn warn(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// A line on standard output.
pub(crate) fn print_line(line: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| Failure::stdout(&e))
}
