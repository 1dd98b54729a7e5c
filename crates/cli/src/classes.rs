//! Classes that the command line names, and the boxes that they leave out.

use crate::args::MergeRuleArgs;
use std::collections::{BTreeMap, BTreeSet};

/// Class numbers from here on are not exact in f32.
pub(crate) const CLASS_LIMIT: u32 = 1 << 24;

/// The classes that can be named.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    names: Vec<(u32, &'a str)>,
    /// Where they come from, for messages.
    place: &'static str,
    /// First id that cannot be.
    end: u32,
}

impl<'a> Known<'a> {
    /// The classes of a model.
    pub(crate) fn of_model(classes: &'a [String]) -> Self {
        let names: Vec<(u32, &str)> = (0..).zip(classes.iter().map(String::as_str)).collect();
        let end = u32::try_from(classes.len()).unwrap_or(u32::MAX);
        Self { names, place: "the model", end }
    }

    /// The classes that a file of boxes names; it may have others.
    pub(crate) fn of_file(names: Vec<(u32, &'a str)>) -> Self {
        Self { names, place: "the file", end: CLASS_LIMIT }
    }

    /// The ids of the class of this name, or this id.
    fn find(&self, text: &str) -> Result<Vec<u32>, String> {
        let named: Vec<u32> =
            self.names.iter().filter(|(_, name)| *name == text).map(|(id, _)| *id).collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let place = self.place;
        match text.parse::<u32>() {
            Ok(id) if id < self.end => Ok(vec![id]),
            Ok(id) => Err(format!("class id {id} is not below {}, as those of {place} are", self.end)),
            Err(_) if self.names.is_empty() => Err(format!(
                "no class \"{text}\": {place} has no class names; give the id of the class, a whole number"
            )),
            Err(_) => Err(format!(
                "no class \"{text}\" in {place}; give one of its names or an id (closest names: {})",
                quoted(&self.closest(text))
            )),
        }
    }

    fn closest(&self, text: &str) -> Vec<&'a str> {
        let wanted = text.to_lowercase();
        let distinct: BTreeSet<&str> = self.names.iter().map(|(_, name)| *name).collect();
        let mut names: Vec<&str> = distinct.into_iter().collect();
        names.sort_by_cached_key(|name| distance(&wanted, &name.to_lowercase()));
        names
    }
}

/// Characters to change, add or remove to get from one text to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, a) in from.chars().enumerate() {
        let mut diagonal = index;
        row[0] = index + 1;
        for (column, b) in to.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

/// The first of some names in quotes, and how many more there are.
pub(crate) fn quoted(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What `--per-class-threshold` and `--exclude-class` ask for, by class id.
#[derive(Debug, Default)]
pub(crate) struct ClassRules {
    thresholds: BTreeMap<u32, f32>,
    excluded: BTreeSet<u32>,
}

impl ClassRules {
    /// The rules of the arguments; an error names the option.
    pub(crate) fn new(args: &MergeRuleArgs, known: &Known<'_>) -> Result<Self, String> {
        let mut rules = Self::default();
        for one in &args.per_class_threshold {
            let ids = known.find(&one.class).map_err(|e| format!("--per-class-threshold: {e}"))?;
            for id in ids {
                if rules.thresholds.insert(id, one.threshold).is_some() {
                    return Err(format!(
                        "--per-class-threshold: class \"{}\" is given twice; give it one threshold",
                        one.class
                    ));
                }
            }
        }
        for class in &args.exclude_class {
            rules.excluded.extend(known.find(class).map_err(|e| format!("--exclude-class: {e}"))?);
        }
        Ok(rules)
    }

    /// Whether nothing is left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.thresholds.is_empty() && self.excluded.is_empty()
    }

    /// Whether a box of this class and score stays.
    pub(crate) fn keeps(&self, class: u32, score: f32) -> bool {
        !self.excluded.contains(&class) && self.thresholds.get(&class).is_none_or(|least| score >= *least)
    }

    /// Lowest scores of single classes.
    pub(crate) fn thresholds(&self) -> Vec<(u32, f32)> {
        self.thresholds.iter().map(|(class, least)| (*class, *least)).collect()
    }

    /// Classes that are left out.
    pub(crate) fn excluded(&self) -> Vec<u32> {
        self.excluded.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn rules(rest: &[&str], known: &Known<'_>) -> Result<ClassRules, String> {
        let args = [&["tilehawk", "merge", "in.json", "-o", "out.json"], rest].concat();
        match Cli::try_parse_from(args).unwrap().command {
            Command::Merge(args) => ClassRules::new(&args.rules, known),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_come_before_ids() {
        let classes = ["car", "2", "traffic light", "car"].map(str::to_owned);
        let known = Known::of_model(&classes);
        let found = rules(
            &[
                "--exclude-class",
                "car, 2",
                "--exclude-class",
                "0",
                "--per-class-threshold",
                "traffic light=0.5",
            ],
            &known,
        )
        .unwrap();
        assert_eq!((found.excluded(), found.thresholds()), (vec![0, 1, 3], vec![(2, 0.5)]));
        assert!(found.keeps(2, 0.5) && !found.keeps(2, 0.49) && !found.keeps(0, 1.0) && found.keeps(9, 0.0));
        assert!(!found.is_empty() && rules(&[], &known).unwrap().is_empty());
    }

    #[test]
    fn unknown_classes_are_refused_with_the_closest_names() {
        let classes = ["person", "truck", "cat", "Car"].map(str::to_owned);
        let known = Known::of_model(&classes);
        let refused = |rest: &[&str]| rules(rest, &known).unwrap_err();
        assert_eq!(
            refused(&["--exclude-class", "cra"]),
            "--exclude-class: no class \"cra\" in the model; give one of its names or an id \
             (closest names: \"Car\", \"cat\", \"truck\", \"person\")"
        );
        assert!(refused(&["--per-class-threshold", "car=0.5"]).contains("(closest names: \"Car\""));
        assert!(refused(&["--exclude-class", "4"]).contains("class id 4 is not below 4"));
        assert!(refused(&["--exclude-class=-1"]).contains("no class \"-1\""));
        assert!(refused(&["--per-class-threshold", "2=0.5,cat=0.4"]).contains("given twice"));
        let nameless = Known::of_file(Vec::new());
        assert!(rules(&["--exclude-class", "car"], &nameless).unwrap_err().contains("no class names"));
        assert!(rules(&["--exclude-class", "16777216"], &nameless).unwrap_err().contains("not below"));
        assert_eq!(rules(&["--exclude-class", "90"], &nameless).unwrap().excluded(), [90]);
    }

    #[test]
    fn distances_of_texts() {
        for (from, to, wanted) in [("", "", 0), ("", "ab", 2), ("car", "cat", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(from, to), wanted, "{from} {to}");
        }
    }
}
