//! The training loop, which knows no system.

use std::collections::BTreeMap;
use std::time::Instant;

use super::checkpoint::{Checkpoint, Head, Progress};
use super::failures::Failures;
use super::opening::open;
use super::{Job, Phase, StepRecord, Summary, record, recovery};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::estimate::Plot;
use crate::model::file::Part;
use crate::problem::initial::provenance;
use crate::problem::{self, Drawn, Ending, Problem, SCHEDULED, Training, Walkers, WarmUp};

/// Refused updates in a row after which a run stops.
const MOST_REFUSED: usize = 5;

/// How a run ended.
pub struct Outcome {
    /// The result of the steps that were made, if any was.
    pub summary: Option<Summary>,
    /// Pictures of the result.
    pub plots: Vec<Plot>,
    /// Samples of the last frozen step, if they were asked for ([`Job::audit`]) and one was made.
    pub walkers: Option<Walkers>,
    /// What ended it early.
    pub error: Option<Error>,
}

impl Outcome {
    fn failed(error: Error) -> Outcome {
        Outcome { summary: None, plots: Vec::new(), walkers: None, error: Some(error) }
    }
}

/// Trains as `job` says: what the problem does first, training, evaluation with frozen parameters. Every step is logged and
/// shown. State and parameters are saved now and then and whatever ends it; a run that was stopped goes on where it was, and so
/// does one whose device was lost or could not allocate an array ([`super::recovery`]).
pub fn train(job: &mut Job) -> Outcome {
    recovery::train(job, attempt)
}

/// The same on one device.
fn attempt(job: &mut Job) -> Outcome {
    let (mut problem, mut run) = match open(job) {
        Ok(opened) => opened,
        Err(e) => return Outcome::failed(late(job, e)),
    };
    let problem = problem.as_mut();
    let done = run.all(job, problem);
    // in the middle of a step that failed there is no state to go on from
    let between = done.is_ok();
    let mut error = done.err().or_else(|| job.stop());
    // what a lost device held is gone, and without all its arrays a problem has no state: both have checkpoints to go back to
    let lost = |e: &Error| matches!(e, Error::Lost(_) | Error::Memory(_));
    match if error.as_ref().is_some_and(lost) { Ok(()) } else { run.save(job, problem, between) } {
        Err(e) if lost(&e) => error = Some(e),
        Err(e) => {
            job.warning(&format!("the last parameters cannot be read: {e}; params.safetensors holds those saved before, if any"));
            error = error.or(Some(e));
        }
        Ok(()) => {}
    }
    let ended = error.as_ref().map_or("finished".to_string(), Error::ended);
    let stopped = error.as_ref().is_some_and(Error::is_stop);
    let checked = match summary(job, &run, ended) {
        // a device that failed is not asked again
        Ok(Some(summary)) if stopped || error.is_none() => run
            .walkers(job, problem)
            .and_then(|walkers| conclude(job, problem, summary, stopped).map(|(summary, plots)| (Some(summary), plots, walkers))),
        other => other.map(|summary| (summary, Vec::new(), None)),
    };
    match checked {
        Ok((summary, plots, walkers)) => Outcome { summary, plots, walkers, error },
        // averages that mean nothing are not shown
        Err(e) => Outcome::failed(error.filter(|error| !error.is_stop() && !lost(&e)).unwrap_or(e)),
    }
}

/// Kernels that were not compiled in the time that there was.
fn late(job: &Job, e: Error) -> Error {
    if matches!(e, Error::Interrupted) { job.stop().unwrap_or(e) } else { e }
}

/// What all steps share.
pub(super) struct Run {
    begun: Instant,
    /// Seconds before it went on.
    pub earlier: f64,
    training: Training,
    /// Checksums of the files that settings name.
    files: BTreeMap<String, String>,
    /// File of the parameters it began with.
    params: Option<String>,
    /// The run whose state it began with.
    pub fork: Option<String>,
    /// Of its draws.
    pub seed: u64,
    pub progress: Progress,
    pub pretrained: usize,
    pub refused: usize,
    pub failures: Failures,
    /// The samples of a frozen step are still there: not so in a run that went on and made none.
    measured: bool,
}

impl Run {
    pub fn new(training: Training, files: BTreeMap<String, String>, params: Option<String>) -> Run {
        Run {
            begun: Instant::now(),
            earlier: 0.0,
            seed: training.seed,
            training,
            files,
            params,
            fork: None,
            progress: Progress { phase: Phase::Pretraining, ..Progress::default() },
            pretrained: 0,
            refused: 0,
            failures: Failures::default(),
            measured: false,
        }
    }

    /// Since the run began, stops left out.
    fn seconds(&self) -> f64 {
        self.earlier + self.begun.elapsed().as_secs_f64()
    }

