//! What was found to be fastest on a device: numbers by class of work, kept from run to run by whoever wants to.

use super::Matrices;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// The format of the document; another one is not read.
const VERSION: u32 = 1;

/// The choices of a device: what [`Detector::tune`](crate::Detector::tune) finds and kernels follow.
///
/// They belong to one adapter, driver and version of this crate; [`Context::add_tunings`](super::Context::add_tunings)
/// refuses those of another.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tunings {
    version: u32,
    device: String,
    choices: BTreeMap<String, Vec<u32>>,
}

impl Tunings {
    /// No choices yet, for the device of `info` used with these features, shader checks and cooperative matrices.
    pub(super) fn new(
        info: &wgpu::AdapterInfo,
        features: wgpu::Features,
        unchecked: bool,
        matrices: Option<Matrices>,
    ) -> Self {
        let wgpu::AdapterInfo { name, backend, driver, driver_info, .. } = info;
        let subgroups = if features.contains(wgpu::Features::SUBGROUP) { "" } else { "no " };
        let checks = if unchecked { "without" } else { "with" };
        let matrices = matrices.map_or_else(String::new, |Matrices { side, emulated, .. }| {
            format!("{}matrices of {side}; ", if emulated { "emulated " } else { "" })
        });
        let device = format!(
            "{name}; {backend}; {driver} {driver_info}; {subgroups}subgroups; {checks} checks; {matrices}tilehawk {}",
            env!("CARGO_PKG_VERSION")
        );
        Self { version: VERSION, device, choices: BTreeMap::new() }
    }

    /// Adapter, interface, driver, use of subgroups, checks and cooperative matrices, and version of this crate, for which the
    /// choices hold.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// A file name of lower-case letters, digits and `-` that no other device has.
    #[must_use]
    pub fn file_name(&self) -> String {
        // FNV-1a, 64 bits: the same on every run.
        let hash = self.device.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let name: String = self.device.split(';').next().unwrap_or_default().to_lowercase();
        let words: Vec<&str> =
            name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let short: String = words.join("-").chars().take(40).collect();
        format!("{short}-{hash:016x}.json")
    }

    /// Number of classes of work with a choice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.choices.len()
    }

    /// Whether there is no choice.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.choices.is_empty()
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A map of strings and numbers can always be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// From JSON.
    ///
    /// # Errors
    /// `Input` if the text is not what [`Tunings::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Self> {
        let read: Self = serde_json::from_str(text).map_err(|e| Error::input(format!("tunings: {e}")))?;
        if read.version != VERSION {
            return Err(Error::input(format!(
                "tunings of version {}, where {VERSION} is known",
                read.version
            )));
        }
        Ok(read)
    }

    /// Takes over the choices of `other` for classes of work that have none here.
    ///
    /// # Errors
    /// `Input` if they are of another device.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.device != other.device {
            return Err(Error::input(format!(
                "tunings of \"{}\", and this device is \"{}\": tune again",
                other.device, self.device
            )));
        }
        for (class, choice) in &other.choices {
            self.choices.entry(class.clone()).or_insert_with(|| choice.clone());
        }
        Ok(())
    }

    pub(crate) fn get(&self, class: &str) -> Option<&[u32]> {
        self.choices.get(class).map(Vec::as_slice)
    }

    pub(crate) fn insert(&mut self, class: String, choice: Vec<u32>) {
        self.choices.insert(class, choice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_back_and_others_refused() {
        let mut tunings =
            Tunings { version: VERSION, device: "A (B) 1.0; Vulkan; c".into(), ..Tunings::default() };
        tunings.insert("conv_row 3x3".into(), vec![4, 1, 2, 0]);
        assert_eq!(Tunings::from_json(&tunings.to_json()).unwrap(), tunings);
        assert_eq!(tunings.file_name(), "a-b-1-0-6158f3cb1aee6f44.json");
        let mut more = Tunings { choices: BTreeMap::new(), ..tunings.clone() };
        more.insert("a".into(), vec![1]);
        more.insert("conv_row 3x3".into(), vec![8, 1, 2, 0]);
        more.merge(&tunings).unwrap();
        assert_eq!((more.len(), more.get("conv_row 3x3")), (2, Some(&[8, 1, 2, 0][..])));
        assert!(more.merge(&Tunings::default()).unwrap_err().to_string().contains("tune again"));
        let newer = tunings.to_json().replace("\"version\": 1", "\"version\": 2");
        assert!(Tunings::from_json(&newer).unwrap_err().to_string().contains("version 2"));
        assert!(Tunings::from_json("{}").is_err());
    }
}
