//! Post-processing inside the file. Operators that select boxes (`TopK`, `NonMaxSuppression`) are not computed: what
//! flows into them becomes an output, and the merge of this library does their work.

use super::lower::{Lowering, Value};
use super::proto::NodeProto;
use crate::error::{Error, Result};

/// Operators whose result has a size or an order that depends on the picture.
const SELECTING: [&str; 21] = [
    "And",
    "ArgMax",
    "ArgMin",
    "Compress",
    "Equal",
    "GatherElements",
    "GatherND",
    "Greater",
    "GreaterOrEqual",
    "If",
    "Less",
    "LessOrEqual",
    "Loop",
    "NonMaxSuppression",
    "NonZero",
    "Not",
    "Or",
    "RoiAlign",
    "ScatterElements",
    "ScatterND",
    "TopK",
];

/// The error of using a value that is not computed.
pub(super) fn consumed(name: &str) -> Error {
    Error::unsupported(format!("\"{name}\" comes from post-processing that is not computed"))
}

impl<'a> Lowering<'a> {
    /// Whether the node selects boxes, or uses what such a node made; its outputs are then not computed.
    pub(super) fn beyond(&mut self, node: &'a NodeProto<'a>) -> Result<bool> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for name in node.inputs.iter().filter(|name| !name.is_empty()) {
            inputs.push((*name, self.value(name)?));
        }
        let constant = inputs.iter().all(|(_, value)| matches!(value, Value::Constant(_)));
        let after = inputs.iter().any(|(_, value)| matches!(value, Value::Beyond));
        if !after && (constant || !SELECTING.contains(&node.op)) {
            return Ok(false);
        }
        for (name, value) in inputs {
            if matches!(value, Value::View(_) | Value::Joined { .. }) && !self.frontier.contains(&name) {
                self.frontier.push(name);
            }
        }
        for name in node.outputs.iter().filter(|name| !name.is_empty()) {
            self.set(name, Value::Beyond)?;
        }
        Ok(true)
    }
}
