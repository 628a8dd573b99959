//! The training loop.

use std::time::Instant;

use super::failures::Failures;
use super::initial::initial;
use super::memory;
use super::pretraining::{Progress, WANTED};
use super::trainer::Trainer;
use super::{Job, Phase, StepRecord, Summary, chains};
use crate::checksum::Checksum;
use crate::config::{Prior, Sampler, Settings};
use crate::error::{Error, Result};
use crate::model::file::Part;
use crate::problem::ACCEPTANCE;
use crate::problem::electron_gas::Cutoffs;
use crate::sample::Round;

/// Refused updates in a row after which a run stops.
const MOST_REFUSED: usize = 5;
/// Updates of the flow taken back in a row after which a run stops.
const MOST_TAKEN_BACK: usize = 10;

/// How a run ended.
pub struct Outcome {
    /// The result of the steps that were made, if any was.
    pub summary: Option<Summary>,
    /// What ended it early.
    pub error: Option<Error>,
}

/// Trains as `job` says: pretraining (prior=none), thermalisation, training, evaluation with frozen
/// parameters. Every step is logged and shown. Parameters are saved now and then and, like the results, whatever ends it.
pub fn train(job: &mut Job) -> Outcome {
    let begun = Instant::now();
    let mut trainer = match prepare(job) {
        Ok(trainer) => trainer,
        Err(e) => return Outcome { summary: None, error: Some(e) },
    };
    let mut run = Run { begun, refused: 0, failures: Failures::default(), settings: job.settings().clone() };
    let done = run.all(job, &mut trainer);
    let mut error = done.err().or_else(|| job.stopped().then_some(Error::Interrupted));
    if let Err(e) = save(job, &trainer) {
        // a lost device takes what it holds with it
        job.warning(&format!("the last parameters cannot be read: {e}; params.safetensors holds those saved before, if any"));
        error = error.or(Some(e));
    }
    let ended = match &error {
        None => "finished".to_string(),
        Some(Error::Interrupted) => "stopped by the user".into(),
        Some(e) => e.to_string(),
    };
    let frozen = job.records.iter().filter(|r| r.phase == Phase::Frozen).count();
    let checked = match summary(job, &run, ended) {
        // a device that failed is not asked again
        Ok(Some(mut summary)) if matches!(error, None | Some(Error::Interrupted)) => {
            chains::conclude(job, &mut trainer, &mut summary, frozen).map(|()| Some(summary))
        }
        other => other,
    };
    match checked {
        Ok(summary) => Outcome { summary, error },
        // averages that mean nothing are not shown
        Err(e) => Outcome { summary: None, error: Some(error.filter(|e| !matches!(e, Error::Interrupted)).unwrap_or(e)) },
    }
}

/// Settles batch and chunk, builds the trainer, loads parameters.
fn prepare(job: &mut Job) -> Result<Trainer> {
    let gas = job.settings().gas()?;
    let bill = memory::fitting(&job.gpu, job.settings())?;
    for (name, left, value, why) in [
        ("batch", job.settings().batch == 0, bill.batch, "by the device"),
        ("chunk", job.settings().chunk == 0, bill.chunk, "what fits the device's memory"),
    ] {
        if left {
            job.derive(name, value, why);
        }
    }
    let s = job.settings().clone();
    let (occupation, flow) = match job.parameters.as_ref().map(|file| initial(file, &s)).transpose()? {
        Some(start) => {
            if let Some(remark) = start.remark {
                job.remark(remark);
            }
            (Some(start.occupation), Some(start.flow))
        }
        None => (None, None),
    };
    let drawn = match (&occupation, &flow) {
        (Some(occupation), Some(flow)) => Settings { seed: seed_after(s.seed, occupation, flow), ..s.clone() },
        _ => s.clone(),
    };
    let mut trainer = Trainer::new(&job.gpu, &drawn, occupation, flow)?;
    let recording = trainer.record_step(&job.gpu)?;
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
    for warning in Cutoffs::new(&s, &gas).warnings() {
        job.remark(warning);
    }
    if !gas.closed_shell() {
        job.warning(&format!("n = {} is an open shell at this twist: the ideal ground state is degenerate", s.n));
    }
    Ok(trainer)
}

