//! The command line of tilehawk.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod annotate;
mod args;
mod bench;
mod boxes_file;
mod builtin;
mod classes;
mod coco;
mod commands;
mod dataset;
mod demo;
mod describe;
mod engine;
mod eval;
mod failure;
mod files;
mod heads;
mod images;
mod json;
mod names;
mod original;
mod parse;
mod pipeline;
mod pipeline_cache;
mod progress;
mod scene;
mod slicing;
mod table;
mod tuning;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let device = &cli.device;
    let done = match &cli.command {
        Command::Detect(args) => commands::detect::run(args, device),
        Command::Bench(args) => commands::bench::run(args, device),
        Command::Demo(args) => commands::demo::run(args, device),
        Command::Tiles(args) => commands::tiles::run(args),
        Command::Merge(args) => commands::merge::run(args, device),
        Command::Eval(args) => commands::eval::run(args),
        Command::Import(args) => commands::import::run(args, device),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::SliceDataset(args) => commands::slice_dataset::run(args),
        Command::FusionFactors(args) => commands::fusion_factors::run(args),
        Command::Info(args) => commands::info::run(args, device),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::from(failure.code())
        }
    }
}
