//! Which kinds of heads there are, and which come nearest to the outputs of a model without one.

use crate::describe;
use crate::table::wrapped;
use std::cmp::Reverse;
use tilehawk::import::onnx::HeadKind;
use tilehawk::model::Model;

/// The number of channels that an output of a head has.
#[derive(Clone, Copy)]
enum Channels {
    Exactly(usize),
    AtLeast(usize),
    /// Four distributions of as many bins.
    Bins,
}

impl Channels {
    fn fit(self, channels: usize) -> bool {
        match self {
            Self::Exactly(count) => channels == count,
            Self::AtLeast(count) => channels >= count,
            Self::Bins => channels.is_multiple_of(4) && (16..=256).contains(&channels),
        }
    }
}

/// A form of a head's outputs: their axes, and the channels of each, once or once per level.
struct Form {
    kind: HeadKind,
    axes: usize,
    channels: &'static [Channels],
    levels: bool,
}

/// The forms that an output can be compared with. The text of [`HeadKind::outputs`] says the same in words.
const FORMS: [Form; 20] = {
    use Channels::{AtLeast, Bins, Exactly};
    const fn form(kind: HeadKind, axes: usize, channels: &'static [Channels], levels: bool) -> Form {
        Form { kind, axes, channels, levels }
    }
    [
        form(HeadKind::Yolox, 3, &[AtLeast(6)], false),
        form(HeadKind::Yolox, 4, &[AtLeast(1), Exactly(4), Exactly(1)], true),
        form(HeadKind::Gfl, 4, &[AtLeast(1), Bins], true),
        form(HeadKind::Gfl, 3, &[AtLeast(1), Bins], true),
        form(HeadKind::Gfl, 3, &[AtLeast(17)], false),
        form(HeadKind::Yolov8, 4, &[Exactly(64), AtLeast(1)], true),
        form(HeadKind::Yolov8, 4, &[AtLeast(65)], true),
        form(HeadKind::Yolov5, 5, &[AtLeast(6)], true),
        form(HeadKind::Yolov5, 4, &[AtLeast(18)], true),
        form(HeadKind::DecodedCentre, 3, &[AtLeast(5)], false),
        form(HeadKind::DecodedCentre, 3, &[Exactly(4), AtLeast(1)], false),
        form(HeadKind::DecodedCorners, 3, &[AtLeast(5)], false),
        form(HeadKind::DecodedCorners, 3, &[Exactly(4), AtLeast(1)], false),
        form(HeadKind::Fcos, 4, &[AtLeast(1), Exactly(4), Exactly(1)], true),
        form(HeadKind::Atss, 4, &[AtLeast(1), Exactly(4), Exactly(1)], true),
        form(HeadKind::Tood, 4, &[AtLeast(1), Exactly(4)], true),
        form(HeadKind::VfNet, 4, &[AtLeast(1), Exactly(4)], true),
        form(HeadKind::RetinaNet, 4, &[AtLeast(9), Exactly(36)], true),
        form(HeadKind::YuNet, 3, &[Exactly(1), Exactly(1), Exactly(4), Exactly(10)], true),
        form(HeadKind::FastestDet, 4, &[AtLeast(6)], false),
    ]
};

/// Kinds named as nearest.
const NEAREST: usize = 3;

impl Form {
    /// How far outputs of these shapes are from the form; 0 if they may be of it.
    fn distance(&self, outputs: &[Vec<usize>]) -> usize {
        let per_level = self.channels.len();
        let fits = |shape: &[usize], channels: Channels| match *shape {
            [_, a, b] => channels.fit(a) || channels.fit(b),
            [_, a, _, b] => channels.fit(a) || channels.fit(b),
            [_, _, _, _, channel] => channels.fit(channel),
            _ => false,
        };
        let of_axes: Vec<&Vec<usize>> = outputs.iter().filter(|shape| shape.len() == self.axes).collect();
        let others = outputs.len() - of_axes.len();
        let absent = self.channels.iter().filter(|want| !of_axes.iter().any(|shape| fits(shape, **want)));
        let strange = of_axes.iter().filter(|shape| !self.channels.iter().any(|want| fits(shape, *want)));
        let count = if self.levels {
            // A single level is rare.
            3 * usize::from(!of_axes.len().is_multiple_of(per_level))
                + usize::from(of_axes.len() <= per_level)
        } else {
            of_axes.len().abs_diff(per_level)
        };
        3 * others + 4 * absent.count() + 2 * strange.count() + count
    }
}