/// The seed of the draws of a run that starts from parameters: another than that of the run which made them, or the
/// same random numbers that trained them would test them.
fn seed_after(seed: u32, occupation: &[f32], flow: &[f32]) -> u32 {
    let sum = Checksum::of(bytemuck::cast_slice(occupation)).and(bytemuck::cast_slice(flow)).value();
    seed ^ (sum as u32 ^ (sum >> 32) as u32).max(1)
}

/// What all steps share.
struct Run {
    begun: Instant,
    refused: usize,
    failures: Failures,
    settings: Settings,
}

impl Run {
    /// Everything after the kernels are there.
    fn all(&mut self, job: &mut Job, trainer: &mut Trainer) -> Result<()> {
        let s = self.settings.clone();
        if s.prior == Prior::None && job.parameters.is_none() {
            self.pretrain(job, trainer)?;
            save(job, trainer)?;
        }
        thermalise(job, trainer, &s)?;
        self.steps(job, trainer, s.steps, Phase::Training)?;
        if s.eval_steps > 0 && !job.stopped() {
            save(job, trainer)?;
            self.steps(job, trainer, s.eval_steps, Phase::Frozen)?;
        }
        Ok(())
    }

    /// Trains p(K) alone to the ideal gas, whose exact F it approaches from above.
    fn pretrain(&self, job: &mut Job, trainer: &mut Trainer) -> Result<()> {
        let s = &self.settings;
        let (exact, beta, n) = (trainer.ideal.free_energy, trainer.gas.beta(), s.n as f64);
        let sr = trainer.pretraining()?;
        let (mut progress, mut refused) = (Progress::default(), 0);
        job.listener.begin("pretraining", s.pretrain_steps);
        for step in 0..s.pretrain_steps {
            let start = Instant::now();
            let (energies, failure) = trainer.pretrain(&job.gpu, &sr, step + 1)?;
            refused = if failure.is_some() { refused + 1 } else { 0 };
            if let Some(e) = failure.filter(|_| refused >= MOST_REFUSED) {
                return Err(e);
            }
            let record = StepRecord::new(step, self.begun.elapsed().as_secs_f64(), &energies.measured(s));
            job.step(StepRecord { phase: Phase::Pretraining, ms: 1e3 * start.elapsed().as_secs_f64(), ..record });
            self.save_now_and_then(job, trainer)?;
            // relative entropy to the ideal gas, nats per electron
            let f = energies.free_energy;
            progress.push(beta * (f.mean - exact) / n, beta * f.error / n);
            if progress.reached() {
                let (excess, error) = progress.average();
                let steps = step + 1;
                job.phase(&format!(
                    "pretrained in {steps} steps: relative entropy to the ideal gas {excess:.1e} ± {error:.1e} nats per electron"
                ));
                return Ok(());
            }
            if job.stopped() {
                return Ok(());
            }
        }
        if s.pretrain_steps > 0 {
            let (excess, error) = progress.average();
            job.remark(format!(
                "pretraining has not reached the ideal gas after {} steps: p(K) has a relative entropy of {excess:.1e} ± {error:.1e} nats per electron, {WANTED:.0e} is wanted; give more with pretrain_steps, or a larger batch",
                s.pretrain_steps
            ));
        }
        Ok(())
    }

    /// Runs up to `count` steps.
    fn steps(&mut self, job: &mut Job, trainer: &mut Trainer, count: usize, phase: Phase) -> Result<()> {
        job.listener.begin(if phase == Phase::Frozen { "measuring" } else { "training" }, count);
        for _ in 0..count {
            if job.stopped() {
                return Ok(());
            }
            let start = Instant::now();
            let step = job.records.len();
            let round = self.sample(job, trainer, step)?;
            let update = phase == Phase::Training;
            let energies = if update { trainer.energies_and_scores(&job.gpu)? } else { trainer.energies(&job.gpu)? };
            if energies.failed > 0 {
                let all = energies.counted + energies.failed;
                let left_out = energies.failed;
                job.warning(&format!("step {step}: {left_out} of {all} walkers left out, not drawn or without a finite local energy"));
            }
            self.failures.add(step, energies.counted, energies.failed)?;
            let seconds = self.begun.elapsed().as_secs_f64();
            let mut record = StepRecord { phase, ..StepRecord::new(step, seconds, &energies.measured(&self.settings)) };
            let mut diagnostics = vec![(ACCEPTANCE, round.acceptance), ("tau", round.tau), ("width", round.width)];
            let mut refused = None;
            if update {
                let updated = trainer.update(&job.gpu)?;
                diagnostics.extend([("grad_van", updated.norm_occupation), ("grad_flow", updated.norm_flow)]);
                refused = updated.refused;
            }
            diagnostics.into_iter().for_each(|(name, value)| record.values.set(name, value.into()));
            record.ms = 1e3 * start.elapsed().as_secs_f64();
            job.step(record);
            self.refused = if refused.is_some() { self.refused + 1 } else { 0 };
            if let Some(e) = refused {
                job.warning(&format!("step {step}: update not applied: {e}"));
                if self.refused >= MOST_REFUSED {
                    return Err(e);
                }
            }
            if update {
                self.save_now_and_then(job, trainer)?;
            }
        }
        Ok(())
    }

