//! `fusion-factors`: S-alpha of a data set.

use crate::args::{FusionFactorsArgs, FusionRule};
use crate::failure::{Failure, Outcome, print_line, warn};
use crate::names::same_file;
use crate::{dataset, files, table};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;
use tilehawk_coco::{Assignment, Dataset, InputBox, objects_per_level, s_alpha};

/// More levels, and more anchors of a level, are a mistake in the options.
const MAX_LEVELS: usize = 16;
const MAX_ANCHORS: usize = 64;

/// A pyramid: strides, how objects find a level, and how many levels at the top are not fused.
#[derive(Debug)]
struct Pyramid {
    strides: Vec<u32>,
    rule: Assignment,
    unfused: usize,
}

/// Runs the command.
pub(crate) fn run(args: &FusionFactorsArgs) -> Outcome<()> {
    let pyramid = Pyramid::new(args).map_err(Failure::Bad)?;
    if let Some(json) = args.json.as_deref().filter(|path| *path != Path::new("-")) {
        files::check_writable(json)?;
        if same_file(&args.dataset, json) {
            return Err(Failure::file(json, "is the data set itself; choose another name for --json"));
        }
    }
    let boxes = boxes(args)?;
    let counts = objects_per_level(&boxes, &pyramid.strides, &pyramid.rule);
    let alphas = s_alpha(&counts, pyramid.unfused);
    for (edge, alpha) in alphas.iter().enumerate() {
        let [lower, upper] = [pyramid.strides[edge], pyramid.strides[edge + 1]];
        match alpha {
            None => warn(&format!(
                "note: no object falls on stride {lower}, so the edge from stride {upper} has no factor; leave the level \
                 out with --levels, or measure at another --scale"
            )),
            Some(0.0) => warn(&format!(
                "note: no object falls on stride {upper}, so the factor of its edge is 0, which fuses nothing"
            )),
            Some(_) => {}
        }
    }
    match args.json.as_deref() {
        Some(path) if path == Path::new("-") => {
            print_line(&document(&pyramid, &counts, &alphas, args).to_string())
        }
        Some(path) => {
            files::write_bytes(path, document(&pyramid, &counts, &alphas, args).to_string().as_bytes())?;
            print_table(&pyramid, &counts, &alphas)
        }
        None => print_table(&pyramid, &counts, &alphas),
    }
}

impl Pyramid {
    fn new(args: &FusionFactorsArgs) -> Result<Self, String> {
        let (strides, unfused): (&[u32], _) = match args.rule {
            FusionRule::Square => (&[4, 8, 16, 32], 0),
            FusionRule::Retinanet => (&[8, 16, 32, 64, 128], 2),
            FusionRule::Fpn => (&[4, 8, 16, 32, 64], 1),
        };
        let strides = if args.levels.is_empty() { strides.to_vec() } else { args.levels.clone() };
        if !strides.is_sorted_by(|a, b| a < b) || !(2..=MAX_LEVELS).contains(&strides.len()) {
            return Err(format!(
                "--levels {strides:?}: give 2 to {MAX_LEVELS} strides, each larger than the one before"
            ));
        }
        let unfused = args.unfused.unwrap_or(unfused);
        if unfused > strides.len() - 2 {
            return Err(format!(
                "--unfused {unfused} of {} levels leaves no edge; give at most {}",
                strides.len(),
                strides.len() - 2
            ));
        }
        Ok(Self { rule: assignment(args, &strides)?, strides, unfused })
    }
}

