//! What the training loop talks to: settings, device, logs, who listens.

use std::time::{Duration, Instant};

use crate::config::Resolved;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::model::file::{ParameterFile, Part};
use crate::problem::initial::provenance;
use crate::problem::memory::Bill;

use super::checkpoint::Checkpoint;
use super::checkpoint::folder::{self, FOLDER, Saving};
use super::{Goal, Listener, Phase, RunLog, StepRecord, stop};

/// A run is saved this long after it began, then after twice the time, …, at last as often as [`Saving`] says.
const SAVE_FIRST: Duration = Duration::from_secs(1);

/// Opens a device in the place of one that is gone.
pub type Reopen = Box<dyn FnMut() -> Result<Gpu>>;

/// What a run starts from.
#[derive(Clone)]
pub enum Start {
    /// Settings alone.
    Fresh,
    /// Parameters of a file.
    Parameters(ParameterFile),
    /// Where it was stopped.
    Resumed(Checkpoint),
    /// The state of another one, and where that is.
    Forked(Checkpoint, String),
}

/// A run about to start.
pub struct Job {
    pub resolved: Resolved,
    pub gpu: Gpu,
    /// Batch and chunk that the device carries, planned once.
    pub bill: Bill,
    pub start: Start,
    /// What the summary will note beside what follows from the numbers.
    pub remarks: Vec<String>,
    pub log: RunLog,
    pub listener: Box<dyn Listener>,
    /// Every step so far, pretraining left out.
    pub records: Vec<StepRecord>,
    /// When it has to be over.
    pub limit: Option<Instant>,
    /// What steps with frozen parameters go on for, at the most as many as the settings say.
    pub goal: Option<Goal>,
    /// Samples of the last frozen step that are to be handed out at the end.
    pub audit: usize,
    /// Where another device comes from, if this one is lost.
    pub reopen: Option<Reopen>,
    saving: Saving,
    saves: Saves,
    /// How long the last step took.
    step: Duration,
}

/// When a run is saved next.
struct Saves {
    last: Instant,
    interval: Duration,
    /// How long the last one took.
    took: Duration,
}

impl Saves {
    fn due(&self) -> bool {
        self.last.elapsed() >= self.interval
    }

    fn done(&mut self, began: Instant, most: Duration) {
        self.last = Instant::now();
        self.took = self.last - began;
        self.interval = (2 * self.interval).min(most);
    }
}

impl Job {
    pub fn new(resolved: Resolved, gpu: Gpu, bill: Bill, start: Start, log: RunLog, listener: Box<dyn Listener>) -> Job {
        let saving = Saving::default();
        let saves = Saves { last: Instant::now(), interval: SAVE_FIRST.min(saving.every), took: Duration::ZERO };
        let (remarks, records, limit, goal, audit, reopen, step) = (Vec::new(), Vec::new(), None, None, 0, None, Duration::ZERO);
        Job { resolved, gpu, bill, start, remarks, log, listener, records, limit, goal, audit, reopen, saving, saves, step }
    }

    /// Saved as `saving` says, and over before `limit`.
    pub fn within(mut self, saving: Saving, limit: Option<Instant>) -> Job {
        self.saves.interval = SAVE_FIRST.min(saving.every);
        Job { saving, limit, ..self }
    }

    /// With another device from `reopen` in the place of one that is lost.
    pub fn reopening(self, reopen: impl FnMut() -> Result<Gpu> + 'static) -> Job {
        Job { reopen: Some(Box::new(reopen)), ..self }
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

    /// How long the last step took: one more has to fit into the time that is left.
    pub fn took(&mut self, step: Duration) {
        self.step = step;
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

    /// A warning that stays with the result, heard once however often a run goes on.
    pub fn remark(&mut self, text: String) {
        if !self.remarks.contains(&text) {
            self.warning(&text);
            self.remarks.push(text);
        }
    }

    /// Whether the run is to be saved again after `step` steps of a phase.
    pub fn save_due(&self, step: usize) -> bool {
        self.saves.due() || (self.saving.keep_every > 0 && step.is_multiple_of(self.saving.keep_every))
    }

    /// Saves a checkpoint, and `parts`, if there are any, after `steps` updates under their published names as `params.safetensors`.
    pub fn save(&mut self, checkpoint: Option<&Checkpoint>, parts: &[Part<'_>], steps: usize) {
        let began = Instant::now();
        if let Some(checkpoint) = checkpoint {
            match folder::save(&self.log.path, checkpoint, &self.saving) {
                // nothing is missing any more
                Ok(()) => self.log.mended(FOLDER),
                fault => self.log.keep(FOLDER, fault),
            }
        }
        if !parts.is_empty() {
            let path = self.log.path.join("params.safetensors");
            let done = ParameterFile::write(&path, parts, &provenance(&self.resolved, steps));
            self.log.keep("params.safetensors", done);
        }
        self.say_faults();
        self.saves.done(began, self.saving.every);
    }

    /// Faults of files are heard when they happen.
    pub fn say_faults(&mut self) {
        for text in self.log.unsaid() {
            self.listener.warning(&text);
        }
    }

    /// Whether the last `frozen` steps have reached the goal, if there is one.
    pub fn reached(&mut self, frozen: usize) -> bool {
        let (kind, values) = (self.resolved.kind(), &self.resolved.values);
        let steps = &self.records[self.records.len().saturating_sub(frozen)..];
        self.goal.as_mut().is_some_and(|goal| goal.reached(kind, values, steps))
    }

    /// What asks the run to stop, if anything: the loop then finishes the step. A step more and saving must fit into the time.
    pub fn stop(&self) -> Option<Error> {
        let late = self.limit.is_some_and(|limit| Instant::now() + 2 * (self.step + self.saves.took) >= limit);
        stop::requested().then_some(Error::Interrupted).or(late.then_some(Error::TimeLimit))
    }

    /// Whether anything does.
    pub fn stopped(&self) -> bool {
        self.stop().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saves_become_rarer_up_to_a_limit() {
        let mut saves = Saves { last: Instant::now(), interval: SAVE_FIRST, took: Duration::ZERO };
        assert!(!saves.due());
        let done = |saves: &mut Saves| saves.done(Instant::now(), Duration::from_secs(60));
        let intervals: Vec<u64> = (0..9).map(|_| (saves.interval.as_secs(), done(&mut saves)).0).collect();
        assert_eq!(intervals, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        saves.interval = Duration::ZERO;
        assert!(saves.due());
    }
}