/// The kinds whose outputs come nearest to these shapes, nearest first.
fn nearest(outputs: &[Vec<usize>]) -> Vec<HeadKind> {
    let mut forms: Vec<(usize, &Form)> = FORMS.iter().map(|form| (form.distance(outputs), form)).collect();
    // Of equal ones, the form that says most.
    let exact = |form: &Form| form.channels.iter().filter(|c| matches!(c, Channels::Exactly(_))).count();
    forms.sort_by_key(|(distance, form)| (*distance, Reverse(exact(form))));
    let mut kinds: Vec<HeadKind> = Vec::new();
    let best = forms.first().map_or(0, |form| form.0);
    for (distance, Form { kind, .. }) in forms {
        if (kinds.len() < NEAREST || distance == best) && !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    kinds
}

fn listed(kinds: impl Iterator<Item = HeadKind>) -> String {
    kinds.map(|kind| kind.to_string()).collect::<Vec<_>>().join(", ")
}

/// What to say of a model without a head.
pub(crate) fn missing(model: &Model) -> String {
    let shapes: Vec<Vec<usize>> =
        model.info().graph.outputs.iter().map(|output| output.shape.clone()).collect();
    format!(
        "no detection head is known for this model, so `tilehawk detect` cannot use it\n  \
         outputs: {}\n  nearest heads: {}\n  all heads: {}\n  \
         Import it with --head KIND if it has one of these; `tilehawk import --head-help` describes them.",
        describe::outputs(model).join(", "),
        listed(nearest(&shapes).into_iter()),
        listed(HeadKind::all())
    )
}

/// Stands for a space where no line may break.
const GLUE: char = '\u{1}';

/// The text with its spaces inside of brackets replaced.
fn glued(text: &str) -> String {
    let mut depth = 0_usize;
    let glue = |c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ' ' if depth > 0 => return GLUE,
            _ => {}
        }
        c
    };
    text.chars().map(glue).collect()
}

/// All kinds with their outputs and formulas, in lines of at most `width`.
pub(crate) fn help(width: usize) -> String {
    let title = ["head", "outputs", "box and score"];
    let kinds: Vec<[String; 3]> = HeadKind::all()
        .map(|kind| [kind.to_string(), kind.outputs().to_owned(), kind.formula().to_owned()])
        .collect();
    let first = kinds.iter().map(|row| row[0].len()).max().unwrap_or(0);
    let rest = width.saturating_sub(first + 4);
    let second = rest / 2;
    let wrapped_whole = |text: &str, width| -> Vec<String> {
        // Shapes stay whole.
        wrapped(&glued(text), width).iter().map(|line| line.replace(GLUE, " ")).collect()
    };
    let mut lines = wrapped(
        "Kinds of heads for --head. C is the number of classes, N that of cells of all levels, h and w the \
         sides of a level; a level has its own stride, the input pixels per cell.",
        width,
    );
    lines.push(String::new());
    for [name, outputs, formula] in std::iter::once(title.map(str::to_owned)).chain(kinds) {
        let (outputs, formula) = (wrapped_whole(&outputs, second), wrapped_whole(&formula, rest - second));
        for number in 0..outputs.len().max(formula.len()) {
            let name = if number == 0 { name.as_str() } else { "" };
            let cell = |lines: &[String]| lines.get(number).cloned().unwrap_or_default();
            let line = format!("{name:<first$}  {:<second$}  {}", cell(&outputs), cell(&formula));
            lines.push(line.trim_end().to_owned());
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_by_count_axes_and_channels() {
        let first = |shapes: &[&[usize]]| {
            let shapes: Vec<Vec<usize>> = shapes.iter().map(|shape| shape.to_vec()).collect();
            nearest(&shapes)
        };
        let levels = |channels: &[usize]| -> Vec<Vec<usize>> {
            [32, 16, 8]
                .iter()
                .flat_map(|&side| channels.iter().map(move |&c| vec![1, c, side, side]))
                .collect()
        };
        assert_eq!(first(&[&[1, 85, 22, 22]])[0], HeadKind::FastestDet);
        assert!(first(&[&[1, 84, 8400]]).contains(&HeadKind::DecodedCentre));
        assert_eq!(
            first(&[&[1, 3, 80, 80, 85], &[1, 3, 40, 40, 85], &[1, 3, 20, 20, 85]])[0],
            HeadKind::Yolov5
        );
        assert_eq!(nearest(&levels(&[80, 64]))[0..2], [HeadKind::Yolov8, HeadKind::Gfl]);
        assert!(nearest(&levels(&[80, 4])).starts_with(&[HeadKind::Tood, HeadKind::VfNet]));
        assert_eq!(nearest(&levels(&[720, 36]))[0..1], [HeadKind::RetinaNet]);
        assert!(nearest(&levels(&[80, 4, 1])).contains(&HeadKind::Fcos));
        assert!(nearest(&[vec![1, 1000]]).len() >= NEAREST && !nearest(&[]).is_empty());
    }

    #[test]
    fn help_has_all_kinds_and_fits() {
        for width in [48, 80, 160] {
            let text = help(width);
            // Some shapes are longer than half a narrow terminal.
            assert!(width == 48 || text.lines().all(|line| line.chars().count() <= width), "{text}");
            assert!(HeadKind::all().all(|kind| text.lines().any(|line| line.starts_with(&kind.to_string()))));
        }
    }
}
