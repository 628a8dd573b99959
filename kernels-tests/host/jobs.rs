//! Runs in this process, whose device and listener are the test's.

use std::path::Path;

use helmholtz::problem::memory::{self, Bill};
use helmholtz::problem::resolve;
use helmholtz::run::claim::Old;
use helmholtz::run::job::Start;
use helmholtz::run::{Claim, Job, Listener, RunLog, StepRecord};
use helmholtz::{Gpu, Resolved};

/// Settings as a user would write them, the system first.
pub fn given(line: &str) -> Resolved {
    let (system, words) = line.split_once(' ').unwrap();
    let words: Vec<String> = words.split_whitespace().map(String::from).collect();
    resolve(system, &words).unwrap_or_else(|e| panic!("{line}: {e}"))
}

/// A fresh run of these settings in a folder.
pub fn job(folder: &Path, resolved: Resolved, gpu: Gpu, bill: Bill, listener: Box<dyn Listener>) -> Job {
    let claim = Claim::new(folder, Old::Refused).unwrap();
    let log = RunLog::start(claim, &resolved, gpu.manifest()).unwrap();
    Job::new(resolved, gpu, bill, Start::Fresh, log, listener)
}

/// What a run of these settings needs.
pub fn bill(gpu: &Gpu, resolved: &Resolved) -> Bill {
    memory::bill(gpu, resolved.kind(), &resolved.values).unwrap()
}

/// Hears of every step and of what goes on between them, and keeps the warnings.
pub struct Ear<F: FnMut(&str)> {
    pub hear: F,
    pub warnings: std::rc::Rc<std::cell::RefCell<Vec<String>>>,
}

impl<F: FnMut(&str)> Listener for Ear<F> {
    fn begin(&mut self, name: &'static str, _: usize, _: usize) {
        (self.hear)(name);
    }

    fn step(&mut self, record: &StepRecord) {
        (self.hear)(&format!("{} {}", record.phase.name(), record.step));
    }

    fn phase(&mut self, text: &str) {
        (self.hear)(text);
    }

    fn progress(&mut self, what: &str, done: usize, _: usize) {
        (self.hear)(&format!("{what} {done}"));
    }

    fn line(&self, _: &str) {}

    fn warning(&mut self, text: &str) {
        self.warnings.borrow_mut().push(text.into());
    }

    fn finish(&mut self) {}
}
