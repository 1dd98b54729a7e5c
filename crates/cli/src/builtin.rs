//! The models that the program brings, by name.

use crate::failure::Failure;
use std::path::Path;

/// What `detect` uses where no model is given.
pub(crate) const DEFAULT: &str = "thermal-nano";

/// Names and files.
const MODELS: [(&str, &[u8]); 2] = [
    (DEFAULT, include_bytes!("../../../weights/thermal-nano.safetensors")),
    ("thermal-small", include_bytes!("../../../weights/thermal-small.safetensors")),
];

/// The file of a built-in model. A file of that name in the current folder goes first.
pub(crate) fn find(path: &Path) -> Option<&'static [u8]> {
    if path.is_file() {
        return None;
    }
    MODELS.iter().find(|(name, _)| path.as_os_str() == *name).map(|(_, bytes)| *bytes)
}

/// The failure to read a model's file, with the names there are.
pub(crate) fn advise(path: &Path, mut failure: Failure) -> Failure {
    if let (Failure::Bad(message), None) = (&mut failure, path.extension()) {
        let names: Vec<&str> = MODELS.iter().map(|(name, _)| *name).collect();
        message.push_str(&format!("; built-in models are {}", names.join(" and ")));
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilehawk::model::Model;

    #[test]
    fn built_in_models_are_whole_and_recommend_settings() {
        for (name, bytes) in MODELS {
            let model = Model::from_bytes(bytes).unwrap();
            let info = model.info();
            assert_eq!(info.name, name);
            assert_eq!(info.licence, "CC-BY-4.0");
            assert!(info.recommended.is_some() && info.focus.is_some() && info.fusion.len() == 3);
            assert!(bytes.len() < 4 << 20);
            assert_eq!(find(Path::new(name)), Some(bytes));
        }
        assert_eq!(find(Path::new("thermal")), None);
    }
}
