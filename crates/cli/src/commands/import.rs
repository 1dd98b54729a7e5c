//! `import`: an ONNX file to a model file.

use super::check;
use crate::args::{DeviceArgs, ImportArgs};
use crate::failure::{Failure, Outcome, print_line, warn};
use crate::{describe, engine, files, heads, names, table};
use tilehawk::heads::Head;
use tilehawk::import::onnx::HeadKind;
use tilehawk::model::Model;

/// Imports, writes, prints what was recognised, and compares with the original if asked to.
pub(crate) fn run(args: &ImportArgs, device: &DeviceArgs) -> Outcome<()> {
    if args.head_help {
        return print_line(&heads::help(table::width()));
    }
    let input = args.input.as_deref().ok_or_else(|| Failure::Bad("no ONNX file is given".to_owned()))?;
    if let Some(out) = &args.out {
        if names::same_file(input, out) {
            return Err(Failure::file(out, "is the file to import; choose another name for -o"));
        }
        files::check_writable(out)?;
    }
    let picture = args.check.as_ref().map(|picture| check::read(picture.as_deref())).transpose()?;
    let model = engine::import_model(input, args)?;
    let info = model.info();
    let mut place = input;
    let mut size = String::new();
    if let Some(out) = &args.out {
        let bytes = model.to_bytes(args.f16).map_err(|e| Failure::from(e.at(out.display())))?;
        files::write_bytes(out, &bytes)?;
        place = out;
        size = format!(", {} bytes", bytes.len());
    }
    let head = info.head.as_ref().map_or("no head", |head| head.kind());
    print_line(&format!(
        "{}: {head} \"{}\", input {}x{}, {} classes, {} parameters, {} nodes{size}",
        place.display(),
        info.name,
        info.input.width,
        info.input.height,
        info.classes.len(),
        model.weights().parameters(),
        info.graph.nodes.len(),
    ))?;
    print_line(&recognised(&model, args))?;
    if info.head.is_none() && args.onnx.head != Some(HeadKind::Raw) {
        warn(&format!("warning: {}: {}", input.display(), heads::missing(&model)));
    } else if info.head.is_some() && !describe::has_names(&info.classes) {
        warn(&format!(
            "warning: {}: the file names none of its {} classes, so they are called \"class 0\", \"class 1\", ...; \
             give their names with --names FILE, one a line",
            input.display(),
            info.classes.len()
        ));
    }
    if let Some(Head::Gfl(head)) = &info.head
        && head.centre == 0.0
        && args.onnx.head_centre.is_none()
    {
        warn(&format!(
            "note: {}: the file does not say where in its cell a point of this head lies: at 0, as NanoDet's, was taken; \
             PicoDet's lies at the middle, --head-centre 0.5",
            input.display()
        ));
    }
    match picture {
        Some(picture) => check::run(input, &model, &picture, &args.python, device),
        None => Ok(()),
    }
}

/// What the import found out, and from where.
fn recognised(model: &Model, args: &ImportArgs) -> String {
    let info = model.info();
    let mut entries = vec![describe::entry("input", &[describe::input(&info.input)])];
    let head = match &info.head {
        Some(head) => describe::head(model, head),
        None => vec!["none".to_owned()],
    };
    entries.push(describe::entry("head", &head));
    let classes = match (&args.onnx.names, info.classes.is_empty()) {
        (_, true) => "none".to_owned(),
        (Some(path), _) => format!("{} (from {})", describe::classes(&info.classes), path.display()),
        (None, _) if describe::has_names(&info.classes) => {
            format!("{} (from the file)", describe::classes(&info.classes))
        }
        (None, _) => format!("{} without names", info.classes.len()),
    };
    entries.push(describe::entry("classes", &[classes]));
    entries.push(describe::entry("outputs", &describe::outputs(model)));
    entries.join("\n")
}
