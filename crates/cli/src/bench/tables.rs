//! The numbers of a bench as text.

use super::layers::{Kind, Layers, Work};
use super::{Measured, Patience, Report};
use crate::table::{aligned, width, wrapped};
use tilehawk::geom::Shape;

/// Characters of a layer's name; of a longer one the end is shown.
const NAME: usize = 32;

/// What was measured, a table of rates, a table of times, and the layers.
pub(crate) fn tables(report: &Report, patience: Patience) -> String {
    let mut parts = vec![head(report, patience), aligned(&rates(report), 0).join("\n")];
    parts.push(format!("ms for a picture\n{}", aligned(&times(report), 0).join("\n")));
    if let Some(layers) = &report.layers {
        parts.push(self::layers(layers));
    }
    parts.join("\n\n")
}

fn head(report: &Report, patience: Patience) -> String {
    let ceilings = report.roofline.ceilings;
    let precision = if report.roofline.f16 { "f16" } else { "f32" };
    let f16 = ceilings
        .fma_f16_gflop_per_s
        .map_or_else(|| "none in f16".to_owned(), |rate| format!("{} GFLOP/s in f16", short(rate)));
    let most = |given: Option<u32>, most: u32| {
        if given.is_some() { most.to_string() } else { format!("up to {most}") }
    };
    let source = report.image.as_ref().map_or_else(|| "drawn".to_owned(), |image| format!("of {image}"));
    let lines = [
        format!("device    {}, {}; driver {}", report.device, report.backend, report.driver),
        format!(
            "model     {}, input {}x{}, {precision}, {} GFLOP a tile",
            report.model,
            report.net[0],
            report.net[1],
            short(report.flop as f64 / 1e9)
        ),
        format!(
            "picture   {} {source}, overlap {}{}",
            pixels(report.size),
            overlap(report.overlap),
            if report.full_image { ", full image" } else { "" }
        ),
        format!(
            "measured  medians of {} {} after {} to warm up{}",
            most(patience.runs, patience.runs()),
            if patience.runs == Some(1) { "run" } else { "runs" },
            most(patience.warm_up, patience.warm_up()),
            if patience.rounds > 1 {
                format!(", in each of {} rounds", patience.rounds)
            } else {
                String::new()
            }
        ),
        format!(
            "ceilings  copy {} GB/s, FMA {} GFLOP/s in f32, {f16}",
            short(ceilings.copy_gb_per_s),
            short(ceilings.fma_f32_gflop_per_s)
        ),
    ];
    let indent = "\n          ";
    lines.map(|line| wrapped_after(&line, indent)).join("\n")
}

/// A line in the width of the terminal; the rest of a longer one is indented.
fn wrapped_after(line: &str, indent: &str) -> String {
    let (name, text) = line.split_at(10.min(line.len()));
    format!("{name}{}", wrapped(text, width().saturating_sub(10)).join(indent))
}

/// The size of the picture, if it is the same in all rows.
pub(super) fn pixels(size: Option<[u32; 2]>) -> String {
    size.map_or_else(
        || "as large as its tiles".to_owned(),
        |[width, height]| format!("{width}x{height} pixels"),
    )
}

fn overlap([x, y]: [f64; 2]) -> String {
    if x == y { x.to_string() } else { format!("{x}x{y}") }
}

fn rates(report: &Report) -> Vec<Vec<String>> {
    let mut title = ["tile px", "tiles", "chunk", "pictures/s"].map(str::to_owned).to_vec();
    if report.in_flight > 1 {
        title.push(format!("{} in flight", report.in_flight));
    }
    let rest = ["MPix/s", "tiles/s", "GFLOP/s", "of FMA", "GB/s", "of copy", "of bound", "GPU MiB"];
    title.extend(rest.map(str::to_owned));
    let columns = title.len();
    let mut rows = vec![title];
    for row in &report.rows {
        let [width, height] = row.size.map(f64::from);
        let mut cells = vec![row.tile.to_string()];
        if let Ok(found) = &row.outcome {
            let pictures = found.part("total").map(|total| total.rate(1e3).median);
            let times = |factor: f64| cell(pictures.map(|rate| rate * factor), short);
            let work = report.rates(found);
            cells.extend([found.tiles.to_string(), found.chunk().to_string(), times(1.0)]);
            if report.in_flight > 1 {
                cells.push(cell(found.in_flight_ms.map(|ms| ms.rate(1e3).median), short));
            }
            cells.extend([times(width * height / 1e6), times(f64::from(found.tiles))]);
            cells.extend([
                cell(work.map(Work::gflops), short),
                cell(work.map(|work| report.fma_share(work)), percent),
                cell(work.map(Work::gb_per_s), short),
                cell(work.map(|work| report.copy_share(work)), percent),
                cell(work.map(Work::share), percent),
                short(found.gpu_bytes as f64 / f64::from(1 << 20)),
            ]);
        }
        cells.resize(columns, "-".to_owned());
        rows.push(cells);
    }
    rows
}

