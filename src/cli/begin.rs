//! How a run begins, goes on, and is kept: for `train` and `scan`.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::config::{Origin, Resolved, Value};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::model::file::ParameterFile;
use crate::problem::initial::initial;
use crate::problem::memory::Bill;
use crate::run::checkpoint::folder::{Newest, Saving};
use crate::run::duration::parse;
use crate::run::job::Start;
use crate::run::resume::{fork, named, resume};
use crate::run::{Claim, Job, Listener, RunLog};

/// A whole number of an option, refused in the words of settings.
pub(super) fn count(text: &str) -> std::result::Result<usize, String> {
    usize::parse(text)
}

/// When a run is saved, and how long it may take.
#[derive(clap::Args)]
pub struct Keeping {
    /// Save and exit (130) before this much time has passed, for example 90min, 2h or 1-12:00:00; the same command then goes
    /// on. For the wall clock of a queue give a little less
    #[arg(long, value_name = "TIME", value_parser = parse, allow_hyphen_values = true)]
    time_limit: Option<Duration>,
    /// Longest time between two checkpoints
    #[arg(long, value_name = "TIME", default_value = "1min", value_parser = parse, allow_hyphen_values = true)]
    save_every: Duration,
    /// How many of the last checkpoints stay
    #[arg(long, value_name = "K", default_value_t = 2, value_parser = count, allow_hyphen_values = true)]
    keep: usize,
    /// Save a checkpoint after every N steps, which stays; 0: none
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = count, allow_hyphen_values = true)]
    keep_every: usize,
}

impl Keeping {
    pub fn saving(&self) -> Saving {
        Saving { every: self.save_every, keep: self.keep, keep_every: self.keep_every }
    }

    /// When everything has to be over, counted from now.
    pub fn limit(&self) -> Option<Instant> {
        self.time_limit.and_then(|time| Instant::now().checked_add(time))
    }
}

/// What a run begins with, before a device is opened.
pub enum Beginning {
    New { start: Start, warnings: Vec<String> },
    Old(Newest),
}

impl Beginning {
    /// From the run in a claimed folder, from the state of another one, from parameters, or from nothing.
    ///
    /// # Errors
    /// Those of reading these, and settings that they do not go with.
    pub fn find(claim: Option<&Claim>, resolved: &mut Resolved, from: Option<&Path>) -> Result<Beginning> {
        if let Some(claim) = claim.filter(|claim| claim.resumes) {
            return Ok(Beginning::Old(resume(&claim.path, resolved, from)?));
        }
        if let Some(from) = from {
            let found = fork(from, resolved)?;
            let warnings = [vec![found.remark], found.warnings].concat();
            return Ok(Beginning::New { start: Start::Forked(found.checkpoint, named(from)), warnings });
        }
        let Some((path, _)) = &resolved.params else { return Ok(Beginning::New { start: Start::Fresh, warnings: Vec::new() }) };
        let file = ParameterFile::read(path).map_err(|e| match (e, &resolved.params) {
            (Error::User(text), Some((_, origin @ Origin::File { .. }))) => Error::User(format!("{text} (params in {origin})")),
            (e, _) => e,
        })?;
        initial(&file, resolved)?;
        Ok(Beginning::New { start: Start::Parameters(file), warnings: Vec::new() })
    }

    /// The job, its logs begun or cut back.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn job(self, claim: Claim, resolved: Resolved, gpu: Gpu, bill: Bill, listener: Box<dyn Listener>) -> Result<Job> {
        let unlocked = claim.unlocked.clone();
        let mut job = match self {
            Beginning::New { start, warnings } => {
                let (forked, given) = (matches!(start, Start::Forked(..)), matches!(start, Start::Parameters(_)));
                let log = RunLog::start(claim, &resolved, gpu.manifest())?;
                let mut job = Job::new(resolved, gpu, bill, start, log, listener);
                for (i, text) in warnings.into_iter().enumerate() {
                    // where a fork, or parameters, are from stays with the result
                    if given || (forked && i == 0) { job.remark(text) } else { job.warning(&text) }
                }
                job
            }
            Beginning::Old(newest) => {
                let warnings = newest.warnings();
                let log = RunLog::resume(claim, &resolved, gpu.manifest(), &newest)?;
                let progress = newest.checkpoint.head.progress;
                let mut job = Job::new(resolved, gpu, bill, Start::Resumed(newest.checkpoint), log, listener);
                warnings.iter().for_each(|text| job.warning(text));
                job.phase(&format!("going on at {}", progress.words()));
                job
            }
        };
        if let Some(text) = unlocked {
            job.warning(&text);
        }
        Ok(job)
    }
}
