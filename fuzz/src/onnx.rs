//! What is asked of the ONNX reader for any file.

use crate::limited;
use tilehawk::import::onnx::{ImportOptions, import};
use tilehawk::model::Model;

/// Imports a file as it is and with a size; a model that results must survive its own format.
pub fn check(bytes: &[u8]) {
    let whole = import_with(bytes, &ImportOptions::default());
    let sized = ImportOptions { size: Some([64, 96]), ..ImportOptions::default() };
    let sized = import_with(bytes, &sized);
    if let Some(model) = whole.or(sized) {
        let file = limited(bytes.len(), || model.to_bytes(false)).expect("an imported model can be written");
        let again = limited(file.len(), || Model::from_bytes(&file)).expect("a written model can be read");
        assert!(again == model, "a model changes when it is written and read");
    }
}

fn import_with(bytes: &[u8], options: &ImportOptions) -> Option<Model> {
    limited(bytes.len(), || match import(bytes, options) {
        Ok(model) => Some(model),
        Err(error) => {
            // The message of every error is built and short enough to print.
            let text = error.to_string();
            assert!(text.len() <= (64 << 10) + 16 * bytes.len(), "a message of {} bytes", text.len());
            None
        }
    })
}
