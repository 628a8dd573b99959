//! The training loop, which knows no system.

use std::time::Instant;

use super::failures::Failures;
use super::{Job, Phase, StepRecord, Summary};
use crate::config::Origin;
use crate::error::{Error, Result};
use crate::estimate::Plot;
use crate::model::file::Part;
use crate::problem::initial::{Initial, initial};
use crate::problem::{self, Drawn, Ending, Problem, Training, WarmUp};

/// Refused updates in a row after which a run stops.
const MOST_REFUSED: usize = 5;

/// How a run ended.
pub struct Outcome {
    /// The result of the steps that were made, if any was.
    pub summary: Option<Summary>,
    /// Pictures of the result.
    pub plots: Vec<Plot>,
    /// What ended it early.
    pub error: Option<Error>,
}

/// Trains as `job` says: what the problem does first, training, evaluation with frozen parameters. Every step is logged and
/// shown. Parameters are saved now and then and, like the results, whatever ends it.
pub fn train(job: &mut Job) -> Outcome {
    let begun = Instant::now();
    let mut problem = match prepare(job) {
        Ok(problem) => problem,
        Err(e) => return Outcome { summary: None, plots: Vec::new(), error: Some(e) },
    };
    let problem = problem.as_mut();
    let mut run = Run { begun, training: job.resolved.read(), refused: 0, failures: Failures::default() };
    let done = run.all(job, problem);
    let mut error = done.err().or_else(|| job.stopped().then_some(Error::Interrupted));
    if let Err(e) = save(job, problem) {
        // a lost device takes what it holds with it
        job.warning(&format!("the last parameters cannot be read: {e}; params.safetensors holds those saved before, if any"));
        error = error.or(Some(e));
    }
    let ended = match &error {
        None => "finished".to_string(),
        Some(Error::Interrupted) => "stopped by the user".into(),
        Some(e) => e.to_string(),
    };
    let checked = match summary(job, &run, ended) {
        // a device that failed is not asked again
        Ok(Some(summary)) if matches!(error, None | Some(Error::Interrupted)) => conclude(job, problem, summary),
        other => other.map(|summary| (summary, Vec::new())),
    };
    match checked {
        Ok((summary, plots)) => Outcome { summary, plots, error },
        // averages that mean nothing are not shown
        Err(e) => {
            let first = error.filter(|e| !matches!(e, Error::Interrupted));
            Outcome { summary: None, plots: Vec::new(), error: Some(first.unwrap_or(e)) }
        }
    }
}

/// Settles batch and chunk, loads parameters, opens the problem, makes its kernels.
fn prepare(job: &mut Job) -> Result<Box<dyn Problem>> {
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
    let start = job.parameters.as_ref().map(|file| initial(file, &job.resolved)).transpose()?;
    if let Some(start) = &start {
        if let Some(remark) = &start.remark {
            match &job.resolved.params {
                // nobody asked for it, and in a scan it is always so
                Some((_, Origin::Derived(_))) => job.remarks.push(remark.clone()),
                _ => job.remark(remark.clone()),
            }
        }
        values.set("seed", &seed_after(training.seed, start).to_string()).map_err(Error::User)?;
    }
    let mut problem = (kind.open)(&job.gpu, &values, start.map(|start| start.vectors))?;
    let recording = problem.record_step(&job.gpu)?;
    let listener = &mut job.listener;
    job.gpu.warm(&recording, &mut |done, all| {
        listener.progress("compiling kernels", done, all);
        !super::stop::requested()
    })?;
    let (pipelines, seconds) = job.gpu.compiled();
    job.phase(&format!("{pipelines} kernels compiled in {seconds:.1} s"));
    if let Err(e) = job.gpu.save_cache() {
        job.phase(&format!("compiled kernels are not kept: {e} (HELMHOLTZ_CACHE=off keeps none)"));
    }
    for (stays, text) in problem.remarks() {
        if stays { job.remark(text) } else { job.warning(&text) }
    }
    Ok(problem)
}

/// The seed of the draws of a run that starts from parameters: another than that of the run which made them, or the
/// same random numbers that trained them would test them.
fn seed_after(seed: u32, start: &Initial) -> u32 {
    let sum = start.checksum();
    seed ^ (sum as u32 ^ (sum >> 32) as u32).max(1)
}

/// What all steps share.
struct Run {
    begun: Instant,
    training: Training,
    refused: usize,
    failures: Failures,
}

impl Run {
    /// Everything after the kernels are there.
    fn all(&mut self, job: &mut Job, problem: &mut dyn Problem) -> Result<()> {
        self.warm_up(job, problem)?;
        self.steps(job, problem, self.training.steps, Phase::Training)?;
        if self.training.eval_steps > 0 && !job.stopped() {
            save(job, problem)?;
            self.steps(job, problem, self.training.eval_steps, Phase::Frozen)?;
        }
        Ok(())
    }

