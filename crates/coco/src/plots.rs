//! Curves as SVG.

use crate::breakdown::{BREAKDOWN_PARTS, Breakdown};
use crate::curve::recall_at;
use crate::error::{Error, Result};
use crate::evaluation::Evaluation;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Size of a plot and of the legend at its right, in pixels.
const SIZE: (u32, u32) = (900, 560);
const LEGEND: u32 = 230;
/// Classes drawn at most; more lines could not be told apart.
const MOST_CLASSES: usize = 8;
/// Colours that are told apart without red and green (Okabe and Ito), without black.
const LINES: [RGBColor; MOST_CLASSES] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(140, 110, 60),
    RGBColor(150, 150, 150),
];
/// Colours of the parts of a breakdown, in their order.
const PARTS: [RGBColor; 7] = [
    RGBColor(0, 90, 140),
    RGBColor(86, 160, 211),
    RGBColor(0, 158, 115),
    RGBColor(160, 210, 120),
    RGBColor(240, 200, 60),
    RGBColor(213, 94, 0),
    RGBColor(205, 205, 205),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// An entry of the legend.
struct Entry {
    colour: RGBColor,
    text: String,
}

/// Precision over recall at a threshold, by its place, of each class and their mean. Of many classes the eight with
/// most objects are drawn.
///
/// # Errors
///
/// If the plot cannot be drawn, or there is no such threshold.
pub fn precision_recall(result: &Evaluation, iou: usize) -> Result<String> {
    let threshold =
        result.settings().iou_thresholds.get(iou).ok_or_else(|| Error::new("no such threshold to plot"))?;
    let mut classes: Vec<usize> =
        (0..result.classes().len()).filter(|class| result.curve(Some(*class), iou, 0).is_some()).collect();
    let all = classes.len();
    classes.sort_by_key(|class| std::cmp::Reverse(result.classes()[*class].objects[0]));
    classes.truncate(MOST_CLASSES);
    let mut title = format!("Precision and recall at IOU {threshold:.2}");
    if classes.len() < all {
        title.push_str(&format!(", {} most frequent of {all} classes", classes.len()));
    }
    let mut lines: Vec<(Vec<f64>, Entry, u32)> = Vec::new();
    for (&class, colour) in classes.iter().zip(LINES) {
        let text = labelled(&result.classes()[class].name, result.precision(Some(class), Some(iou), 0));
        lines.extend(result.curve(Some(class), iou, 0).map(|curve| (curve, Entry { colour, text }, 2)));
    }
    if all != 1 {
        let text = labelled("mean of all", result.precision(None, Some(iou), 0));
        lines.extend(result.curve(None, iou, 0).map(|curve| (curve, Entry { colour: BLACK, text }, 3)));
    }
    draw(&title, lines.iter().map(|(_, entry, _)| entry), |chart| {
        for (curve, entry, width) in &lines {
            let points = curve.iter().enumerate().map(|(i, value)| (recall_at(i), *value));
            chart.draw_series(LineSeries::new(points, entry.colour.stroke_width(*width)))?;
        }
        Ok(())
    })
}

/// The parts of a breakdown as areas on top of each other, of a class by its place or of the mean of all, in a range of
/// sizes by its place.
///
/// # Errors
///
/// If the plot cannot be drawn, or there is nothing to find.
pub fn breakdown(result: &Breakdown, class: Option<usize>, area: usize) -> Result<String> {
    let curves = result
        .curves(class, area)
        .ok_or_else(|| Error::new("no objects, so there is no breakdown to plot"))?;
    let name = class.map_or("all classes", |class| &result.classes[class].name);
    let size = result.areas.get(area).map_or("", |area| &area.name);
    let entries: Vec<Entry> = BREAKDOWN_PARTS
        .iter()
        .zip(PARTS)
        .zip(result.parts(class, area))
        .map(|((part, colour), value)| Entry { colour, text: labelled(part, value) })
        .collect();
    draw(&printable(&format!("Breakdown: {name}, sizes: {size}")), entries.iter().rev(), |chart| {
        // The largest first: each later area covers the lower part of those before it.
        for (curve, entry) in curves.iter().zip(&entries).rev() {
            let points = curve.iter().enumerate().map(|(i, value)| (recall_at(i), *value));
            let area = AreaSeries::new(points, 0.0, entry.colour.filled());
            chart.draw_series(area.border_style(BLACK.stroke_width(1)))?;
        }
        Ok(())
    })
}

fn labelled(name: &str, value: f64) -> String {
    let mut short: String = name.chars().take(18).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    format!("{value:.3}  {}", printable(&short))
}

/// Control characters have no place in XML.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'), "\u{fffd}")
}

type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// A plot of precision over recall, what `fill` draws, and a legend.
fn draw<'e>(
    title: &str,
    entries: impl Iterator<Item = &'e Entry>,
    fill: impl FnOnce(&mut Chart<'_, '_>) -> Drawn,
) -> Result<String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        paint(&root, title, entries, fill)
            .map_err(|e| Error::new(format!("the plot cannot be drawn: {e}")))?;
    }
    Ok(text)
}

fn paint<'e>(
    root: &Area<'_>,
    title: &str,
    entries: impl Iterator<Item = &'e Entry>,
    fill: impl FnOnce(&mut Chart<'_, '_>) -> Drawn,
) -> Drawn {
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(SIZE.0 - LEGEND);
    let mut chart = ChartBuilder::on(&left)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    fill(&mut chart)?;
    chart
        .configure_mesh()
        .x_labels(11)
        .y_labels(11)
        .x_label_formatter(&|value| format!("{value:.1}"))
        .y_label_formatter(&|value| format!("{value:.1}"))
        .x_desc("recall")
        .y_desc("precision")
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 16))
        .draw()?;
    right.draw(&Text::new("area under the curve", (0, 40), ("sans-serif", 14).into_font().color(&BLACK)))?;
    for (row, entry) in entries.enumerate() {
        let y = 66 + 26 * i32::try_from(row)?;
        right.draw(&Rectangle::new([(0, y), (18, y + 14)], entry.colour.filled()))?;
        right.draw(&Text::new(entry.text.as_str(), (26, y), ("sans-serif", 15).into_font().color(&BLACK)))?;
    }
    root.present()?;
    Ok(())
}
