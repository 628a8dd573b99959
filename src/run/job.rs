//! What the training loop talks to: settings, device, logs, console.

use crate::config::{Resolved, Settings};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::model::file::{ParameterFile, Part};
use crate::model::provenance::Provenance;
use crate::report::Console;

use super::{RunLog, StepRecord, stop};

/// A run about to start.
pub struct Job {
    pub resolved: Resolved,
    pub gpu: Gpu,
    /// Initial parameters, if the user gave a file.
    pub parameters: Option<ParameterFile>,
    /// What the summary will note beside what follows from the numbers.
    pub remarks: Vec<String>,
    pub log: RunLog,
    pub console: Console,
}

impl Job {
    pub fn settings(&self) -> &Settings {
        &self.resolved.settings
    }

    /// Fixes a setting that was left to the program and rewrites `config.toml`.
    pub fn derive(&mut self, name: &str, value: usize, why: &str) -> Result<()> {
        self.resolved.derive(name, value, why);
        self.log.write_settings(&self.resolved)
    }

    /// Logs and shows one step.
    pub fn step(&mut self, record: &StepRecord) {
        self.log.step(record);
        self.console.step(record);
    }

    /// Says what is going on before the first step ("compiling 40 kernels").
    pub fn phase(&mut self, text: &str) {
        self.console.phase(text);
    }

    /// Logs and shows a warning.
    pub fn warning(&mut self, text: &str) {
        self.log.warning(text);
        self.console.warning(text);
    }

    /// A warning that stays with the result.
    pub fn remark(&mut self, text: String) {
        self.warning(&text);
        self.remarks.push(text);
    }

    /// Saves parameters after `steps` updates under their published names as `params.safetensors`.
    pub fn save(&mut self, parts: &[Part<'_>], steps: usize) -> Result<()> {
        ParameterFile::write(&self.log.path.join("params.safetensors"), parts, &Provenance::of(&self.resolved.settings, steps))
    }

    /// Whether the user asked to stop; the loop then finishes the step, saves and returns
    /// its summary with `ended: "stopped by the user"`.
    pub fn stopped(&self) -> bool {
        stop::requested()
    }
}
