//! Reads a run directory back.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::problem::resolve;
use crate::run::{Phase, StepRecord, Summary, record};

/// A run as its files tell it.
pub struct RunDir {
    pub path: PathBuf,
    pub resolved: Resolved,
    /// Steps of training and measuring; pretraining left out.
    pub records: Vec<StepRecord>,
    /// Lines of `metrics.csv` that were torn and are left out.
    pub torn: usize,
    pub summary: Summary,
}

/// Reads `config.toml`, `metrics.csv` and `summary.json`; a run that was killed has no summary, and
/// gets one from the last half of its steps.
pub fn read(path: &Path) -> Result<RunDir> {
    let shown = path.display();
    if !path.join("metrics.csv").is_file() || !path.join("config.toml").is_file() {
        return Err(Error::User(format!("{shown} is no run directory: config.toml or metrics.csv is missing")));
    }
    let text = |name: &str| fs::read_to_string(path.join(name)).map_err(|e| Error::Io(format!("{shown}/{name}: cannot be read: {e}")));
    let resolved = resolve(path.join("config.toml"), &[])?;
    let bytes = fs::read(path.join("metrics.csv")).map_err(|e| Error::Io(format!("{shown}/metrics.csv: cannot be read: {e}")))?;
    let mut log = record::read_csv(resolved.kind(), &String::from_utf8_lossy(&bytes))
        .map_err(|e| Error::User(format!("{shown}/metrics.csv {e}: not written by helmholtz, or damaged")))?;
    log.records.retain(|r| r.phase != Phase::Pretraining);
    let summary = if path.join("summary.json").is_file() {
        serde_json::from_str(&text("summary.json")?).map_err(|e| Error::User(format!("{shown}/summary.json is damaged: {e}")))?
    } else {
        from_records(&resolved, log.energy, &log.records)?
    };
    Ok(RunDir { path: path.into(), resolved, records: log.records, torn: log.torn, summary })
}

fn from_records(resolved: &Resolved, unit: String, records: &[StepRecord]) -> Result<Summary> {
    let mut summary = Summary::of_records(resolved.kind(), &resolved.values, "", records)?;
    summary.energy_unit = unit;
    summary.ended = "without a summary (killed?)".into();
    Ok(summary)
}