fn assignment(args: &FusionFactorsArgs, strides: &[u32]) -> Result<Assignment, String> {
    let lists = [&args.anchor_sizes, &args.anchor_ratios, &args.anchor_scales];
    if args.rule == FusionRule::Square {
        return if lists.iter().all(|list| list.is_empty()) {
            Ok(Assignment::Square { cells: args.cells.unwrap_or(4.0) })
        } else {
            Err("anchors are for --rule retinanet and fpn; give one of them".to_owned())
        };
    }
    if args.cells.is_some() {
        return Err("--cells is for --rule square; give --anchor-sizes with this one".to_owned());
    }
    let given =
        |list: &Vec<f64>, default: &[f64]| if list.is_empty() { default.to_vec() } else { list.clone() };
    let sides = given(&args.anchor_sizes, &[32.0, 64.0, 128.0, 256.0, 512.0]);
    if sides.len() != strides.len() {
        return Err(format!(
            "{} anchor sizes for {} levels; give --anchor-sizes one for each of --levels",
            sides.len(),
            strides.len()
        ));
    }
    let octaves: &[f64] = if args.rule == FusionRule::Retinanet {
        &[1.0, 1.259_921_049_894_873_2, 1.587_401_051_968_199_4]
    } else {
        &[1.0]
    };
    let (ratios, scales) =
        (given(&args.anchor_ratios, &[0.5, 1.0, 2.0]), given(&args.anchor_scales, octaves));
    if ratios.len() * scales.len() > MAX_ANCHORS {
        return Err(format!(
            "{} ratios and {} scales: give at most {MAX_ANCHORS} anchors a level",
            ratios.len(),
            scales.len()
        ));
    }
    Ok(Assignment::Anchors { sides, ratios, scales })
}

/// The boxes of the data set in pixels at network input.
fn boxes(args: &FusionFactorsArgs) -> Outcome<Vec<InputBox>> {
    let dataset = dataset::load_clipped(&args.dataset)?;
    let scales = scales(args, &dataset)?;
    let counted = dataset.annotations.iter().filter(|annotation| !annotation.iscrowd && !annotation.ignore);
    let boxes: Vec<InputBox> = counted
        .filter(|annotation| annotation.bbox[2] > 0.0 && annotation.bbox[3] > 0.0)
        .map(|annotation| {
            annotation.bbox.map(|value| value * scales.get(&annotation.image_id).unwrap_or(&args.scale))
        })
        .collect();
    if boxes.is_empty() {
        let reason = format!(
            "none of {} annotations has a box to count; give a data set with objects",
            dataset.annotations.len()
        );
        return Err(Failure::file(&args.dataset, reason));
    }
    Ok(boxes)
}

/// Factor to the input by image, with --input.
fn scales(args: &FusionFactorsArgs, dataset: &Dataset) -> Outcome<HashMap<u64, f64>> {
    let Some(input) = args.input else { return Ok(HashMap::new()) };
    let [columns, rows] = input.map(f64::from);
    dataset
        .images
        .iter()
        .map(|image| {
            if image.width == 0 || image.height == 0 {
                let reason = format!(
                    "image id {} has no `width` or `height`; add them, or give --scale for --input",
                    image.id
                );
                return Err(Failure::file(&args.dataset, reason));
            }
            Ok((image.id, (columns / f64::from(image.width)).min(rows / f64::from(image.height))))
        })
        .collect()
}

fn document(pyramid: &Pyramid, counts: &[u64], alphas: &[Option<f64>], args: &FusionFactorsArgs) -> Value {
    let levels: Vec<Value> = pyramid
        .strides
        .iter()
        .zip(counts)
        .map(|(stride, objects)| json!({ "stride": stride, "objects": objects }))
        .collect();
    json!({
        "rule": match args.rule {
            FusionRule::Square => "square",
            FusionRule::Retinanet => "retinanet",
            FusionRule::Fpn => "fpn",
        },
        "scale": args.input.is_none().then_some(args.scale),
        "input": args.input,
        "unfused": pyramid.unfused,
        "levels": levels,
        "s_alpha": alphas,
    })
}

fn print_table(pyramid: &Pyramid, counts: &[u64], alphas: &[Option<f64>]) -> Outcome<()> {
    let mut rows =
        vec![["level", "stride", "objects", "alpha of the edge from above"].map(str::to_owned).to_vec()];
    for (level, (stride, objects)) in pyramid.strides.iter().zip(counts).enumerate() {
        let name =
            if stride.is_power_of_two() { format!("P{}", stride.trailing_zeros()) } else { String::new() };
        let alpha = match alphas.get(level) {
            Some(Some(alpha)) => format!("{alpha:.4}"),
            Some(None) => "none".to_owned(),
            None => String::new(),
        };
        rows.push(vec![name, stride.to_string(), objects.to_string(), alpha]);
    }
    table::aligned(&rows, 1).iter().try_for_each(|line| print_line(line))
}
