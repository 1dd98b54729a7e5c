//! Models in words.

use crate::args::AlgorithmArg;
use tilehawk::geom::{Metric, ResizeMode, Shape};
use tilehawk::heads::{BoxForm, DenseHead, Head};
use tilehawk::import::onnx::HeadKind;
use tilehawk::model::{ChannelOrder, FocusMap, InputSpec, Model, Recommended};

/// Levels and class names listed before the rest is only counted.
const MANY: usize = 12;

/// Whether any class has a name of its own, not just a number.
pub(crate) fn has_names(classes: &[String]) -> bool {
    classes.iter().enumerate().any(|(number, name)| *name != format!("class {number}"))
}

/// What the network wants to see.
pub(crate) fn input(input: &InputSpec) -> String {
    let order = match input.order {
        ChannelOrder::Rgb => "RGB",
        ChannelOrder::Bgr => "BGR",
    };
    let values = match (input.mean == [0.0; 3], input.std == [1.0; 3]) {
        (true, true) => "values 0..255".to_owned(),
        (true, false) => format!("values 0..255 / {}", channels(input.std)),
        (false, true) => format!("values 0..255 - {}", channels(input.mean)),
        (false, false) => format!("values (0..255 - {}) / {}", channels(input.mean), channels(input.std)),
    };
    let resize = match input.resize {
        ResizeMode::Stretch => "stretch".to_owned(),
        ResizeMode::LetterboxTopLeft => format!("letterbox-top-left, padded with {}", input.pad),
        ResizeMode::LetterboxTopLeftFloor => format!("letterbox-top-left-floor, padded with {}", input.pad),
        ResizeMode::LetterboxCentre => format!("letterbox-centre, padded with {}", input.pad),
    };
    format!("{}x{} {order}, {values}, {resize}", input.width, input.height)
}

fn channels([a, b, c]: [f32; 3]) -> String {
    if a == b && b == c { a.to_string() } else { format!("[{a}, {b}, {c}]") }
}

/// The classes by name, the first of them if they are many.
pub(crate) fn classes(classes: &[String]) -> String {
    let mut text = format!("{}: {}", classes.len(), classes[..classes.len().min(MANY)].join(", "));
    if classes.len() > MANY {
        text.push_str(", ...");
    }
    text
}

/// The settings to detect with, as options of `detect`.
pub(crate) fn recommended(advice: &Recommended) -> String {
    let pair = |[x, y]: [String; 2]| if x == y { x } else { format!("{x}x{y}") };
    let metric = match advice.metric {
        Metric::Iou => "iou",
        Metric::Ios => "ios",
    };
    let mut text = format!(
        "--tile {} --overlap {} --confidence {} --merge {} --metric {metric} --merge-threshold {}",
        pair(advice.tile.map(|side| side.to_string())),
        pair(advice.overlap.map(|share| share.to_string())),
        advice.confidence,
        AlgorithmArg::of(advice.merge).map_or_else(String::new, |name| name.get_name().to_owned()),
        advice.threshold
    );
    for (flag, given) in [("--full-image", advice.full_image), ("--class-agnostic", advice.class_agnostic)] {
        if given {
            text.push(' ');
            text.push_str(flag);
        }
    }
    text
}

/// The focus map.
pub(crate) fn focus(focus: &FocusMap) -> String {
    format!(
        "small objects, {} to {} px in the input (unjudged to {}), stride {}: \"{}\"",
        focus.a, focus.b, focus.c, focus.stride, focus.map
    )
}

