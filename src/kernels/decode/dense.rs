//! Dense head, one level.

use super::{DecodeParams, LevelArgs, groups};
use crate::error::Result;
use crate::gpu::{Bind, Binding, KernelSpec, Recorder, Variant};
use crate::kernels::nn::{Launch, Map};

pub(crate) const KERNEL: KernelSpec = KernelSpec {
    name: "dense",
    source: include_str!("../../../shaders/decode/dense.wgsl"),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding::uniform("p"),
        Binding::read("tiles"),
        Binding::read("boxes"),
        Binding::read("classes"),
        Binding::read("objectness"),
        Binding::read("least_scores"),
        Binding::write("flags"),
        Binding::write("found"),
        Binding::write("header"),
    ],
};

/// How a level's values are read; the formulas are in docs/MODEL_FORMAT.md.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DenseForm {
    /// One of `BOX_FORMS`, as the template names them.
    pub(crate) box_form: &'static str,
    pub(crate) box_sigmoid: bool,
    pub(crate) class_sigmoid: bool,
    pub(crate) objectness_sigmoid: bool,
    pub(crate) size_factor: f32,
    pub(crate) class_power: f32,
    pub(crate) objectness_power: f32,
    /// The point of a cell, in cells.
    pub(crate) offset: [f32; 2],
    /// Input pixels of a unit.
    pub(crate) gain: [f32; 2],
    pub(crate) size: [f32; 2],
}

#[cfg(test)]
const BOX_FORMS: [&str; 5] = ["centre", "centre_exp", "centre_square", "corners", "distances"];

fn power_form(power: f32) -> &'static str {
    if power == 1.0 {
        "one"
    } else if power == 0.5 {
        "sqrt"
    } else {
        "pow"
    }
}

fn variant(f16: bool, form: &DenseForm, objectness: bool) -> Variant {
    // What only an objectness map asks for makes no variants without one.
    let objectness_power = if objectness { form.objectness_power } else { 1.0 };
    Variant::storage(f16)
        .with("box_form", form.box_form)
        .with("box_sigmoid", form.box_sigmoid)
        .with("class_sigmoid", form.class_sigmoid)
        .with("class_power", power_form(form.class_power))
        .with("objectness", objectness)
        .with("objectness_sigmoid", objectness && form.objectness_sigmoid)
        .with("objectness_power", power_form(objectness_power))
}

/// Every box form with one score, and every score with one box form: the template's parts for them do not meet.
#[cfg(test)]
pub(crate) fn variants() -> Vec<Variant> {
    let plain = DenseForm {
        box_form: BOX_FORMS[0],
        box_sigmoid: false,
        class_sigmoid: false,
        objectness_sigmoid: false,
        size_factor: 1.0,
        class_power: 1.0,
        objectness_power: 1.0,
        offset: [0.0; 2],
        gain: [1.0; 2],
        size: [1.0; 2],
    };
    let mut forms = Vec::new();
    for box_form in BOX_FORMS {
        forms.extend([false, true].map(|box_sigmoid| (DenseForm { box_form, box_sigmoid, ..plain }, true)));
    }
    for class_power in [1.0, 0.5, 0.4] {
        for class_sigmoid in [false, true] {
            let form = DenseForm { class_sigmoid, class_power, ..plain };
            forms.push((form, false));
            for objectness_power in [1.0, 0.5, 0.6] {
                for objectness_sigmoid in [false, true] {
                    forms.push((DenseForm { objectness_sigmoid, objectness_power, ..form }, true));
                }
            }
        }
    }
    let with_storage = |f16| forms.iter().map(move |(form, objectness)| variant(f16, form, *objectness));
    [false, true].into_iter().flat_map(with_storage).collect()
}

/// Records the decoding of one level from its box, class and, where it has one, objectness map.
pub(crate) fn record(
    recorder: &mut Recorder<'_>,
    launch: Launch,
    args: &LevelArgs<'_>,
    ([boxes, classes], objectness): ([Map<'_>; 2], Option<Map<'_>>),
    form: &DenseForm,
) -> Result<()> {
    let kernel = recorder.context.kernel(&KERNEL, &variant(launch.f16, form, objectness.is_some()))?;
    let params = recorder.uniform(&DecodeParams {
        objectness_base: objectness.map_or(0, |map| map.base),
        objectness_tile: objectness.map_or(0, |map| map.tile),
        offset: form.offset,
        gain: form.gain,
        size: form.size,
        size_factor: form.size_factor,
        class_power: form.class_power,
        objectness_power: form.objectness_power,
        ..DecodeParams::new(launch, args, boxes, classes)
    })?;
    let binds = [
        &params,
        args.tiles,
        boxes.buffer,
        classes.buffer,
        // Bound and not read where there is none.
        objectness.unwrap_or(boxes).buffer,
        args.least_scores,
        args.flags,
        args.found,
        args.header,
    ];
    recorder.dispatch(&kernel, &binds.map(Bind::Buffer), groups(launch, classes, KERNEL.workgroup[0]))
}