    /// Everything after the kernels are there.
    fn all(&mut self, job: &mut Job, problem: &mut dyn Problem) -> Result<()> {
        if self.progress.phase == Phase::Pretraining {
            if self.progress.before == 0 {
                self.save(job, problem, true)?;
            }
            self.warm_up(job, problem)?;
        }
        if self.progress.phase == Phase::Training {
            self.steps(job, problem, self.training.steps)?;
            if self.progress.training >= self.training.steps && self.training.eval_steps > 0 && !job.stopped() {
                self.save(job, problem, true)?;
                self.progress.phase = Phase::Frozen;
            }
        }
        if self.progress.phase == Phase::Frozen {
            self.steps(job, problem, self.training.eval_steps)?;
        }
        Ok(())
    }

    /// What the problem does before training.
    fn warm_up(&mut self, job: &mut Job, problem: &mut dyn Problem) -> Result<()> {
        let (mut shown, mut start) = (false, Instant::now());
        while !job.stopped() {
            let Some(done) = problem.warm_up(&job.gpu)? else {
                self.refused = 0;
                self.progress.phase = Phase::Training;
                return if self.progress.before > 0 { self.save(job, problem, true) } else { Ok(()) };
            };
            self.progress.before += 1;
            match done {
                WarmUp::Step { stage, total, measured, refused } => {
                    if !std::mem::replace(&mut shown, true) {
                        job.listener.begin(stage, self.pretrained, total);
                    }
                    let record = StepRecord::new(self.pretrained, self.seconds(), &measured);
                    job.step(StepRecord { phase: Phase::Pretraining, ms: 1e3 * start.elapsed().as_secs_f64(), ..record });
                    self.pretrained += 1;
                    self.judge(refused)?;
                }
                WarmUp::Said(text) => job.phase(&text),
                WarmUp::Remark(text) => job.remark(text),
            }
            job.took(start.elapsed());
            self.save_now_and_then(job, problem)?;
            start = Instant::now();
        }
        Ok(())
    }

    /// Runs up to `count` steps of the phase.
    fn steps(&mut self, job: &mut Job, problem: &mut dyn Problem, count: usize) -> Result<()> {
        let phase = self.progress.phase;
        job.listener.begin(if phase == Phase::Frozen { "measuring" } else { "training" }, self.progress.step(), count);
        while self.progress.step() < count {
            if job.stopped() || (phase == Phase::Frozen && job.reached(self.progress.frozen)) {
                return Ok(());
            }
            let start = Instant::now();
            let step = job.records.len();
            let drawn = draw(job, problem, step)?;
            let update = phase == Phase::Training;
            let measured = problem.measure(&job.gpu, update)?;
            if measured.failed > 0 {
                let all = measured.counted + measured.failed;
                let left_out = measured.failed;
                job.warning(&format!("step {step}: {left_out} of {all} walkers left out, not drawn or without a finite local energy"));
            }
            self.failures.add(step, measured.counted, measured.failed)?;
            let mut record = StepRecord { phase, ..StepRecord::new(step, self.seconds(), &measured) };
            drawn.values.into_iter().for_each(|(name, value)| record.values.set(name, value));
            sound(job, &record, measured.counted)?;
            let mut refused = None;
            if update {
                problem.gradients(&job.gpu)?;
                for learner in problem.learners() {
                    refused = learner.update(&job.gpu)?.or(refused);
                    record.values.set(learner.norm, learner.gradient_norm(&job.gpu)?.into());
                }
            }
            job.took(start.elapsed());
            record.ms = 1e3 * start.elapsed().as_secs_f64();
            job.step(record);
            if let Some(e) = &refused {
                job.warning(&format!("step {step}: update not applied: {e}"));
            }
            self.judge(refused)?;
            if update {
                self.progress.training += 1
            } else {
                self.progress.frozen += 1;
                self.measured = true;
            }
            self.save_now_and_then(job, problem)?;
        }
        Ok(())
    }

    /// Those of the samples measured last that the job asks for, before a conclusion draws others.
    fn walkers(&self, job: &Job, problem: &mut dyn Problem) -> Result<Option<Walkers>> {
        if self.measured && job.audit > 0 { problem.walkers(&job.gpu, job.audit) } else { Ok(None) }
    }

