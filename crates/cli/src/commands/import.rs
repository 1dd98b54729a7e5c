//! `import`: an ONNX file to a model file.

use crate::args::ImportArgs;
use crate::failure::{Outcome, print_line};
use crate::{engine, files};

/// Imports, writes, and prints what the model is.
pub(crate) fn run(args: &ImportArgs) -> Outcome<()> {
    files::check_writable(&args.out)?;
    let names = args.names.as_deref().map(files::read_names).transpose()?;
    let model = engine::import_model(args, names)?;
    let bytes = model.to_bytes(args.f16)?;
    files::write_bytes(&args.out, &bytes)?;
    let info = model.info();
    let head = info.head.as_ref().map_or("no head", |head| head.kind());
    print_line(&format!(
        "{}: {} \"{}\", input {}x{}, {} classes, {} parameters, {} nodes, {} bytes",
        args.out.display(),
        head,
        info.name,
        info.input.width,
        info.input.height,
        info.classes.len(),
        model.weights().parameters(),
        info.graph.nodes.len(),
        bytes.len()
    ))
}
