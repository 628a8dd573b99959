//! What the training loop talks to: settings, device, logs, who listens.

use std::time::{Duration, Instant};

use crate::config::Resolved;
use crate::gpu::Gpu;
use crate::model::file::{ParameterFile, Part};
use crate::problem::initial::provenance;
use crate::problem::memory::Bill;

use super::{Listener, Phase, RunLog, StepRecord, stop};

/// Parameters are saved this long after a run began, then after twice the time, …
const SAVE_FIRST: Duration = Duration::from_secs(1);
/// … and at last this often: no more is lost, whatever ends the process.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// A run about to start.
pub struct Job {
    pub resolved: Resolved,
    pub gpu: Gpu,
    /// Batch and chunk that the device carries, planned once.
    pub bill: Bill,
    /// Initial parameters, if the user gave a file.
    pub parameters: Option<ParameterFile>,
    /// What the summary will note beside what follows from the numbers.
    pub remarks: Vec<String>,
    pub log: RunLog,
    pub listener: Box<dyn Listener>,
    /// Every step so far, pretraining left out.
    pub records: Vec<StepRecord>,
    saves: Saves,
}

/// When parameters are saved next.
struct Saves {
    last: Instant,
    interval: Duration,
}

impl Saves {
    fn due(&self) -> bool {
        self.last.elapsed() >= self.interval
    }

    fn done(&mut self) {
        self.last = Instant::now();
        self.interval = (2 * self.interval).min(SAVE_EVERY);
    }
}

impl Job {
    pub fn new(
        resolved: Resolved,
        gpu: Gpu,
        bill: Bill,
        parameters: Option<ParameterFile>,
        log: RunLog,
        listener: Box<dyn Listener>,
    ) -> Job {
        let saves = Saves { last: Instant::now(), interval: SAVE_FIRST };
        Job { resolved, gpu, bill, parameters, remarks: Vec::new(), log, listener, records: Vec::new(), saves }
    }

    /// Fixes a setting that was left to the program and rewrites `config.toml`.
    pub fn derive(&mut self, name: &str, value: usize, why: &str) {
        self.resolved.derive(name, &value.to_string(), why);
        self.log.write_settings(&self.resolved);
        self.say_faults();
    }

    /// Logs and shows one step.
    pub fn step(&mut self, record: StepRecord) {
        self.log.step(&record);
        self.listener.step(&record);
        self.say_faults();
        if record.phase != Phase::Pretraining {
            self.records.push(record);
        }
    }

    /// Says what is going on between steps.
    pub fn phase(&mut self, text: &str) {
        self.listener.phase(text);
    }

    /// Logs and shows a warning.
    pub fn warning(&mut self, text: &str) {
        self.log.warning(text);
        self.listener.warning(text);
        self.say_faults();
    }

    /// A warning that stays with the result.
    pub fn remark(&mut self, text: String) {
        self.warning(&text);
        self.remarks.push(text);
    }

    /// Whether parameters are to be saved again.
    pub fn save_due(&self) -> bool {
        self.saves.due()
    }

    /// Saves parameters after `steps` updates under their published names as `params.safetensors`.
    pub fn save(&mut self, parts: &[Part<'_>], steps: usize) {
        let path = self.log.path.join("params.safetensors");
        let done = ParameterFile::write(&path, parts, &provenance(&self.resolved, steps));
        self.log.keep("params.safetensors", done);
        self.say_faults();
        self.saves.done();
    }

    /// Faults of files are heard when they happen.
    pub fn say_faults(&mut self) {
        for text in self.log.unsaid() {
            self.listener.warning(&text);
        }
    }

    /// Whether the user asked to stop; the loop then finishes the step.
    pub fn stopped(&self) -> bool {
        stop::requested()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saves_become_rarer_up_to_a_limit() {
        let mut saves = Saves { last: Instant::now(), interval: SAVE_FIRST };
        assert!(!saves.due());
        let intervals: Vec<u64> = (0..9).map(|_| (saves.interval.as_secs(), saves.done()).0).collect();
        assert_eq!(intervals, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        saves.interval = Duration::ZERO;
        assert!(saves.due());
    }
}