    /// Ends a run whose updates are refused again and again.
    fn judge(&mut self, refused: Option<Error>) -> Result<()> {
        self.refused = if refused.is_some() { self.refused + 1 } else { 0 };
        match refused.filter(|_| self.refused >= MOST_REFUSED) {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    fn save_now_and_then(&mut self, job: &mut Job, problem: &mut dyn Problem) -> Result<()> {
        if job.save_due(self.progress.step()) { self.save(job, problem, true) } else { Ok(()) }
    }

    /// Saves the parameters, and `between` steps all state; what is not finite is not put in the place of something better.
    fn save(&mut self, job: &mut Job, problem: &mut dyn Problem, between: bool) -> Result<()> {
        let mut archive = Archive::saving(&job.gpu);
        problem.state(&mut archive)?;
        self.state(&mut archive, job.resolved.kind(), &mut job.records)?;
        let (mut tables, mut updates) = (Vec::new(), 0);
        for learner in problem.learners() {
            tables.push((learner.table.clone(), learner.prefix));
            updates = updates.max(learner.updates());
        }
        let state = archive.finish()?;
        let head = Head {
            files: self.files.clone(),
            params: self.params.clone(),
            fork: self.fork.clone(),
            seed: self.seed,
            device: job.gpu.describe(),
            progress: self.progress,
            seconds: self.seconds(),
            columns: record::names(job.resolved.kind()),
            logs: job.log.lengths(),
            remarks: job.remarks.clone(),
            ..Head::new(provenance(&job.resolved, updates))
        };
        let checkpoint = Checkpoint { head, state };
        let vectors = checkpoint.parameters(&tables)?;
        if let Some(i) = vectors.iter().flatten().position(|v| !v.is_finite()) {
            return Err(Error::Numerics(format!("parameter {i} is not finite")));
        }
        // a run that did nothing yet leaves no parameters
        let written = self.progress.phase > Phase::Pretraining || self.progress.before > 0;
        let parts = tables.iter().zip(&vectors).filter(|_| written).map(|((table, prefix), values)| Part { table, prefix, values });
        job.save(between.then_some(&checkpoint), &parts.collect::<Vec<_>>(), updates);
        Ok(())
    }
}

/// Refuses an average that is not finite though its walkers are: a kernel of the sums failed, and what it left must not be
/// averaged. At β = 0, where schedules begin, F is -∞.
fn sound(job: &Job, record: &StepRecord, counted: usize) -> Result<()> {
    let (name, step) = (job.resolved.kind().quantities[0].name, record.step);
    if record.values[name].value.is_finite() || record.values[SCHEDULED].value == 0.0 {
        return Ok(());
    }
    Err(Error::Numerics(format!(
        "step {step}: {name} is not finite, although {counted} walkers are: a kernel that adds them failed; see `helmholtz verify`, or try another --device"
    )))
}

/// Draws samples that can be used.
fn draw(job: &mut Job, problem: &mut dyn Problem, step: usize) -> Result<Drawn> {
    let mut warnings = Vec::new();
    let drawn = problem::draw(&job.gpu, problem, |fault, pace| {
        warnings.push(format!("step {step}: {fault}: its last update is taken back, the next step is {pace:.2e} of the usual"));
    });
    warnings.iter().for_each(|text| job.warning(text));
    drawn.map_err(|e| match e {
        Error::Numerics(text) => Error::Numerics(format!("step {step}: {text}")),
        other => other,
    })
}

/// The result so far; nothing without a step.
fn summary(job: &Job, run: &Run, ended: String) -> Result<Option<Summary>> {
    if job.records.is_empty() {
        return Ok(None);
    }
    let mut summary = Summary::of_records(job.resolved.kind(), &job.resolved.values, &job.gpu.describe(), &job.records)?;
    summary.seconds = run.seconds();
    summary.notes.extend(job.remarks.iter().cloned());
    if let Some(goal) = &job.goal {
        let unit = goal.quantity.unit.name(&summary.energy_unit);
        summary.notes.extend(goal.unmet(summary.result[goal.quantity.name], run.progress.frozen, unit));
    }
    summary.ended = ended;
    Ok(Some(summary))
}

/// Adds what the problem knows of the result.
fn conclude(job: &mut Job, problem: &mut dyn Problem, mut summary: Summary, stopped: bool) -> Result<(Summary, Vec<Plot>)> {
    let frozen = job.records.iter().filter(|r| r.phase == Phase::Frozen).count();
    let end = Ending { result: &summary.result, frozen, stopped };
    let listener = &mut job.listener;
    let conclusion = problem.conclude(&job.gpu, &end, &mut |text| listener.phase(text))?;
    summary.notes.extend(conclusion.notes);
    summary.r_hat = conclusion.r_hat.unwrap_or(f64::NAN);
    summary.metropolis = conclusion.metropolis;
    summary.roads = conclusion.roads;
    summary.two_point = conclusion.two_point;
    summary.baselines = conclusion.baselines;
    if let Some(reweighted) = conclusion.reweighted {
        (summary.ess, summary.std_r) = (reweighted.ess, reweighted.std_r);
        summary.reweighted = Some(reweighted.values);
    }
    Ok((summary, conclusion.plots))
}
