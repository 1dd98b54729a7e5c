//! Runs the program and makes files for it.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// What a run left behind.
pub(crate) struct Run {
    /// Exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

/// Runs the program.
pub(crate) fn tilehawk(args: &[&str]) -> Run {
    tilehawk_with(args, &[("TILEHAWK_TUNE", "off")])
}

/// Runs the program with variables of the environment.
pub(crate) fn tilehawk_with(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tilehawk"));
    // Whatever device there is, tests leave the user's cache alone unless they bring their own.
    command.env("TILEHAWK_PIPELINE_CACHE", "off");
    let output = command.args(args).envs(variables.iter().copied()).output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Checks that a run ended with code 2, printed nothing, and said all of `reasons`.
pub(crate) fn fails(run: &Run, reasons: &[&str]) {
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("error: "), "{}", run.err);
    for reason in reasons {
        assert!(run.err.contains(reason), "no {reason:?} in {}", run.err);
    }
    assert!(!run.err.contains("panicked"), "{}", run.err);
}

/// A run that needs a device; none where there is no adapter, unless one is demanded.
pub(crate) fn on_device(args: &[&str]) -> Option<Run> {
    demand_device(tilehawk(args))
}

/// The run, if it found a device; none where there is no adapter, unless one is demanded.
pub(crate) fn demand_device(run: Run) -> Option<Run> {
    if run.err.contains("no adapter") {
        assert!(std::env::var_os("TILEHAWK_REQUIRE_GPU").is_none(), "{}", run.err);
        println!("skipped: no adapter");
        return None;
    }
    Some(run)
}

/// A file of the shared test material; none where that is missing, unless under CI.
pub(crate) fn shared(path: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if !path.exists() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", path.display());
        println!("skipped: {} is missing", path.display());
        return None;
    }
    Some(std::fs::read(path).unwrap())
}

/// A folder of files that goes away with its test.
pub(crate) struct Files(TempDir);

impl Files {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Writes a grey picture.
    pub(crate) fn picture(&self, name: &str, width: u32, height: u32) -> String {
        image::RgbImage::from_pixel(width, height, image::Rgb([128; 3])).save(self.path(name)).unwrap();
        self.path(name)
    }

    /// Makes a folder.
    pub(crate) fn folder(&self, name: &str) -> String {
        std::fs::create_dir(self.path(name)).unwrap();
        self.path(name)
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Bytes of a file.
    pub(crate) fn len(&self, name: &str) -> u64 {
        std::fs::metadata(self.path(name)).unwrap().len()
    }

    /// Names of the files of a folder, sorted.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Whether a file is there.
    pub(crate) fn exists(&self, name: &str) -> bool {
        self.0.path().join(name).exists()
    }
}
