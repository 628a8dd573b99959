//! The training loop.

use std::time::Instant;

use super::initial::initial;
use super::memory;
use super::pretraining::{Progress, WANTED};
use super::trainer::Trainer;
use super::{Cutoffs, Job, Phase, StepRecord, Summary, chains};
use crate::config::{Prior, Sampler, Settings};
use crate::error::{Error, Result};
use crate::estimate::Energies;
use crate::model::file::Part;
use crate::sample::Round;

/// Refused updates in a row after which a run stops.
const MOST_REFUSED: usize = 5;
/// Updates of the flow taken back in a row after which a run stops.
const MOST_TAKEN_BACK: usize = 10;
/// Share of walkers with a local energy that is not finite above which a run stops.
const MOST_FAILED: f64 = 0.05;

/// Trains as `job` says: pretraining (prior=none), thermalisation, training, evaluation with frozen
/// parameters. Every step is logged and shown; parameters are saved at the end, and when the user stops.
pub fn train(job: &mut Job) -> Result<Summary> {
    let begun = Instant::now();
    let mut trainer = prepare(job)?;
    let s = job.settings().clone();
    if s.prior == Prior::None && job.parameters.is_none() {
        pretrain(job, &mut trainer, &s)?;
    }
    thermalise(job, &mut trainer, &s)?;
    let mut run = Run { records: Vec::new(), begun, refused: 0, settings: s.clone() };
    run.steps(job, &mut trainer, s.steps, true)?;
    if s.eval_steps > 0 && !job.stopped() {
        job.phase(&format!("measuring: {} steps with frozen parameters", s.eval_steps));
        run.steps(job, &mut trainer, s.eval_steps, false)?;
    }
    save(job, &trainer)?;
    let mut summary = summary(job, &run)?;
    let frozen = run.records.len() - summary.steps;
    chains::conclude(job, &mut trainer, &mut summary, frozen)?;
    Ok(summary)
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
            job.derive(name, value, why)?;
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
    let mut trainer = Trainer::new(&job.gpu, &s, occupation, flow)?;
    job.phase("compiling kernels");
    let recording = trainer.record_step(&job.gpu)?;
    let console = &mut job.console;
    job.gpu.warm(&recording, &mut |done, all| {
        console.phase(&format!("compiling kernels {done}/{all}"));
        !super::stop::requested()
    })?;
    let (pipelines, seconds) = job.gpu.compiled();
    job.phase(&format!("{pipelines} pipelines made in {seconds:.1} s"));
    for warning in Cutoffs::new(&s, &gas).warnings() {
        job.remark(warning);
    }
    if !gas.closed_shell() {
        job.warning(&format!("n = {} is an open shell at this twist: the ideal ground state is degenerate", s.n));
    }
    Ok(trainer)
}

/// Trains p(K) alone to the ideal gas, whose exact F it approaches from above.
fn pretrain(job: &mut Job, trainer: &mut Trainer, s: &Settings) -> Result<()> {
    let (units, n) = (s.units(), s.n as f64);
    let (exact, beta) = (trainer.ideal.free_energy, trainer.gas.beta());
    let sr = trainer.pretraining()?;
    let (mut progress, mut refused) = (Progress::default(), 0);
    for step in 1..=s.pretrain_steps {
        let (energies, failure) = trainer.pretrain(&job.gpu, &sr, step)?;
        refused = if failure.is_some() { refused + 1 } else { 0 };
        if let Some(e) = failure.filter(|_| refused >= MOST_REFUSED) {
            return Err(e);
        }
        let f = energies.free_energy;
        // relative entropy to the ideal gas, nats per electron
        let (excess, error) = (beta * (f.mean - exact) / n, beta * f.error / n);
        progress.push(excess, error);
        let reached = progress.reached();
        let last = step == s.pretrain_steps || reached || job.stopped();
        if step % 20 == 1 || last {
            let (excess, error) = progress.average();
            job.phase(&format!(
                "pretraining {step}/{}: F = {:.6} ± {:.6} {} per electron, exact {:.6}; relative entropy {excess:.1e} ± {error:.1e}",
                s.pretrain_steps,
                f.mean * units.energy,
                f.error * units.energy,
                units.energy_name,
                exact * units.energy
            ));
        }
        if reached {
            return Ok(());
        }
        if last {
            break;
        }
    }
    if s.pretrain_steps > 0 && !job.stopped() {
        let (excess, error) = progress.average();
        job.remark(format!(
            "pretraining has not reached the ideal gas after {} steps: p(K) has a relative entropy of {excess:.1e} ± {error:.1e} nats per electron, {WANTED:.0e} is wanted; give more with pretrain_steps, or a larger batch",
            s.pretrain_steps
        ));
    }
    Ok(())
}

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

/// The steps so far.
struct Run {
    records: Vec<StepRecord>,
    begun: Instant,
    refused: usize,
    settings: Settings,
}

