//! The numbers of a bench as JSON and CSV, described in docs/FORMATS.md.

use super::layers::{Kind, Layer, Work};
use super::{Measured, Report, Row, Spread};
use crate::bench::measure::Patience;
use serde_json::{Map, Value, json};

/// All numbers. What could not be measured is null.
pub(crate) fn document(report: &Report, patience: Patience) -> Value {
    let ceilings = report.roofline.ceilings;
    let layers = report.layers.as_ref();
    json!({
        "device": report.device,
        "backend": report.backend,
        "driver": report.driver,
        "version": env!("CARGO_PKG_VERSION"),
        "timestamps": report.timestamps,
        "matrices": report.matrices,
        "model": report.model,
        "net_width": report.net[0],
        "net_height": report.net[1],
        "precision": if report.roofline.f16 { "f16" } else { "f32" },
        "flop_per_tile": report.flop,
        "image": report.image,
        "width": report.size.map(|[width, _]| width),
        "height": report.size.map(|[_, height]| height),
        "overlap": report.overlap,
        "full_image": report.full_image,
        "rounds": patience.rounds,
        "runs": patience.runs(),
        "warm_up": patience.warm_up(),
        "in_flight": report.in_flight,
        "ceilings": {
            "copy_gb_per_s": ceilings.copy_gb_per_s,
            "fma_f32_gflops": ceilings.fma_f32_gflop_per_s,
            "fma_f16_gflops": ceilings.fma_f16_gflop_per_s,
        },
        "rows": report.rows.iter().map(|row| self::row(report, row)).collect::<Vec<_>>(),
        "layers_of": layers.map(|layers| json!({
            "tile": layers.tile,
            "tiles": layers.tiles,
            "ms": layers.sum_ms.median,
            "network_ms": layers.plain_ms.map(|spread| spread.median),
        })),
        "layers": layers.map(|layers| layers.layers.iter().map(layer).collect::<Vec<_>>()),
        "layer_kinds": layers.map(|layers| layers.kinds().iter().map(kind).collect::<Vec<_>>()),
    })
}

/// A line for each tile size, under the names of its fields in the document.
pub(crate) fn csv(report: &Report) -> String {
    let mut lines = Vec::new();
    for row in &report.rows {
        let mut fields = Vec::new();
        flatten("", &self::row(report, row), &mut fields);
        if lines.is_empty() {
            lines.push(fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(","));
        }
        lines.push(fields.iter().map(|(_, value)| cell(value)).collect::<Vec<_>>().join(","));
    }
    lines.join("\n")
}

