//! What tests inside the crate share.

use super::{Context, ContextOptions};

/// A device; none is a failure where `TILEHAWK_REQUIRE_GPU` is 1, and said elsewhere.
pub(crate) fn context() -> Option<Context> {
    match Context::new(&ContextOptions::default()) {
        Ok(context) => Some(context),
        Err(error) => {
            let required = std::env::var_os("TILEHAWK_REQUIRE_GPU").is_some_and(|value| value == "1");
            assert!(!required, "a GPU is required: {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}
