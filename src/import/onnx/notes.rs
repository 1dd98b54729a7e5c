//! What exporters note in a file's metadata: class names, the network's own input, the task.

use super::options::ImportOptions;
use super::proto::{ModelProto, ValueInfo};
use crate::geom::ResizeMode;

/// The element type of 8-bit numbers without sign.
const BYTES: i64 = 2;

/// The options with what the file says of itself where they say nothing.
pub(super) fn with_notes(options: &ImportOptions, proto: &ModelProto<'_>) -> ImportOptions {
    let mut options = options.clone();
    let note = |key: &str| proto.notes.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    if options.classes.is_none() {
        options.classes = note("names").and_then(class_names);
    }
    // A network that takes bytes normalises them itself.
    let takes_bytes = |input: &ValueInfo<'_>| input.dims.len() == 4 && input.data_type == BYTES;
    if proto.graph.inputs.iter().any(takes_bytes) {
        options.mean = options.mean.or(Some([0.0; 3]));
        options.std = options.std.or(Some([1.0; 3]));
    }
    // Ultralytics notes a stride and a task; its networks see RGB in 0..=1, the picture in the middle.
    if note("stride").is_some() && note("task").is_some() {
        options.resize = options.resize.or(Some(ResizeMode::LetterboxCentre));
        options.order = options.order.or(Some(crate::model::ChannelOrder::Rgb));
        options.mean = options.mean.or(Some([0.0; 3]));
        options.std = options.std.or(Some([255.0; 3]));
        let open =
            |input: &ValueInfo<'_>| input.dims.len() == 4 && input.dims.iter().skip(1).any(Option::is_none);
        if proto.graph.inputs.iter().any(open) {
            options.size = options.size.or_else(|| note("imgsz").and_then(sides));
        }
    }
    if options.licence.is_empty() {
        note("license").unwrap_or_default().clone_into(&mut options.licence);
    }
    options
}

/// Two numbers in brackets: height and width.
fn sides(text: &str) -> Option<[u32; 2]> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (height, width) = inner.split_once(',')?;
    Some([height.trim().parse().ok()?, width.trim().parse().ok()?])
}

/// The names of a mapping from class to name, as Python or JSON writes it, or of a list of names; none unless there is
/// one for each class from 0 on.
fn class_names(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    let is_list = text.starts_with('[');
    let inner = text.strip_prefix(['{', '['])?.strip_suffix(['}', ']'])?;
    let mut names: Vec<(usize, String)> = Vec::new();
    let mut rest = inner.trim();
    while !rest.is_empty() {
        let index = if is_list {
            names.len()
        } else {
            let (key, tail) = rest.split_once(':')?;
            rest = tail.trim_start();
            key.trim().trim_matches(['"', '\'']).parse().ok()?
        };
        let (name, tail) = quoted(rest)?;
        names.push((index, name));
        rest = tail.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(tail) => tail.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    names.sort_by_key(|(index, _)| *index);
    let whole = names.iter().map(|(index, _)| *index).eq(0..names.len());
    (whole && !names.is_empty()).then(|| names.into_iter().map(|(_, name)| name).collect())
}

/// A string in single or double quotes with backslash escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.char_indices();
    let (_, quote) = chars.next().filter(|(_, c)| matches!(c, '"' | '\''))?;
    let mut name = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            c if c == quote => return Some((name, text.get(at + 1..)?)),
            c => name.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_python_and_json() {
        let names = |text| class_names(text).map(|names| names.join("|"));
        assert_eq!(
            names("{0: 'person', 1: \"driver's seat\", 2: 'it\\'s'}").as_deref(),
            Some("person|driver's seat|it's")
        );
        assert_eq!(names("{\"1\": \"b\", \"0\": \"a\"}").as_deref(), Some("a|b"));
        assert_eq!(names("['a, b', 'c']").as_deref(), Some("a, b|c"));
        for bad in ["", "{", "{}", "{1: 'a'}", "{0: a}", "{0: 'a' 1: 'b'}", "{0: 'a"] {
            assert_eq!(names(bad), None, "{bad}");
        }
    }

    #[test]
    fn sides_of_the_input() {
        assert_eq!(sides("[256, 320]"), Some([256, 320]));
        assert_eq!(sides("320"), None);
    }
}