/// The values inside a value; their names are joined by `_`.
fn flatten(name: &str, value: &Value, fields: &mut Vec<(String, Value)>) {
    let Value::Object(inner) = value else { return fields.push((name.to_owned(), value.clone())) };
    for (key, value) in inner {
        let name = if name.is_empty() { key.clone() } else { format!("{name}_{key}") };
        flatten(&name, value, fields);
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.contains([',', '"', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn row(report: &Report, row: &Row) -> Value {
    let found = row.outcome.as_ref().ok();
    let [width, height] = row.size.map(f64::from);
    let pictures = found.and_then(|found| found.part("total")).map(|total| total.rate(1e3));
    let of = |of: fn(Spread) -> f64, factor: f64| pictures.map(|spread| of(spread) * factor);
    let in_flight = found.and_then(|found| found.in_flight_ms).map(|ms| ms.rate(1e3));
    let tiles = found.map_or(0.0, |found| f64::from(found.tiles));
    let rates = found.and_then(|found| report.rates(found));
    json!({
        "tile": row.tile,
        "net": report.net[0].max(report.net[1]),
        "width": row.size[0],
        "height": row.size[1],
        "tiles": found.map(|found| found.tiles),
        "chunks": found.map(|found| found.chunks),
        "chunk": found.map(Measured::chunk),
        "runs": found.map(|found| found.runs),
        "pictures_per_s": of(|spread| spread.median, 1.0),
        "pictures_per_s_min": of(|spread| spread.min, 1.0),
        "pictures_per_s_max": of(|spread| spread.max, 1.0),
        "pictures_per_s_in_flight": in_flight.map(|spread| spread.median),
        "pictures_per_s_in_flight_min": in_flight.map(|spread| spread.min),
        "pictures_per_s_in_flight_max": in_flight.map(|spread| spread.max),
        "mpix_per_s": of(|spread| spread.median, width * height / 1e6),
        "tiles_per_s": of(|spread| spread.median, tiles),
        "tiles_per_s_min": of(|spread| spread.min, tiles),
        "tiles_per_s_max": of(|spread| spread.max, tiles),
        "gflops": rates.map(Work::gflops),
        "gb_per_s": rates.map(Work::gb_per_s),
        "share_of": {
            "fma": rates.map(|work| report.fma_share(work)),
            "copy": rates.map(|work| report.copy_share(work)),
            "bound": rates.map(Work::share),
        },
        "gpu_bytes": found.map(|found| found.gpu_bytes),
        "ms": parts(found, |spread| spread.median),
        "ms_min": parts(found, |spread| spread.min),
        "ms_max": parts(found, |spread| spread.max),
        "error": row.outcome.as_ref().err(),
    })
}

fn parts(found: Option<&Measured>, of: fn(Spread) -> f64) -> Value {
    let names = Measured::parts().map(|part| {
        let value = found.and_then(|found| found.part(part)).map(of);
        (part.to_owned(), json!(value))
    });
    Value::Object(names.collect::<Map<_, _>>())
}

fn layer(layer: &Layer) -> Value {
    let mut value = json!({
        "name": layer.name,
        "op": layer.op,
        "kind": layer.kind,
        "kernel": layer.kernel,
        "output": layer.output.sides(),
    });
    add(&mut value, layer.work);
    value
}

fn kind(kind: &Kind) -> Value {
    let mut value = json!({ "kind": kind.name, "layers": kind.count });
    add(&mut value, kind.work);
    value
}

fn add(value: &mut Value, work: Work) {
    value["ms"] = json!(work.ms);
    value["flop"] = json!(work.flop);
    value["bytes"] = json!(work.bytes);
    value["gflops"] = json!(work.gflops());
    value["gb_per_s"] = json!(work.gb_per_s());
    value["share_of_bound"] = json!(work.share());
    value["bound"] = json!(if work.by_copy { "copy" } else { "fma" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Roofline;
    use tilehawk::Ceilings;
    use tilehawk::model::Cost;

    #[test]
    fn what_was_not_measured_is_null() {
        let total = Spread { median: 20.0, min: 10.0, max: 40.0 };
        let ms = vec![("total", Some(total)), ("upload", Some(total)), ("network", None)];
        let found = Measured {
            cost: Cost::default(),
            tiles: 8,
            chunks: 3,
            gpu_bytes: 5,
            runs: 4,
            ms,
            layers: Vec::new(),
            in_flight_ms: None,
        };
        let ceilings = Ceilings { copy_gb_per_s: 1.0, fma_f32_gflop_per_s: 1.0, fma_f16_gflop_per_s: None };
        let report = Report {
            device: "d".to_owned(),
            backend: "b".to_owned(),
            driver: "e".to_owned(),
            timestamps: false,
            matrices: None,
            model: "m".to_owned(),
            net: [416, 320],
            size: Some([2000, 1000]),
            image: None,
            overlap: [0.2; 2],
            full_image: false,
            in_flight: 1,
            roofline: Roofline { ceilings, f16: false },
            flop: 0,
            rows: vec![
                Row { size: [2000, 1000], tile: 640, outcome: Ok(found) },
                Row { size: [2000, 1000], tile: 1, outcome: Err("too, many".to_owned()) },
            ],
            layers: None,
        };
        let document = document(&report, Patience { rounds: 3, runs: None, warm_up: Some(0) });
        let [good, bad] = [0, 1].map(|place| &document["rows"][place]);
        assert!(good["pictures_per_s"] == 50.0 && good["pictures_per_s_min"] == 25.0, "{good}");
        assert!(good["tiles_per_s_max"] == 800.0 && good["mpix_per_s"] == 100.0, "{good}");
        assert!(good["chunk"] == 3 && good["net"] == 416 && good["ms_max"]["upload"] == 40.0, "{good}");
        for (row, name) in
            [(good, "gflops"), (good, "gb_per_s"), (bad, "tiles"), (bad, "runs"), (bad, "chunk")]
        {
            assert!(row[name].is_null(), "{name}: {row}");
        }
        assert!(good["ms"]["network"].is_null() && good["share_of"]["bound"].is_null(), "{good}");
        assert!(document["ceilings"]["fma_f16_gflops"].is_null() && document["layers"].is_null());
        assert!(document["rounds"] == 3 && document["runs"] == 10 && document["warm_up"] == 0, "{document}");
        let csv = csv(&report);
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines.len() == 3 && lines[1].starts_with("640,416,2000,1000,8,3,3,4,50.0,"), "{csv}");
        assert!(lines[2].starts_with("1,416,2000,1000,,,") && lines[2].ends_with(",\"too, many\""), "{csv}");
    }

    #[test]
    fn nested_fields_become_columns_and_commas_are_quoted() {
        let mut fields = Vec::new();
        flatten("", &json!({"a": 1, "ms": {"total": 2.5, "b": null}, "e": "x, \"y\""}), &mut fields);
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "ms_total", "ms_b", "e"]);
        let cells: Vec<String> = fields.iter().map(|(_, value)| cell(value)).collect();
        assert_eq!(cells, ["1", "2.5", "", "\"x, \"\"y\"\"\""]);
    }
}
