//! Every variant of every kernel, checked without a GPU: parses, validates, translates, and agrees with its twin.

use super::all;
use crate::gpu::{Access, KernelSpec, Variant};
use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn parse(name: &str, source: &str) -> Result<(naga::Module, ModuleInfo), String> {
    let mut frontend = naga::front::wgsl::Frontend::new();
    let module = frontend.parse(source).map_err(|e| format!("{name}: {}", e.emit_to_string(source)))?;
    let capabilities =
        Capabilities::SHADER_FLOAT16 | Capabilities::SUBGROUP | Capabilities::COOPERATIVE_MATRIX;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|e| format!("{name}: {}", e.emit_to_string(source)))?;
    Ok((module, info))
}

fn variants() -> impl Iterator<Item = (&'static KernelSpec, Variant, String)> {
    all().into_iter().flat_map(|(spec, variants)| {
        assert!(!variants.is_empty(), "{} lists no variant", spec.name);
        variants.into_iter().map(move |variant| {
            let source = spec.wgsl(&variant).expect("the template expands");
            (spec, variant, source)
        })
    })
}

fn has_matrices(source: &str) -> bool {
    source.contains("enable wgpu_cooperative_matrix;")
}

fn to_spirv(module: &naga::Module, info: &ModuleInfo, lang_version: (u8, u8)) -> Vec<u32> {
    let options = spv::Options { lang_version, ..spv::Options::default() };
    spv::write_vec(module, info, &options, None).expect("SPIR-V")
}

#[test]
fn every_variant_validates_and_translates() {
    for (spec, _, source) in variants() {
        let (module, info) = parse(spec.name, &source).unwrap_or_else(|e| panic!("{e}"));
        assert!(!to_spirv(&module, &info, (1, 3)).is_empty());
        let options =
            msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..msl::Options::default() };
        msl::write_string(&module, &info, &options, &msl::PipelineOptions::default()).expect("MSL");
        if has_matrices(&source) {
            // Direct3D has none, and naga's writer panics.
            continue;
        }
        let options = hlsl::Options {
            shader_model: hlsl::ShaderModel::V6_2,
            fake_missing_bindings: true,
            ..hlsl::Options::default()
        };
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default())
            .write(&module, &info, None)
            .expect("HLSL");
        assert!(!text.is_empty());
    }
}

#[test]
fn a_broken_shader_is_found() {
    assert!(parse("broken", "@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }").is_err());
}

#[test]
fn bindings_agree_with_the_declaration() {
    for (spec, _, source) in variants() {
        let (module, _) = parse(spec.name, &source).expect("valid");
        let entry = module.entry_points.iter().find(|e| e.name == "main").expect("an entry point \"main\"");
        assert_eq!(entry.workgroup_size, spec.workgroup, "{}", spec.name);
        let mut storage = 0;
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = &variable.binding else { continue };
            assert_eq!(binding.group, 0, "{}", spec.name);
            let declared = spec.bindings.get(binding.binding as usize).expect("declared");
            assert_eq!(Some(declared.name), variable.name.as_deref(), "{}", spec.name);
            let access = match variable.space {
                naga::AddressSpace::Uniform => Access::Uniform,
                naga::AddressSpace::Handle => Access::Texture,
                naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => {
                    Access::ReadWrite
                }
                _ => Access::Read,
            };
            assert_eq!(declared.access, access, "{}: {}", spec.name, declared.name);
            storage += u32::from(matches!(access, Access::Read | Access::ReadWrite));
        }
        assert!(storage <= 8, "{}: {storage} storage buffers", spec.name);
        let workgroup_bytes: u32 = module
            .global_variables
            .iter()
            .filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup)
            .map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()))
            .sum();
        assert!(workgroup_bytes <= 16_384, "{}: {workgroup_bytes} bytes of workgroup memory", spec.name);
    }
}

