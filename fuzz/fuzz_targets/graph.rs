//! ONNX files built of random nodes. `DUMP=FILE` writes the file that an input makes; `SEEDS=OUT:FOLDER:...` writes
//! first inputs for all targets and ends.

#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use std::path::Path;
use tilehawk_fuzz::{graph, onnx, seeds};

fuzz_target!(
    init: {
        if let Ok(folders) = std::env::var("SEEDS") {
            let folders: Vec<&Path> = folders.split(':').map(Path::new).collect();
            seeds::write(folders[0], &folders[1..]).expect("seeds can be written");
            std::process::exit(0);
        }
    },
    |bytes: &[u8]| {
        if let Ok(file) = graph::file(&mut Unstructured::new(bytes)) {
            if let Some(path) = std::env::var_os("DUMP") {
                std::fs::write(path, &file).expect("DUMP can be written");
            }
            onnx::check(&file);
        }
    }
);
