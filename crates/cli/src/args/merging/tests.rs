use super::*;
use crate::args::{Cli, Command, FindArgs};
use clap::Parser;
use tilehawk::model::{Graph, InputSpec, ModelInfo};

fn merge(rest: &[&str]) -> Result<MergeArgs, String> {
    let parsed = Cli::try_parse_from([&["tilehawk", "merge", "in.json", "-o", "out.json"], rest].concat());
    match parsed.map_err(|e| e.to_string())?.command {
        Command::Merge(args) => Ok(args),
        other => Err(format!("{other:?}")),
    }
}

fn detect(rest: &[&str]) -> FindArgs {
    let parsed =
        Cli::try_parse_from([&["tilehawk", "detect", "a.png", "--model", "m", "-o", "o"], rest].concat());
    match parsed.unwrap().command {
        Command::Detect(args) => args.find,
        other => panic!("{other:?}"),
    }
}

/// The merge of a model without recommendations.
fn merge_options(args: &FindArgs) -> Outcome<MergeOptions> {
    let input = InputSpec::plain(8, 8);
    Ok(args.options(&ModelInfo::new("", input, Graph::default()))?.merge)
}

#[test]
fn defaults_are_those_of_the_library() {
    assert_eq!(merge(&[]).unwrap().options().unwrap(), MergeOptions::default());
    assert_eq!(merge_options(&detect(&[])).unwrap(), MergeOptions::default());
}

#[test]
fn every_algorithm_has_its_name() {
    for (name, algorithm) in [
        ("nms", Algorithm::Nms),
        ("greedy-nmm", Algorithm::GreedyNmm),
        ("nmm", Algorithm::Nmm),
        ("soft-nms", Algorithm::SoftNms),
        ("keep-best", Algorithm::KeepBest),
        ("wbf", Algorithm::Wbf),
    ] {
        assert_eq!(merge(&["--algorithm", name]).unwrap().options().unwrap().algorithm, algorithm);
        assert_eq!(merge_options(&detect(&["--merge", name])).unwrap().algorithm, algorithm);
    }
}

#[test]
fn all_options_reach_the_library() {
    let rest = ["--sigma", "0.55", "--score-floor", "0.01", "--max-detections", "7", "--metric", "ios"];
    let more = ["--class-agnostic", "--per-class-threshold", "car=0.4,5=0.2", "--per-class-threshold", "x=1"];
    let rest = [&rest[..], &more, &["--exclude-class", "dog,9"]].concat();
    let args = merge(&[&rest[..], &["--algorithm", "soft-nms", "--threshold", "0.25"]].concat()).unwrap();
    let options = args.options().unwrap();
    assert_eq!((options.sigma, options.score_floor, options.threshold), (0.55, 0.01, 0.25));
    assert_eq!((options.max_boxes, options.metric, options.class_agnostic), (Some(7), Metric::Ios, true));
    let thresholds: Vec<(&str, f32)> =
        args.rules.per_class_threshold.iter().map(|one| (one.class.as_str(), one.threshold)).collect();
    assert_eq!(thresholds, [("car", 0.4), ("5", 0.2), ("x", 1.0)]);
    assert_eq!(args.rules.exclude_class, ["dog", "9"]);
    let found = detect(&[&rest[..], &["--merge", "soft-nms", "--merge-threshold", "0.25"]].concat());
    assert_eq!(merge_options(&found).unwrap(), options);
}

#[test]
fn options_of_soft_nms_are_refused_elsewhere() {
    for (name, value) in [("--sigma", "0.5"), ("--score-floor", "0.1")] {
        let refused = merge(&[name, value, "--algorithm", "wbf"]).unwrap().options().unwrap_err();
        let message = refused.message().unwrap();
        assert!(message.starts_with(name) && message.ends_with("--algorithm soft-nms"), "{message}");
        let refused = merge_options(&detect(&[name, value])).unwrap_err();
        assert!(refused.message().unwrap().ends_with("--merge soft-nms"));
    }
}

#[test]
fn bad_values_say_what_to_give() {
    for (rest, reason) in [
        (["--sigma", "0"], "0.01 to 10"),
        (["--score-floor", "1.5"], "[0, 1]"),
        (["--max-detections", "0"], "1.."),
        (["--per-class-threshold", "car"], "CLASS=T"),
        (["--per-class-threshold", "car=0.5,dog=2"], "[0, 1]"),
        (["--exclude-class", "dog,"], "class name or id"),
        (["--algorithm", "fuse"], "greedy-nmm"),
        (["--threshold", "1.1"], "[0, 1]"),
    ] {
        let message = merge(&rest).unwrap_err();
        assert!(message.contains(reason), "{message}");
    }
}