    /// What the problem does before training.
    fn warm_up(&mut self, job: &mut Job, problem: &mut dyn Problem) -> Result<()> {
        let (mut step, mut start) = (0, Instant::now());
        while let Some(done) = problem.warm_up(&job.gpu)? {
            match done {
                WarmUp::Step { stage, total, measured, refused } => {
                    if step == 0 {
                        job.listener.begin(stage, total);
                    }
                    let record = StepRecord::new(step, self.begun.elapsed().as_secs_f64(), &measured);
                    job.step(StepRecord { phase: Phase::Pretraining, ms: 1e3 * start.elapsed().as_secs_f64(), ..record });
                    step += 1;
                    self.judge(refused)?;
                    save_now_and_then(job, problem)?;
                }
                WarmUp::Said(text) => job.phase(&text),
                WarmUp::Remark(text) => job.remark(text),
            }
            if job.stopped() {
                return Ok(());
            }
            start = Instant::now();
        }
        if step > 0 {
            save(job, problem)?;
        }
        self.refused = 0;
        Ok(())
    }

    /// Runs up to `count` steps.
    fn steps(&mut self, job: &mut Job, problem: &mut dyn Problem, count: usize, phase: Phase) -> Result<()> {
        job.listener.begin(if phase == Phase::Frozen { "measuring" } else { "training" }, count);
        for _ in 0..count {
            if job.stopped() {
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
            let seconds = self.begun.elapsed().as_secs_f64();
            let mut record = StepRecord { phase, ..StepRecord::new(step, seconds, &measured) };
            drawn.values.into_iter().for_each(|(name, value)| record.values.set(name, value));
            let mut refused = None;
            if update {
                problem.gradients(&job.gpu)?;
                for learner in problem.learners() {
                    refused = learner.update(&job.gpu)?.or(refused);
                    record.values.set(learner.norm, learner.gradient_norm(&job.gpu)?.into());
                }
            }
            record.ms = 1e3 * start.elapsed().as_secs_f64();
            job.step(record);
            if let Some(e) = &refused {
                job.warning(&format!("step {step}: update not applied: {e}"));
            }
            self.judge(refused)?;
            if update {
                save_now_and_then(job, problem)?;
            }
        }
        Ok(())
    }

    /// Ends a run whose updates are refused again and again.
    fn judge(&mut self, refused: Option<Error>) -> Result<()> {
        self.refused = if refused.is_some() { self.refused + 1 } else { 0 };
        match refused.filter(|_| self.refused >= MOST_REFUSED) {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }
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

fn save_now_and_then(job: &mut Job, problem: &mut dyn Problem) -> Result<()> {
    if job.save_due() { save(job, problem) } else { Ok(()) }
}

/// Saves the parameters; those that are not finite are not put in the place of better ones.
fn save(job: &mut Job, problem: &mut dyn Problem) -> Result<()> {
    let (mut vectors, mut tables, mut steps) = (Vec::new(), Vec::new(), 0);
    for learner in problem.learners() {
        vectors.push(learner.values(&job.gpu)?);
        tables.push((learner.table.clone(), learner.prefix));
        steps = steps.max(learner.updates());
    }
    if let Some(i) = vectors.iter().flatten().position(|v| !v.is_finite()) {
        return Err(Error::Numerics(format!("parameter {i} is not finite")));
    }
    let parts = tables.iter().zip(&vectors).map(|((table, prefix), values)| Part { table, prefix, values });
    job.save(&parts.collect::<Vec<_>>(), steps);
    Ok(())
}

/// The result so far; nothing without a step.
fn summary(job: &Job, run: &Run, ended: String) -> Result<Option<Summary>> {
    if job.records.is_empty() {
        return Ok(None);
    }
    let mut summary = Summary::of_records(job.resolved.kind(), &job.resolved.values, &job.gpu.describe(), &job.records)?;
    summary.seconds = run.begun.elapsed().as_secs_f64();
    summary.notes.extend(job.remarks.iter().cloned());
    summary.ended = ended;
    Ok(Some(summary))
}

/// Adds what the problem knows of the result.
fn conclude(job: &mut Job, problem: &mut dyn Problem, mut summary: Summary) -> Result<(Option<Summary>, Vec<Plot>)> {
    let frozen = job.records.iter().filter(|r| r.phase == Phase::Frozen).count();
    let end = Ending { result: &summary.result, frozen, stopped: job.stopped() };
    let listener = &mut job.listener;
    let conclusion = problem.conclude(&job.gpu, &end, &mut |text| listener.phase(text))?;
    summary.notes.extend(conclusion.notes);
    summary.metropolis = conclusion.metropolis;
    summary.two_point = conclusion.two_point;
    summary.baselines = conclusion.baselines;
    if let Some(reweighted) = conclusion.reweighted {
        (summary.ess, summary.std_r) = (reweighted.ess, reweighted.std_r);
        summary.reweighted = Some(reweighted.values);
    }
    Ok((Some(summary), conclusion.plots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_after_training_have_another_seed() {
        let start = |a: &[f32], b: &[f32]| Initial { vectors: vec![a.to_vec(), b.to_vec()], remark: None };
        let seed = seed_after(42, &start(&[1.0, 2.0], &[3.0]));
        assert!(seed != 42 && seed == seed_after(42, &start(&[1.0, 2.0], &[3.0])));
        assert_ne!(seed, seed_after(42, &start(&[1.0, 2.0], &[3.0000002])));
        assert_ne!(seed, seed_after(43, &start(&[1.0, 2.0], &[3.0])));
    }
}