#[test]
fn shared_structs_have_the_size_of_their_twins() {
    use super::{decode, nn, preprocess};
    use crate::stages::{Candidate, Header};
    let twins = [
        ("MapParams", size_of::<nn::MapParams>()),
        ("MapsParams", size_of::<nn::MapsParams>()),
        ("SourceTile", size_of::<preprocess::SourceTile>()),
        ("ResampleParams", size_of::<preprocess::ResampleParams>()),
        ("DecodeParams", size_of::<decode::DecodeParams>()),
        ("Candidate", size_of::<Candidate>()),
        ("Header", size_of::<Header>()),
    ];
    let mut seen = HashSet::new();
    for (spec, _, source) in variants() {
        let (module, _) = parse(spec.name, &source).expect("valid");
        for (_, ty) in module.types.iter() {
            let Some(name) = ty.name.as_deref() else { continue };
            if let Some((_, size)) = twins.iter().find(|(twin, _)| *twin == name) {
                assert_eq!(ty.inner.size(module.to_ctx()) as usize, *size, "{}: {name}", spec.name);
                seen.insert(name.to_owned());
            }
        }
    }
    assert_eq!(seen.len(), twins.len(), "not all twins were seen: {seen:?}");
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_shader_has_its_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names: HashSet<&str> = all().iter().map(|(spec, _)| spec.name).collect();
    let mut stems = Vec::new();
    for path in files(&root.join("shaders"), "wgsl") {
        let relative = path.strip_prefix(root.join("shaders")).expect("inside");
        if relative.starts_with("shared") {
            continue;
        }
        let twin = root.join("src/kernels").join(relative).with_extension("rs");
        assert!(twin.exists(), "{} has no {}", path.display(), twin.display());
        let stem = path.file_stem().and_then(|s| s.to_str()).expect("a name").to_owned();
        assert!(names.contains(stem.as_str()), "kernel \"{stem}\" is not listed in kernels::all()");
        stems.push(stem);
    }
    // A second kernel from one template is named after it: visit, visit_up.
    for name in names {
        let named = stems.iter().any(|stem| name == stem || name.starts_with(&format!("{stem}_")));
        assert!(named, "kernel \"{name}\" has no shader");
    }
}

#[test]
fn spirv_val_accepts_every_variant() {
    if Command::new("spirv-val").arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "spirv-val is not installed");
        eprintln!("skipped: spirv-val is not installed");
        return;
    }
    let mut unknown = 0;
    for (spec, variant, source) in variants() {
        let (module, info) = parse(spec.name, &source).expect("valid");
        // The extension of cooperative matrices is written against SPIR-V 1.6.
        let (lang_version, environment) =
            if has_matrices(&source) { ((1, 6), "vulkan1.3") } else { ((1, 3), "vulkan1.1") };
        let words = to_spirv(&module, &info, lang_version);
        let (accepted, message) = spirv_val(bytemuck::cast_slice(&words), environment);
        if has_matrices(&source) && message.contains("Invalid capability operand: 6022") {
            unknown += 1;
            continue;
        }
        assert!(accepted, "{} {variant:?}: {message}", spec.name);
    }
    if unknown > 0 {
        eprintln!(
            "skipped: {unknown} variants with cooperative matrices, which this spirv-val does not know"
        );
    }
    assert!(!spirv_val(&[3, 2, 35, 7, 0, 0, 0, 0], "vulkan1.1").0, "spirv-val accepts rubbish");
}

/// Newer SPIRV-Tools reject every workgroup array for lack of an explicit layout; that one message is allowed.
fn spirv_val(bytes: &[u8], environment: &str) -> (bool, String) {
    let mut child = Command::new("spirv-val")
        .args(["--target-env", environment, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spirv-val runs");
    child.stdin.take().expect("a pipe").write_all(bytes).expect("written");
    let output = child.wait_with_output().expect("spirv-val ends");
    let message =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let accepted = output.status.success() || message.contains("VUID-StandaloneSpirv-None-10684");
    (accepted, message)
}
