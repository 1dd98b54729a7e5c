//! Times a network alone: `cargo run --release --features onnx --example forward -- MODEL [RUNS] [TILES] [f16] [fused|apart]`.
//! `fused` and `apart` say whether a depthwise and a 1x1 convolution share a dispatch; otherwise the device decides.
//! Prints milliseconds per run: median, least and most.

use std::error::Error;
use std::time::Instant;
use tilehawk::gpu::{Context, ContextOptions};
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::Model;
use tilehawk::{Forward, Precision};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("usage: forward MODEL [RUNS] [TILES] [f16] [fused|apart]")?;
    let number = |index: usize, default: u32| arguments.get(index).map_or(Ok(default), |text| text.parse());
    let (runs, tiles) = (number(1, 10)?, number(2, 1)?);
    let precision = if arguments.iter().any(|a| a == "f16") { Precision::F16 } else { Precision::F32 };

    let bytes = std::fs::read(path)?;
    let model = match path.ends_with(".onnx") {
        true => import(&bytes, &ImportOptions::default())?,
        false => Model::from_bytes(&bytes)?,
    };
    let mut context = Context::new(&ContextOptions::default())?;
    for (word, fused) in [("fused", true), ("apart", false)] {
        if arguments.iter().any(|a| a == word) {
            context = context.with_fusion(fused);
        }
    }
    let forward = Forward::new(&context, &model, tiles, precision)?;
    let input = &model.info().input;
    let values = 3 * input.width as usize * input.height as usize * tiles as usize;
    forward.upload(&(0..values).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect::<Vec<_>>())?;
    forward.run()?;
    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        forward.run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{}: {} dispatches, {tiles} tiles, {precision:?}: median {:.1} ms, {:.1} to {:.1} ms",
        context.info().name,
        forward.dispatches(),
        times[times.len() / 2],
        times[0],
        times[times.len() - 1]
    );
    Ok(())
}