impl Run {
    /// Runs up to `count` steps; returns how many were done.
    fn steps(&mut self, job: &mut Job, trainer: &mut Trainer, count: usize, update: bool) -> Result<usize> {
        for done in 0..count {
            if job.stopped() {
                return Ok(done);
            }
            let start = Instant::now();
            let round = self.sample(job, trainer)?;
            let energies = if update { trainer.energies_and_scores(&job.gpu)? } else { trainer.energies(&job.gpu)? };
            self.judge(job, &energies)?;
            let mut record = self.record(&energies, &round);
            record.phase = if update { Phase::Training } else { Phase::Frozen };
            if update {
                let updated = trainer.update(&job.gpu)?;
                (record.grad_van, record.grad_flow) = (updated.norm_occupation, updated.norm_flow);
                self.refused = if updated.refused.is_some() { self.refused + 1 } else { 0 };
                if let Some(e) = updated.refused {
                    job.warning(&format!("step {}: update not applied: {e}", record.step));
                    if self.refused >= MOST_REFUSED {
                        save(job, trainer)?;
                        return Err(e);
                    }
                }
            }
            record.ms = 1e3 * start.elapsed().as_secs_f64();
            job.step(&record);
            self.records.push(record);
            self.say_compiled(job);
        }
        Ok(count)
    }

    /// After the first step: keeps what the driver compiled. After the second: what compiling took.
    fn say_compiled(&self, job: &mut Job) {
        match self.records.as_slice() {
            [_] => match job.gpu.save_cache() {
                Ok(_) => {}
                Err(e) => job.phase(&format!("compiled kernels are not kept: {e} (HELMHOLTZ_CACHE=off keeps none)")),
            },
            [first, second] => {
                let (pipelines, seconds) = job.gpu.compiled();
                job.phase(&format!(
                    "{pipelines} pipelines made in {seconds:.1} s; first step {:.2} s, second {:.2} s",
                    1e-3 * first.ms,
                    1e-3 * second.ms
                ));
            }
            _ => {}
        }
    }

    /// Draws walkers; takes updates back until the flow is invertible.
    fn sample(&self, job: &mut Job, trainer: &mut Trainer) -> Result<Round> {
        for _ in 0..MOST_TAKEN_BACK {
            let round = trainer.sample(&job.gpu)?;
            if round.usable() {
                return Ok(round);
            }
            let pace = trainer.take_back(&job.gpu)?;
            job.warning(&format!(
                "step {}: the flow is not invertible ({} of {} draws failed, smallest |J| {:.1e}): its last update is taken back, the next step is {pace:.2e} of the usual",
                self.records.len(),
                round.failed,
                round.walkers,
                round.smallest
            ));
        }
        Err(Error::Numerics(format!(
            "step {}: the flow is not invertible in {MOST_TAKEN_BACK} rounds of draws in a row, although its updates were taken back; start from other parameters, with a smaller max_norm or learning_rate, or use sampler=metropolis, which cannot notice",
            self.records.len()
        )))
    }

    /// Walkers that fail are counted and shown; too many stop the run.
    fn judge(&self, job: &mut Job, e: &Energies) -> Result<()> {
        let all = e.counted + e.failed;
        if e.failed as f64 > MOST_FAILED * all as f64 {
            return Err(Error::Numerics(format!(
                "step {}: the local energy of {} of {all} walkers is not finite; try a smaller max_norm or learning_rate, or another seed",
                self.records.len(),
                e.failed
            )));
        }
        if e.failed > 0 {
            job.warning(&format!(
                "step {}: {} of {all} walkers left out, not drawn or without a finite local energy",
                self.records.len(),
                e.failed
            ));
        }
        Ok(())
    }

    fn record(&self, e: &Energies, round: &Round) -> StepRecord {
        let seconds = self.begun.elapsed().as_secs_f64();
        let record = StepRecord::new(self.records.len(), seconds, e, &self.settings);
        StepRecord { acceptance: round.acceptance, tau: round.tau, width: round.width, ..record }
    }
}

fn save(job: &mut Job, trainer: &Trainer) -> Result<()> {
    let s = job.settings().clone();
    let (occupation, flow) = (trainer.occupation.values(&job.gpu)?, trainer.flow.values(&job.gpu)?);
    let (van, backflow) = (s.occupation(trainer.gas.orbital_count()).parameters(), s.backflow().table());
    let parts = [Part { table: &van, prefix: "van/", values: &occupation }, Part { table: &backflow, prefix: "flow/", values: &flow }];
    job.save(&parts, trainer.updates())
}

fn summary(job: &Job, run: &Run) -> Result<Summary> {
    if run.records.is_empty() && job.stopped() {
        return Err(Error::Interrupted);
    }
    let mut summary = Summary::of_records(&run.settings, &job.gpu.describe(), &run.records)?;
    summary.seconds = run.begun.elapsed().as_secs_f64();
    summary.notes.extend(job.remarks.iter().cloned());
    if job.stopped() {
        summary.ended = "stopped by the user".into();
    }
    Ok(summary)
}
