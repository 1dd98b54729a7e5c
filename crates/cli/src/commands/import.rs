//! `import`: an ONNX file to a model file.

use crate::args::ImportArgs;
use crate::failure::{Failure, Outcome, print_line};
use crate::{engine, files};
use std::path::Path;

/// Imports, writes, and prints what the model is.
pub(crate) fn run(args: &ImportArgs) -> Outcome<()> {
    files::check_writable(&args.out)?;
    let names = args.names.as_deref().map(read_names).transpose()?;
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

fn read_names(path: &Path) -> Outcome<Vec<String>> {
    let text = String::from_utf8(files::read(path)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_one_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names");
        std::fs::write(&path, "car\r\nbig truck\n\n").unwrap();
        assert_eq!(read_names(&path).unwrap(), ["car", "big truck"]);
        for bad in [&b""[..], b"\n\n", b"a\n\nb", b"\xff\xfe"] {
            std::fs::write(&path, bad).unwrap();
            assert!(read_names(&path).is_err(), "{bad:?}");
        }
    }
}