fn times(report: &Report) -> Vec<Vec<String>> {
    let mut title = ["tile px", "tiles", "runs"].map(str::to_owned).to_vec();
    for part in Measured::parts() {
        title.push(part.to_owned());
        if part == "total" {
            title.extend(["min", "max"].map(str::to_owned));
        }
    }
    let columns = title.len();
    let mut rows = vec![title];
    for row in &report.rows {
        let mut cells = vec![row.tile.to_string()];
        if let Ok(found) = &row.outcome {
            cells.extend([found.tiles.to_string(), found.runs.to_string()]);
            for part in Measured::parts() {
                let spread = found.part(part);
                cells.push(cell(spread.map(|spread| spread.median), short));
                if part == "total" {
                    cells.push(cell(spread.map(|spread| spread.min), short));
                    cells.push(cell(spread.map(|spread| spread.max), short));
                }
            }
        }
        cells.resize(columns, "-".to_owned());
        rows.push(cells);
    }
    rows
}

fn layers(layers: &Layers) -> String {
    let title = ["layer", "kind", "output", "ms", "MFLOP", "MB", "GFLOP/s", "GB/s", "of bound", "bound"];
    let mut rows = vec![title.map(str::to_owned).to_vec()];
    for layer in &layers.layers {
        let mut cells = vec![tail(&layer.name), layer.kind.clone(), sides(layer.output)];
        cells.extend(work(layer.work));
        rows.push(cells);
    }
    let title = ["kind", "layers", "ms", "of all", "MFLOP", "MB", "GFLOP/s", "GB/s", "of bound", "bound"];
    let mut kinds = vec![title.map(str::to_owned).to_vec()];
    let all = layers.all();
    kinds.extend(layers.kinds().iter().chain([&all]).map(|kind| summed(kind, all.work.ms)));
    let plain = layers.plain_ms.map_or_else(String::new, |plain| {
        format!(", the network without these timestamps {} ms", short(plain.median))
    });
    format!(
        "layers at tile {}, {} tiles: {} ms{plain}\n{}\n\n{}",
        layers.tile,
        layers.tiles,
        short(layers.sum_ms.median),
        aligned(&rows, 3).join("\n"),
        aligned(&kinds, 1).join("\n")
    )
}

fn summed(kind: &Kind, all_ms: f64) -> Vec<String> {
    let mut cells = vec![kind.name.clone(), kind.count.to_string()];
    cells.extend(work(kind.work));
    cells.insert(3, percent(kind.work.ms / all_ms));
    cells
}

fn work(work: Work) -> Vec<String> {
    let numbers = [work.ms, work.flop / 1e6, work.bytes / 1e6, work.gflops(), work.gb_per_s()];
    let mut cells = numbers.map(short).to_vec();
    cells.extend([percent(work.share()), if work.by_copy { "copy" } else { "FMA" }.to_owned()]);
    cells
}

fn sides(shape: Shape) -> String {
    format!("{}x{}x{}", shape.channels, shape.height, shape.width)
}

/// The end of a name.
fn tail(name: &str) -> String {
    let letters = name.chars().count();
    if letters <= NAME {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(letters + 1 - NAME)).collect()
}

fn cell(value: Option<f64>, text: fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { "-".to_owned() }
}

/// A number in three or more digits.
pub(super) fn short(value: f64) -> String {
    let decimals = match value.abs() {
        value if !value.is_finite() => return "-".to_owned(),
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        value if value >= 0.9995 => 2,
        0.0 => 0,
        value if value >= 0.01 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_names_their_end() {
        let texts = [12345.6, 99.96, 99.94, 9.996, 0.12345, 0.001_26, 0.0, f64::NAN].map(short);
        assert_eq!(texts, ["12346", "100", "99.9", "10.0", "0.123", "0.0013", "0", "-"]);
        assert_eq!((percent(0.1234), percent(f64::INFINITY)), ("12.3 %".to_owned(), "-".to_owned()));
        let name = "é".repeat(NAME + 2);
        assert_eq!(tail(&name), format!("…{}", "é".repeat(NAME - 1)));
        assert_eq!(tail("a"), "a");
        assert_eq!((overlap([0.2; 2]), overlap([0.2, 0.0])), ("0.2".to_owned(), "0.2x0".to_owned()));
    }
}
