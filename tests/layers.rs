//! The one-way rule of docs/ARCHITECTURE.md: which module may name which. Tests inside the modules are exempt.

use std::path::{Path, PathBuf};

/// Each module of the crate root with the modules that it may use.
const RULE: [(&str, &[&str]); 13] = [
    ("error", &[]),
    ("geom", &["error"]),
    ("heads", &["error", "geom"]),
    ("model", &["error", "geom", "heads"]),
    ("import", &["error", "geom", "heads", "model"]),
    ("reference", &["error", "geom", "heads", "model"]),
    ("gpu", &["error"]),
    ("kernels", &["error", "geom", "model", "gpu"]),
    ("stages", &["error", "geom", "heads", "model", "gpu", "kernels"]),
    ("ceilings", &["error", "gpu", "kernels"]),
    ("forward", &["error", "geom", "model", "gpu", "stages"]),
    ("merge", &["error", "geom", "gpu", "kernels", "stages"]),
    ("detector", &["error", "geom", "heads", "model", "gpu", "kernels", "stages", "forward", "merge"]),
];

/// Modules without a GPU: they never name wgpu.
const PURE: [&str; 6] = ["error", "geom", "heads", "model", "import", "reference"];

/// Plain records of the result that lower modules name all the same.
const RECORDS: [(&str, &str); 2] = [("kernels", "stages::Header"), ("reference", "stages::Candidate")];

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The code of a file without comments and without its `mod tests`.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The paths from the crate root that `code` names; the file's module lies `depth` levels below the root.
fn paths(code: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("crate::") {
        if !code[..start].ends_with(|c: char| is_word(c) || c == '$' || c == ':') {
            found.extend(targets(&code[start + "crate::".len()..]));
        }
    }
    let climb = "super::".repeat(depth);
    for (start, _) in code.match_indices(&climb) {
        if !code[..start].ends_with(|c: char| is_word(c) || c == ':') {
            found.extend(targets(&code[start + climb.len()..]));
        }
    }
    found
}

/// The path that `rest` starts with, or each one of a group in braces.
fn targets(rest: &str) -> Vec<String> {
    let path = |text: &str| text.chars().take_while(|&c| is_word(c) || c == ':').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![path(rest)] };
    let (mut level, mut item, mut items) = (1, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => level += 1,
            '}' => level -= 1,
            _ => {}
        }
        if level == 0 || (level == 1 && c == ',') {
            items.push(path(item.trim()));
            item.clear();
        } else {
            item.push(c);
        }
        if level == 0 {
            break;
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

/// What a file at `path` below src/ does against the rule.
fn violations(path: &Path, text: &str) -> Vec<String> {
    let mut names: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    let (place, depth, module) = (path.display(), names.len(), names[0].as_str());
    if module == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = RULE.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{place}: module \"{module}\" has no row in the rule")];
    };
    let code = code(text);
    let mut wrong = Vec::new();
    for used in paths(&code, depth) {
        let root = used.split(':').next().unwrap_or("");
        let is_record = RECORDS.contains(&(module, used.as_str()));
        if root != module && !allowed.contains(&root) && !is_record {
            wrong.push(format!("{place}: {module} may not use {used}"));
        }
    }
    let names_wgpu = |(start, name): (usize, &str)| {
        !code[..start].ends_with(is_word) && !code[start + name.len()..].starts_with(is_word)
    };
    if PURE.contains(&module) && code.match_indices("wgpu").any(names_wgpu) {
        wrong.push(format!("{place}: {module} is pure and may not use wgpu"));
    }
    wrong
}

/// Rust files below a folder; files that hold only tests are left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && !stem.ends_with("tests") {
            found.push(path);
        }
    }
    found
}

#[test]
fn modules_use_only_what_lies_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = files(&root);
    assert!(files.len() > 80, "only {} files were found", files.len());
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|path| {
            violations(path.strip_prefix(&root).unwrap(), &std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rule_has_no_cycle() {
    for (place, (_, allowed)) in RULE.iter().enumerate() {
        for name in *allowed {
            assert!(RULE[..place].iter().any(|(below, _)| below == name), "{name} is not above its user");
        }
    }
}

#[test]
fn a_violation_is_found() {
    let found = |path: &str, text: &str| violations(Path::new(path), text);
    let bad = [
        ("geom/rect.rs", "use crate::model::Graph;"),
        ("geom/rect.rs", "fn f() -> crate::gpu::Context {"),
        ("geom/rect.rs", "use super::super::stages;"),
        ("geom/mod.rs", "use super::stages;"),
        ("geom/rect.rs", "use crate::{error::Error, stages::{A, B}};"),
        ("heads/mod.rs", "use crate::model::Model;"),
        ("gpu/context.rs", "use crate::geom::RectPx;"),
        ("kernels/nn/pool.rs", "use crate::heads::Head;"),
        ("kernels/rank/begin.rs", "use crate::stages::Candidate;"),
        ("stages/infer.rs", "use crate::detector::Detector;"),
        ("merge.rs", "use crate::detector::Detector;"),
        ("model/graph.rs", "fn f(device: &wgpu::Device) {}"),
        ("new.rs", ""),
    ];
    for (path, text) in bad {
        assert_eq!(found(path, text).len(), 1, "{path}: {text}: {:?}", found(path, text));
    }
    let good = [
        ("geom/rect.rs", "// use crate::model::Graph;"),
        ("geom/rect.rs", "use super::Shape; use crate::geom::Tile; use crate::error::Result;"),
        ("kernels/merge/merge_finish.rs", "use crate::stages::Header;"),
        ("reference/decode.rs", "use crate::stages::Candidate;"),
        ("model/graph.rs", "let not_wgpu = 1;"),
        ("model/fuse.rs", "use super::Graph;\n#[cfg(test)]\nmod tests {\n    use crate::reference::run;"),
    ];
    for (path, text) in good {
        assert_eq!(found(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}
