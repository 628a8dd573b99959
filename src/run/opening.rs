//! From a job to its problem on the device: settled, with its kernels, in the state that the run starts from.

use super::job::{Job, Start};
use super::resume::{files, params};
use super::train::Run;
use super::{Phase, StepRecord, record};
use crate::archive::{Archive, State};
use crate::config::Origin;
use crate::error::{Error, Result};
use crate::problem::initial::initial;
use crate::problem::{Parameters, Problem, Training};

/// What is known of the start before the problem is opened.
#[derive(Default)]
struct Known {
    parameters: Option<Parameters>,
    /// State to put in, and whether it is another run's.
    state: Option<(State, bool)>,
}

/// Settles batch and chunk, loads parameters, opens the problem, makes its kernels, and restores the state.
pub fn open(job: &mut Job) -> Result<(Box<dyn Problem>, Run)> {
    let (batch, chunk) = (job.bill.batch, job.bill.chunk);
    let training: Training = job.resolved.read();
    for (name, left, value, why) in
        [("batch", training.batch == 0, batch, "by the device"), ("chunk", training.chunk == 0, chunk, "what fits the device's memory")]
    {
        if left {
            job.derive(name, value, why);
        }
    }
    let (kind, mut values) = (job.resolved.kind(), job.resolved.values.clone());
    let mut run = Run::new(job.resolved.read(), files(&job.resolved), params(&job.resolved));
    let known = start(job, &mut run)?;
    values.set("seed", &run.seed.to_string()).map_err(Error::User)?;
    let mut problem = (kind.open)(&job.gpu, &values, known.parameters)?;
    let recording = problem.record_step(&job.gpu)?;
    if let Some((state, fork)) = known.state {
        let mut archive = if fork { Archive::forking(&job.gpu, state) } else { Archive::restoring(&job.gpu, state) };
        let put = problem.state(&mut archive).and_then(|()| archive.schedule(|a| run.state(a, kind, &mut job.records)));
        put.and_then(|()| archive.finish()).map_err(|e| match e {
            Error::User(why) if fork => Error::User(format!(
                "the state of the other run does not fit: {why}; give its batch and its sizes, or start from its parameters alone with --params"
            )),
            Error::User(why) => Error::User(format!("the checkpoint does not fit: {why}; was it written by another version?")),
            other => other,
        })?;
    }
    let (listener, limit) = (&mut job.listener, job.limit);
    job.gpu.warm(&recording, &mut |done, all| {
        listener.progress("compiling kernels", done, all);
        !super::stop::requested() && limit.is_none_or(|limit| std::time::Instant::now() < limit)
    })?;
    let (pipelines, seconds) = job.gpu.compiled();
    job.phase(&format!("{pipelines} kernels compiled in {seconds:.1} s"));
    if let Err(e) = job.gpu.save_cache() {
        job.phase(&format!("compiled kernels are not kept: {e} (HELMHOLTZ_CACHE=off keeps none)"));
    }
    for (stays, text) in problem.remarks() {
        if stays { job.remark(text) } else { job.warning(&text) }
    }
    Ok((problem, run))
}

/// What the job starts from.
fn start(job: &mut Job, run: &mut Run) -> Result<Known> {
    let tables = (job.resolved.kind().tables)(&job.resolved.values)?;
    match std::mem::replace(&mut job.start, Start::Fresh) {
        Start::Fresh => Ok(Known::default()),
        Start::Parameters(file) => {
            let start = initial(&file, &job.resolved)?;
            if let Some(remark) = &start.remark {
                match &job.resolved.params {
                    // nobody asked for it, and in a scan it is always so
                    Some((_, Origin::Derived(_))) => job.remarks.push(remark.clone()),
                    _ => job.remark(remark.clone()),
                }
            }
            run.seed = start.seed_after(run.seed);
            Ok(Known { parameters: Some(start.vectors), state: None })
        }
        Start::Resumed(checkpoint) => {
            // a run that began with parameters has other schedules than one that did not
            let given = checkpoint.head.params.is_some() || checkpoint.head.fork.is_some();
            let parameters = given.then(|| checkpoint.parameters(&tables)).transpose()?;
            let head = checkpoint.head;
            if head.columns != record::names(job.resolved.kind()) {
                return Err(Error::User(
                    "the checkpoint has other columns of metrics.csv: it is of another version of this program".into(),
                ));
            }
            (run.seed, run.earlier, run.progress, run.fork) = (head.seed, head.seconds, head.progress, head.fork);
            job.remarks = head.remarks;
            let version = |v: &str, device: &str| format!("version {v} on {device}");
            let (then, now) = (version(&head.made.version, &head.device), version(env!("CARGO_PKG_VERSION"), &job.gpu.describe()));
            if then != now {
                job.remark(format!("went on at {} with {now}, before with {then}", head.progress.words()));
            }
            Ok(Known { parameters, state: Some((checkpoint.state, false)) })
        }
        Start::Forked(checkpoint, from) => {
            let head = &checkpoint.head;
            run.fork = Some(from);
            // that of its draws, which go on, unless another one is given
            if job.resolved.values.reads_as("seed", head.made.settings.get("seed").map_or("", String::as_str)) {
                run.seed = head.seed;
            }
            Ok(Known { parameters: Some(checkpoint.parameters(&tables)?), state: Some((checkpoint.state, true)) })
        }
    }
}

impl Run {
    /// The loop's own part of the state, and the steps it has recorded.
    pub(super) fn state(&mut self, a: &mut Archive, kind: &crate::problem::Kind, records: &mut Vec<StepRecord>) -> Result<()> {
        a.part("run", |a| {
            a.value("refused", &mut self.refused)?;
            a.value("pretrained", &mut self.pretrained)?;
            self.failures.state(a)?;
            let mut flat: Vec<f64> = records.iter().flat_map(|r| record::numbers(kind, r)).collect();
            a.list("steps", &mut flat)?;
            if a.restores() {
                let phase = |step: usize| if step < self.progress.training { Phase::Training } else { Phase::Frozen };
                let rows = flat.chunks(record::names(kind).len());
                *records = rows.enumerate().map(|(step, row)| record::of_numbers(kind, phase(step), row)).collect();
            }
            Ok(())
        })
    }
}
