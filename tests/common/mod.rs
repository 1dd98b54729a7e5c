//! What the GPU tests share.

use tilehawk::gpu::{Context, ContextOptions};

/// A device, or `None` with a printed note where there is none; `TILEHAWK_REQUIRE_GPU=1` makes that a failure.
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
