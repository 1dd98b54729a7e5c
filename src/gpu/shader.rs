//! Shader sources are minijinja templates: includes, conditions and loops expand before WGSL is parsed.

use crate::error::{Error, Result};
use minijinja::{Environment, UndefinedBehavior, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Functions and structs that kernels include as `{% include "shared/NAME.wgsl" %}`.
const SHARED: [(&str, &str); 31] = [
    ("shared/activation.wgsl", include_str!("../../shaders/shared/activation.wgsl")),
    ("shared/bucket.wgsl", include_str!("../../shaders/shared/bucket.wgsl")),
    ("shared/candidate.wgsl", include_str!("../../shaders/shared/candidate.wgsl")),
    ("shared/cells.wgsl", include_str!("../../shaders/shared/cells.wgsl")),
    ("shared/conv_io.wgsl", include_str!("../../shaders/shared/conv_io.wgsl")),
    ("shared/conv_params.wgsl", include_str!("../../shaders/shared/conv_params.wgsl")),
    ("shared/decode.wgsl", include_str!("../../shaders/shared/decode.wgsl")),
    ("shared/divide.wgsl", include_str!("../../shaders/shared/divide.wgsl")),
    ("shared/entry.wgsl", include_str!("../../shaders/shared/entry.wgsl")),
    ("shared/fade.wgsl", include_str!("../../shaders/shared/fade.wgsl")),
    ("shared/finite.wgsl", include_str!("../../shaders/shared/finite.wgsl")),
    ("shared/frame_pixel.wgsl", include_str!("../../shaders/shared/frame_pixel.wgsl")),
    ("shared/header.wgsl", include_str!("../../shaders/shared/header.wgsl")),
    ("shared/line.wgsl", include_str!("../../shaders/shared/line.wgsl")),
    ("shared/linear_id.wgsl", include_str!("../../shaders/shared/linear_id.wgsl")),
    ("shared/live.wgsl", include_str!("../../shaders/shared/live.wgsl")),
    ("shared/live_lanes.wgsl", include_str!("../../shaders/shared/live_lanes.wgsl")),
    ("shared/maps.wgsl", include_str!("../../shaders/shared/maps.wgsl")),
    ("shared/match_params.wgsl", include_str!("../../shaders/shared/match_params.wgsl")),
    ("shared/matrix_emulated.wgsl", include_str!("../../shaders/shared/matrix_emulated.wgsl")),
    ("shared/ordered.wgsl", include_str!("../../shaders/shared/ordered.wgsl")),
    ("shared/overlap.wgsl", include_str!("../../shaders/shared/overlap.wgsl")),
    ("shared/pointwise_step.wgsl", include_str!("../../shaders/shared/pointwise_step.wgsl")),
    ("shared/resample.wgsl", include_str!("../../shaders/shared/resample.wgsl")),
    ("shared/resample_write.wgsl", include_str!("../../shaders/shared/resample_write.wgsl")),
    ("shared/residual.wgsl", include_str!("../../shaders/shared/residual.wgsl")),
    ("shared/source_tile.wgsl", include_str!("../../shaders/shared/source_tile.wgsl")),
    ("shared/tally.wgsl", include_str!("../../shaders/shared/tally.wgsl")),
    ("shared/texture_pixel.wgsl", include_str!("../../shaders/shared/texture_pixel.wgsl")),
    ("shared/waiter.wgsl", include_str!("../../shaders/shared/waiter.wgsl")),
    ("shared/workgroup_scan.wgsl", include_str!("../../shaders/shared/workgroup_scan.wgsl")),
];

static ENVIRONMENT: LazyLock<std::result::Result<Environment<'static>, String>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in SHARED {
        environment.add_template(name, source).map_err(|e| format!("{e:#}"))?;
    }
    Ok(environment)
});

/// Expands a template with the values of a variant.
pub(crate) fn expand(name: &str, source: &str, values: &BTreeMap<&'static str, Value>) -> Result<String> {
    let fail = |reason: String| Error::device(format!("shader \"{name}\": {reason}"));
    let environment = ENVIRONMENT.as_ref().map_err(|e| fail(e.clone()))?;
    environment.render_named_str(name, source, values).map_err(|e| fail(format!("{e:#}")))
}