    fn save_now_and_then(&self, job: &mut Job, trainer: &Trainer) -> Result<()> {
        if job.save_due() { save(job, trainer) } else { Ok(()) }
    }

    /// Draws walkers; takes updates back until the flow is invertible.
    fn sample(&self, job: &mut Job, trainer: &mut Trainer, step: usize) -> Result<Round> {
        for _ in 0..MOST_TAKEN_BACK {
            let round = trainer.sample(&job.gpu)?;
            if round.usable() {
                return Ok(round);
            }
            let pace = trainer.take_back(&job.gpu)?;
            job.warning(&format!(
                "step {step}: the flow is not invertible ({} of {} draws failed, smallest |J| {:.1e}): its last update is taken back, the next step is {pace:.2e} of the usual",
                round.failed,
                round.walkers,
                round.smallest
            ));
        }
        Err(Error::Numerics(format!(
            "step {step}: the flow is not invertible in {MOST_TAKEN_BACK} rounds of draws in a row, although its updates were taken back; start from other parameters, with a smaller max_norm or learning_rate, or use sampler=metropolis, which cannot notice"
        )))
    }
}

/// Thermalises the chains.
fn thermalise(job: &mut Job, trainer: &mut Trainer, s: &Settings) -> Result<()> {
    if s.sampler == Sampler::Exact {
        return Ok(());
    }
    let rounds = s.therm_steps.div_ceil(s.mc_steps);
    for round in 0..rounds {
        let r = trainer.sample(&job.gpu)?;
        job.phase(&format!("thermalising {}/{rounds}: acceptance {:.2}, width {:.3} rs a0", round + 1, r.acceptance, r.width));
        if job.stopped() {
            return Ok(());
        }
    }
    chains::refuse_still(s, &trainer.drawn, (s.steps + s.eval_steps) * s.mc_steps)
}

/// Saves the parameters; those that are not finite are not put in the place of better ones.
fn save(job: &mut Job, trainer: &Trainer) -> Result<()> {
    let s = job.settings().clone();
    let (occupation, flow) = (trainer.occupation.values(&job.gpu)?, trainer.flow.values(&job.gpu)?);
    if let Some(i) = occupation.iter().chain(&flow).position(|v| !v.is_finite()) {
        return Err(Error::Numerics(format!("parameter {i} is not finite")));
    }
    let (van, backflow) = (s.occupation(trainer.gas.orbital_count()).parameters(), s.backflow().table());
    let parts = [Part { table: &van, prefix: "van/", values: &occupation }, Part { table: &backflow, prefix: "flow/", values: &flow }];
    job.save(&parts, trainer.updates());
    Ok(())
}

/// The result so far; nothing without a step.
fn summary(job: &Job, run: &Run, ended: String) -> Result<Option<Summary>> {
    if job.records.is_empty() {
        return Ok(None);
    }
    let mut summary = Summary::of_records(&run.settings, &job.gpu.describe(), &job.records)?;
    summary.seconds = run.begun.elapsed().as_secs_f64();
    summary.notes.extend(job.remarks.iter().cloned());
    summary.ended = ended;
    Ok(Some(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_after_training_have_another_seed() {
        let (a, b) = ([1.0f32, 2.0], [3.0f32]);
        let seed = seed_after(42, &a, &b);
        assert!(seed != 42 && seed == seed_after(42, &a, &b));
        assert_ne!(seed, seed_after(42, &a, &[3.0000002]));
        assert_ne!(seed, seed_after(43, &a, &b));
    }
}
