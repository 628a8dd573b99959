//! Checkpoints: everything a run goes on from, in one safetensors file with a checksum over every byte of it.

pub mod folder;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::Phase;
use crate::archive::{Numbers, State};
use crate::atomic_file;
use crate::checksum::Checksum;
use crate::error::{Error, Result};
use crate::model::provenance::Provenance;
use crate::problem::{Parameters, Tables};
use crate::tensors::read_bytes;

/// Number of the layout that this program writes and reads.
const LAYOUT: u32 = 1;
/// Key of the metadata.
const KEY: &str = "helmholtz-checkpoint";
/// What stands before the digits of the checksum: text in JSON in JSON. The first one in a file is its own.
const BEFORE: &[u8] = br#"\"file_checksum\":\""#;
/// The digits while they are not known.
const BLANK: &str = "0000000000000000";

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What the next step belongs to.
    pub phase: Phase,
    /// Steps of what comes before training.
    pub before: usize,
    /// Training steps.
    pub training: usize,
    /// Steps with frozen parameters.
    pub frozen: usize,
}

impl Progress {
    /// Steps of its phase.
    pub fn step(&self) -> usize {
        match self.phase {
            Phase::Pretraining => self.before,
            Phase::Training => self.training,
            Phase::Frozen => self.frozen,
        }
    }

    /// `training step 120`.
    pub fn words(&self) -> String {
        format!("{} step {}", self.phase.name(), self.step())
    }
}

/// What a checkpoint says of its run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub layout: u32,
    #[serde(flatten)]
    pub made: Provenance,
    /// Checksums of the files that settings name, as they were when the run was begun.
    pub files: BTreeMap<String, String>,
    /// File of the parameters that the run began with.
    pub params: Option<String>,
    /// The run whose state it began with.
    pub fork: Option<String>,
    /// Seed of its draws.
    pub seed: u64,
    pub device: String,
    pub progress: Progress,
    /// Since the run began, stops left out.
    pub seconds: f64,
    /// What the numbers of a step are called.
    pub columns: Vec<String>,
    /// Bytes of the logs, metrics.csv and events.jsonl.
    pub logs: [u64; 2],
    /// Warnings that stay with the result.
    pub remarks: Vec<String>,
}

impl Head {
    /// Of this layout; everything else is the run's.
    pub fn new(made: Provenance) -> Head {
        Head {
            layout: LAYOUT,
            made,
            files: BTreeMap::new(),
            params: None,
            fork: None,
            seed: 0,
            device: String::new(),
            progress: Progress::default(),
            seconds: 0.0,
            columns: Vec::new(),
            logs: [0; 2],
            remarks: Vec::new(),
        }
    }
}

/// A run between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub head: Head,
    pub state: State,
}

/// The head as files have it.
#[derive(Serialize, Deserialize)]
struct Stored {
    file_checksum: String,
    #[serde(flatten)]
    head: Head,
}

/// Place of the digits of a file's checksum.
fn digits(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let at = bytes.windows(BEFORE.len()).position(|w| w == BEFORE)? + BEFORE.len();
    Some(at..at + BLANK.len()).filter(|place| place.end <= bytes.len())
}

fn sum(bytes: &[u8]) -> String {
    format!("{:016x}", Checksum::of(bytes).value())
}

impl Checkpoint {
    /// The file.
    ///
    /// # Errors
    /// [`Error::Io`] for what cannot be encoded.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let wrong = |e: &dyn std::fmt::Display| Error::Io(format!("the checkpoint cannot be encoded: {e}"));
        let text = serde_json::to_string(&Stored { file_checksum: BLANK.into(), head: self.head.clone() }).map_err(|e| wrong(&e))?;
        let mut views = Vec::new();
        for (name, Numbers { dtype, bytes }) in &self.state.0 {
            let count = 8 * bytes.len() / dtype.bitsize();
            views.push((name, TensorView::new(*dtype, vec![count], bytes).map_err(|e| wrong(&e))?));
        }
        let mut bytes = safetensors::serialize(views, Some(HashMap::from([(KEY.to_string(), text)]))).map_err(|e| wrong(&e))?;
        let place = digits(&bytes).ok_or_else(|| wrong(&"no place for its checksum"))?;
        let found = sum(&bytes);
        bytes[place].copy_from_slice(found.as_bytes());
        Ok(bytes)
    }

    /// What a file's bytes hold.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn decode(mut bytes: Vec<u8>) -> std::result::Result<Checkpoint, String> {
        let place = digits(&bytes).ok_or("is no checkpoint, or is damaged: it has no checksum")?;
        let told = bytes[place.clone()].to_vec();
        bytes[place].copy_from_slice(BLANK.as_bytes());
        let (found, told) = (sum(&bytes), String::from_utf8_lossy(&told));
        if found != told {
            return Err(format!("is damaged: its checksum is {told}, its {} bytes give {found}", bytes.len()));
        }
        let other = |e: &dyn std::fmt::Display| format!("was written by another version of this program ({e})");
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| other(&e))?;
        let text = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| other(&"no head"))?;
        let Stored { head, .. } = serde_json::from_str(text).map_err(|e| other(&e))?;
        if head.layout != LAYOUT {
            return Err(other(&format!("layout {}, this one reads {LAYOUT}", head.layout)));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|e| other(&e))?;
        let numbers = |view: TensorView<'_>| Numbers { dtype: view.dtype(), bytes: view.data().to_vec() };
        let state = State(tensors.tensors().into_iter().map(|(name, view)| (name, numbers(view))).collect());
        Ok(Checkpoint { head, state })
    }

    /// Reads a file and verifies it.
    ///
    /// # Errors
    /// [`Error::Io`] for what cannot be read, [`Error::User`] for what is damaged or of another version.
    pub fn read(path: &Path) -> Result<Checkpoint> {
        Checkpoint::decode(read_bytes(path)?).map_err(|why| Error::User(format!("{} {why}", path.display())))
    }

    /// Writes a file aside, syncs and renames it.
    ///
    /// # Errors
    /// [`Error::Io`] with the path and the bytes.
    pub fn write(&self, path: &Path) -> Result<()> {
        atomic_file::write(path, &self.encode()?)
    }

    /// The parameters of its learners.
    ///
    /// # Errors
    /// [`Error::User`] where these are not as many as the tables have.
    pub fn parameters(&self, tables: &Tables) -> Result<Parameters> {
        let vector = |(table, prefix): &(crate::model::parameters::Table, &str)| {
            let name = format!("{}/parameters", prefix.trim_end_matches('/'));
            let values = self.state.floats(&name);
            match values.len() == table.len() {
                true => Ok(values),
                false => Err(Error::User(format!(
                    "{name} has {} numbers in the checkpoint, the network of these settings {}",
                    values.len(),
                    table.len()
                ))),
            }
        };
        tables.iter().map(vector).collect()
    }
}

#[cfg(test)]
mod tests;