/// The head: how boxes and scores are made, then a line for each level.
pub(crate) fn head(model: &Model, head: &Head) -> Vec<String> {
    let formula = match head {
        Head::Yolox(_) => format!("yolox: {}", HeadKind::Yolox.formula()),
        Head::Gfl(gfl) => {
            let sigmoid = if gfl.sigmoid { "sigmoid(class)" } else { "class" };
            let centre =
                if gfl.centre == 0.0 { "cell".to_owned() } else { format!("(cell + {})", gfl.centre) };
            format!(
                "gfl: distances sum(bin * softmax) * stride of {} bins a side, from {centre} * stride; score {sigmoid}",
                gfl.bins
            )
        }
        Head::Dense(dense) => format!("dense: {}; {}", boxes(dense), score(dense)),
    };
    let mut lines = vec![formula];
    let levels = levels(head);
    lines.extend(levels.iter().take(MANY).map(|level| {
        let maps = level.maps.iter().map(|(role, map)| {
            let shape = model.shapes().get(map).map_or_else(|_| "?".to_owned(), |shape| sides(&shape));
            format!("{role} {shape} \"{map}\"")
        });
        let stride = if level.stride.is_empty() { String::new() } else { format!("{}: ", level.stride) };
        format!("{stride}{}", maps.collect::<Vec<_>>().join(", "))
    }));
    if levels.len() > MANY {
        lines.push(format!("and {} more levels; --json of `tilehawk inspect` has all", levels.len() - MANY));
    }
    lines
}

struct Level<'a> {
    stride: String,
    maps: Vec<(&'static str, &'a str)>,
}

fn levels(head: &Head) -> Vec<Level<'_>> {
    let stride = |stride: u32| format!("stride {stride}");
    match head {
        Head::Yolox(head) => head
            .levels
            .iter()
            .map(|l| Level {
                stride: stride(l.stride),
                maps: vec![("boxes", &l.boxes), ("objectness", &l.objectness), ("classes", &l.classes)],
            })
            .collect(),
        Head::Gfl(head) => head
            .levels
            .iter()
            .map(|l| Level {
                stride: stride(l.stride),
                maps: vec![("distances", &l.distances), ("classes", &l.classes)],
            })
            .collect(),
        Head::Dense(head) => head
            .levels
            .iter()
            .map(|l| {
                let mut maps: Vec<(&str, &str)> = vec![("boxes", &l.boxes), ("classes", &l.classes)];
                maps.extend(l.objectness.as_deref().map(|map| ("objectness", map)));
                let mut place = match l.stride {
                    [0.0, 0.0] => String::new(),
                    stride => format!("stride {}", pair(stride)),
                };
                let sized =
                    matches!(head.boxes, BoxForm::Centre | BoxForm::CentreExp | BoxForm::CentreSquare);
                if sized && l.size != [1.0; 2] {
                    place.push_str(if place.is_empty() { "size " } else { ", size " });
                    place.push_str(&format!("{} x {}", l.size[0], l.size[1]));
                }
                Level { stride: place, maps }
            })
            .collect(),
    }
}

fn pair([x, y]: [f32; 2]) -> String {
    if x == y { x.to_string() } else { format!("{x} x {y}") }
}

/// How a dense head's values make a box, without terms that change nothing.
fn boxes(head: &DenseHead) -> String {
    let all = |test: &dyn Fn(&tilehawk::heads::DenseLevel) -> bool| head.levels.iter().all(test);
    let gain = if all(&|l| l.gain == [1.0; 2]) { "" } else { " * gain" };
    let point = match head.levels.first() {
        _ if all(&|l| l.stride == [0.0; 2]) => String::new(),
        _ if all(&|l| l.offset == [0.0; 2]) => "cell * stride".to_owned(),
        Some(first) if all(&|l| l.offset == first.offset) => match first.offset {
            [x, y] if x == y && x < 0.0 => format!("(cell - {}) * stride", -x),
            offset => format!("(cell + {}) * stride", pair(offset)),
        },
        _ => "(cell + offset) * stride".to_owned(),
    };
    let plus = if point.is_empty() { String::new() } else { format!("{point} + ") };
    let s = |name: &str| if head.box_sigmoid { format!("sigmoid({name})") } else { name.to_owned() };
    let size = if all(&|l| l.size == [1.0; 2]) { "" } else { " * size" };
    match head.boxes {
        BoxForm::Centre => format!("centre {plus}{}{gain}, size {}{size}", s("xy"), s("wh")),
        BoxForm::CentreExp => {
            let factor =
                if head.size_factor == 1.0 { String::new() } else { format!("{} * ", head.size_factor) };
            format!("centre {plus}{}{gain}, size exp({factor}{}){size}", s("xy"), s("wh"))
        }
        BoxForm::CentreSquare => {
            format!("centre {plus}{}{gain}, size (2 * {})^2{size}", s("xy"), s("wh"))
        }
        BoxForm::Corners => format!("corners {plus}{}{gain}", s("x0y0x1y1")),
        BoxForm::Distances => {
            let from = if point.is_empty() { "0" } else { &point };
            format!("distances {}{gain} to left, top, right, bottom of {from}", s("ltrb"))
        }
    }
}

