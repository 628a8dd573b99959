//! Reads a run directory back.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{Resolved, Sampler};
use crate::error::{Error, Result};
use crate::estimate::statistics::blocking_error;
use crate::run::summary::Thermo;
use crate::run::{Estimate, StepRecord, Summary, record};

/// A run as its files tell it.
pub struct RunDir {
    pub path: PathBuf,
    pub resolved: Resolved,
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
    let resolved = Resolved::from_command(path.join("config.toml"), &[])?;
    let log = record::read_csv(&text("metrics.csv")?)
        .map_err(|e| Error::User(format!("{shown}/metrics.csv {e}: not written by helmholtz, or damaged")))?;
    let summary = if path.join("summary.json").is_file() {
        serde_json::from_str(&text("summary.json")?).map_err(|e| Error::User(format!("{shown}/summary.json is damaged: {e}")))?
    } else {
        from_records(&resolved, log.energy, &log.records)?
    };
    Ok(RunDir { path: path.into(), resolved, records: log.records, torn: log.torn, summary })
}

fn from_records(resolved: &Resolved, unit: String, records: &[StepRecord]) -> Result<Summary> {
    let Some(last) = records.last() else {
        return Err(Error::User("the run made no step: there is nothing to report".into()));
    };
    let half = &records[records.len() / 2..];
    let mean = |get: fn(&StepRecord) -> f64| mean(half, get);
    let s = &resolved.settings;
    let result = Thermo {
        f: mean(|r| r.f),
        e: mean(|r| r.e),
        k: mean(|r| r.k),
        v: mean(|r| r.v),
        s: mean(|r| r.s),
        k_local: mean(|r| r.k_local),
        v_local: mean(|r| r.v_local),
    };
    let over = format!("the last {} training steps", half.len());
    let mut summary = Summary::new(s, "", records.len(), last.seconds, result, over);
    summary.energy_unit = unit;
    summary.acceptance = if s.sampler == Sampler::Exact { f64::NAN } else { mean(|r| r.acceptance).value };
    summary.tau = mean(|r| r.tau).value;
    summary.nonfinite = records.iter().map(|r| r.nonfinite as u64).sum();
    summary.ended = "without a summary (killed?)".into();
    Ok(summary)
}

/// Mean of a column with its error by blocking; unknown values are left out.
pub(super) fn mean(records: &[StepRecord], get: fn(&StepRecord) -> f64) -> Estimate {
    let x: Vec<f64> = records.iter().map(get).filter(|v| v.is_finite()).collect();
    let error = if x.len() < 2 { f64::NAN } else { blocking_error(&x) };
    Estimate::new(x.iter().sum::<f64>() / x.len() as f64, error)
}
