//! Pictures and tiles a second over the tile size, or the cost over the number of tiles, as SVG and as pixels.

use super::bitmap::Bitmap;
use super::tables::{pixels, short};
use super::{Report, Spread};
use crate::failure::{Failure, Outcome};
use image::{Rgb, RgbImage};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::ops::Range;

const SIZE: (u32, u32) = (960, 760);
/// Two colours that are told apart without red and green (Okabe and Ito).
const COLOURS: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0)];
/// Half of the bar at the end of a whisker, in pixels.
const CAP: i32 = 5;

type Drawn = Result<(), Box<dyn Error>>;

/// A curve: what is plotted, with the unit.
struct Curve {
    name: &'static str,
    colour: RGBColor,
    points: Vec<(f64, Spread)>,
}

/// The plot as SVG.
pub(crate) fn svg(report: &Report) -> Outcome<String> {
    let mut text = String::new();
    paint(&SVGBackend::with_string(&mut text, SIZE).into_drawing_area(), report).map_err(|e| failed(&*e))?;
    Ok(text)
}

/// The plot as pixels.
pub(crate) fn png(report: &Report) -> Outcome<RgbImage> {
    let mut picture = RgbImage::from_pixel(SIZE.0, SIZE.1, Rgb([255; 3]));
    paint(&Bitmap(&mut picture).into_drawing_area(), report).map_err(|e| failed(&*e))?;
    Ok(picture)
}

fn failed(error: &dyn Error) -> Failure {
    Failure::Bad(format!("the plot cannot be drawn: {error}; leave out --plots"))
}

/// What is drawn, and what the axis below says. Of rows with pictures of their own the cost over the number of tiles.
fn curves(report: &Report) -> (&'static str, [Curve; 2]) {
    let mut points = [Vec::new(), Vec::new()];
    for row in &report.rows {
        let Ok(found) = &row.outcome else { continue };
        let Some(total) = found.part("total") else { continue };
        if report.size.is_some() {
            let tile = f64::from(row.tile);
            points[0].push((tile, total.rate(1e3)));
            points[1].push((tile, total.rate(1e3 * f64::from(found.tiles))));
        } else {
            let tiles = f64::from(found.tiles);
            points[0].push((tiles, total));
            if let Some(merge) = found.part("merge") {
                let share = 100.0 * merge.median / total.median;
                points[1].push((tiles, Spread { median: share, min: share, max: share }));
            }
        }
    }
    let [above, below] = points.map(|mut points: Vec<(f64, Spread)>| {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    });
    let (axis, names) = if report.size.is_some() {
        ("tile side in pixels", ["pictures per second", "tiles per second"])
    } else {
        ("tiles", ["ms for a picture", "share of merging in %"])
    };
    let curves = [
        Curve { name: names[0], colour: COLOURS[0], points: above },
        Curve { name: names[1], colour: COLOURS[1], points: below },
    ];
    (axis, curves)
}

fn paint<B: DrawingBackend>(root: &DrawingArea<B, Shift>, report: &Report) -> Drawn
where
    B::ErrorType: 'static,
{
    root.fill(&WHITE)?;
    let title = format!("{} on {}", report.model, report.device);
    let precision = if report.roofline.f16 { "f16" } else { "f32" };
    let note = format!(
        "picture {}, {precision}, {}; medians, from the slowest to the fastest run",
        pixels(report.size),
        report.backend
    );
    let root = root.titled(&printable(&title), ("sans-serif", 22))?;
    let root = root.titled(&printable(&note), ("sans-serif", 15))?;
    let (axis, curves) = curves(report);
    for (area, curve) in root.split_evenly((2, 1)).iter().zip(&curves) {
        panel(area, axis, curve)?;
    }
    root.present()?;
    Ok(())
}