fn score(head: &DenseHead) -> String {
    let form = &head.score;
    let term = |name: &str, sigmoid: bool, power: f32| {
        let base = if sigmoid { format!("sigmoid({name})") } else { name.to_owned() };
        if power == 1.0 { base } else { format!("{base}^{power}") }
    };
    let mut text = format!("score {}", term("class", form.class_sigmoid, form.class_power));
    if head.levels.iter().any(|level| level.objectness.is_some()) {
        text.push_str(" * ");
        text.push_str(&term("objectness", form.objectness_sigmoid, form.objectness_power));
    }
    text
}

/// The network's outputs in the imported file's layout.
pub(crate) fn outputs(model: &Model) -> Vec<String> {
    let outputs = &model.info().graph.outputs;
    outputs.iter().map(|output| format!("\"{}\" {:?}", output.name, output.shape)).collect()
}

/// Channels, height, width of a map.
pub(crate) fn sides(shape: &Shape) -> String {
    format!("{}x{}x{}", shape.channels, shape.height, shape.width)
}

/// Lines under a name, indented to one column.
pub(crate) fn entry(name: &str, lines: &[String]) -> String {
    let indented = lines.iter().enumerate().map(|(number, line)| {
        let name = if number == 0 { name } else { "" };
        format!("  {name:<11} {line}").trim_end().to_owned()
    });
    indented.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilehawk::heads::{DenseLevel, ScoreForm};

    fn dense(boxes: BoxForm, stride: f32) -> DenseHead {
        DenseHead {
            boxes,
            box_sigmoid: false,
            size_factor: 1.0,
            score: ScoreForm::default(),
            levels: vec![DenseLevel {
                boxes: "b".to_owned(),
                classes: "c".to_owned(),
                objectness: None,
                stride: [stride; 2],
                offset: [0.0; 2],
                gain: [1.0; 2],
                size: [1.0; 2],
            }],
        }
    }

    #[test]
    fn formulas_without_empty_terms() {
        let decoded = dense(BoxForm::Centre, 0.0);
        assert_eq!(
            (boxes(&decoded).as_str(), score(&decoded).as_str()),
            ("centre xy, size wh", "score class")
        );
        let mut anchors = dense(BoxForm::CentreSquare, 8.0);
        anchors.box_sigmoid = true;
        anchors.score.objectness_sigmoid = true;
        anchors.score.objectness_power = 0.5;
        anchors.levels[0].objectness = Some("o".to_owned());
        (anchors.levels[0].offset, anchors.levels[0].gain) = ([-0.5; 2], [16.0; 2]);
        anchors.levels[0].size = [10.0, 13.0];
        assert_eq!(
            boxes(&anchors),
            "centre (cell - 0.5) * stride + sigmoid(xy) * gain, size (2 * sigmoid(wh))^2 * size"
        );
        assert_eq!(score(&anchors), "score class * sigmoid(objectness)^0.5");
        assert_eq!(levels(&Head::Dense(anchors))[0].stride, "stride 8, size 10 x 13");
        assert_eq!(
            boxes(&dense(BoxForm::Distances, 8.0)),
            "distances ltrb to left, top, right, bottom of cell * stride"
        );
    }

    #[test]
    fn names_and_inputs() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(!has_names(&[]) && !has_names(&names(&["class 0", "class 1"])));
        assert!(has_names(&names(&["class 0", "car"])));
        let spec = InputSpec { std: [1.0, 2.0, 3.0], ..InputSpec::plain(4, 2) };
        assert_eq!(input(&spec), "4x2 RGB, values 0..255 / [1, 2, 3], stretch");
    }
}
