//! How parameters were made, as their file says: JSON under the key `helmholtz` of a safetensors file's metadata.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::error::{Error, Result};

/// Key of the metadata.
const KEY: &str = "helmholtz";
/// In what stands under it.
const SEAL: &str = "\"checksum\":\"";

/// Settings and length of the run that made a file's parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the program.
    pub version: String,
    /// What was simulated.
    pub system: String,
    /// Every setting, as it is given in `key=value`.
    pub settings: BTreeMap<String, String>,
    /// Updates of the parameters in that run.
    pub steps: usize,
}

/// What stands in the file.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    provenance: Provenance,
    /// Hexadecimal, over this text with zeros in its place, then names, types, shapes and bytes of the tensors.
    checksum: String,
}

fn digits(sum: u64) -> String {
    format!("{sum:016x}")
}

/// Sum over `text` and every tensor in the order of names.
fn sum(text: &str, tensors: &SafeTensors<'_>) -> u64 {
    let mut names = tensors.names();
    names.sort_unstable();
    let mut sum = Checksum::of(text.as_bytes());
    for view in names.iter().filter_map(|name| Some((name, tensors.tensor(name).ok()?))) {
        let (name, view) = view;
        sum = sum.and(format!("\n{name} {:?} {:?}\n", view.dtype(), view.shape()).as_bytes()).and(view.data());
    }
    sum.value()
}

impl Provenance {
    /// The file of these tensors with their provenance.
    ///
    /// `encode` writes them with the metadata it is given; it is called twice, as the checksum is over what it wrote.
    pub(super) fn seal(&self, encode: impl Fn(HashMap<String, String>) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let wrong = |e: &dyn std::fmt::Display| Error::Io(format!("the settings of the parameters cannot be encoded: {e}"));
        let text = |checksum: String| {
            serde_json::to_string(&Stored { provenance: self.clone(), checksum }).map(|t| HashMap::from([(KEY.to_string(), t)]))
        };
        let blank = text(digits(0)).map_err(|e| wrong(&e))?;
        let bytes = encode(blank.clone())?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| wrong(&e))?;
        encode(text(digits(sum(&blank[KEY], &tensors))).map_err(|e| wrong(&e))?)
    }

    /// Reads the provenance of a file's bytes and compares its checksum; `None` where the file has none.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn open(bytes: &[u8], tensors: &SafeTensors<'_>) -> std::result::Result<Option<Provenance>, String> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
        // under whatever name: a damaged one must not take the checksum away
        let sealed = |m: &HashMap<String, String>| m.get(KEY).or_else(|| m.values().find(|text| text.contains(SEAL))).cloned();
        let Some(text) = metadata.metadata().as_ref().and_then(sealed) else { return Ok(None) };
        let stored: Stored = serde_json::from_str(&text).map_err(|e| format!("the settings it carries are damaged ({e})"))?;
        let found = digits(sum(&text.replacen(&stored.checksum, &digits(0), 1), tensors));
        if found != stored.checksum {
            return Err(format!("it is damaged: its checksum is {}, its bytes give {found}", stored.checksum));
        }
        Ok(Some(stored.provenance))
    }
}