fn panel<B: DrawingBackend>(area: &DrawingArea<B, Shift>, axis: &str, curve: &Curve) -> Drawn
where
    B::ErrorType: 'static,
{
    let sizes: Vec<f64> = curve.points.iter().map(|(tile, _)| *tile).collect();
    let most = curve.points.iter().map(|(_, rate)| rate.max).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(24)
        .x_label_area_size(48)
        .y_label_area_size(76)
        .build_cartesian_2d(Across::new(&sizes), 0.0..most.max(1e-9) * 1.2)?;
    chart
        .configure_mesh()
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| short(*value))
        .y_labels(6)
        .x_desc(axis)
        .y_desc(curve.name)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 16))
        .draw()?;
    let medians = curve.points.iter().map(|(tile, rate)| (*tile, rate.median));
    chart.draw_series(LineSeries::new(medians.clone(), curve.colour.stroke_width(2)))?;
    for end in [|rate: &Spread| rate.min, |rate: &Spread| rate.max] {
        let ends = curve.points.iter().map(|(tile, rate)| (*tile, end(rate)));
        chart.draw_series(ends.map(|at| {
            EmptyElement::at(at) + PathElement::new([(-CAP, 0), (CAP, 0)], curve.colour.stroke_width(1))
        }))?;
    }
    chart.draw_series(curve.points.iter().map(|(tile, rate)| {
        PathElement::new([(*tile, rate.min), (*tile, rate.max)], curve.colour.stroke_width(1))
    }))?;
    let label = ("sans-serif", 14).into_font().color(&BLACK);
    let numbered = apart(&sizes);
    let mut before = 0.0;
    chart.draw_series(curve.points.iter().filter_map(|(tile, rate)| {
        // At the left, on the side where the line does not come from, but not below the axis.
        let falls = rate.median < before && rate.median > most * 0.1;
        before = rate.median;
        let (side, offset) = if falls { (VPos::Top, (-7, 5)) } else { (VPos::Bottom, (-7, -5)) };
        let text = Text::new(short(rate.median), offset, label.pos(Pos::new(HPos::Right, side)));
        numbered.contains(tile).then(|| EmptyElement::at((*tile, rate.median)) + text)
    }))?;
    chart.draw_series(medians.map(|at| Circle::new(at, 4, curve.colour.filled())))?;
    Ok(())
}

/// The axis of tile sizes or numbers of tiles: its numbers are those of the rows.
struct Across {
    axis: RangedCoordf64,
    numbers: Vec<f64>,
}

impl Across {
    fn new(sizes: &[f64]) -> Self {
        Self { axis: across(sizes).into(), numbers: apart(sizes) }
    }
}

impl Ranged for Across {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.axis.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.numbers.clone()
    }

    fn range(&self) -> Range<f64> {
        self.axis.range()
    }
}

/// The range of the tile sizes and some room at both ends.
fn across(sizes: &[f64]) -> Range<f64> {
    let (low, high) = (sizes.first().copied().unwrap_or(1.0), sizes.last().copied().unwrap_or(1.0));
    let room = ((high - low) * 0.08).max(low * 0.08);
    low - room..high + room
}

/// The sizes whose numbers find room beside each other.
fn apart(sizes: &[f64]) -> Vec<f64> {
    let range = across(sizes);
    let least = (range.end - range.start) / 22.0;
    let mut kept: Vec<f64> = Vec::new();
    for &size in sizes {
        if kept.last().is_none_or(|last| size - last >= least) {
            kept.push(size);
        }
    }
    kept
}

/// Control characters have no place in XML.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_lie_close_share_a_number() {
        assert_eq!(apart(&[160.0, 165.0, 320.0, 1024.0]), [160.0, 320.0, 1024.0]);
        assert_eq!(apart(&[640.0]), [640.0]);
        let range = across(&[640.0]);
        assert!(range.start < 640.0 && range.end > 640.0 && across(&[]).start < across(&[]).end);
        assert_eq!(printable("a\u{1}b"), "a\u{fffd}b");
    }
}
