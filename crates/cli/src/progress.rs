//! A bar for work on many pictures, and counts in words.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// A bar where somebody sees it and there is something to wait for.
pub(crate) fn progress(pictures: usize) -> ProgressBar {
    if pictures < 2 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(pictures as u64);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} pictures, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// `1 box`, `2 boxes`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
