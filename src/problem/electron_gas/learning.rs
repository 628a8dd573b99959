//! An electron gas in training: what a training loop asks for, in terms of its [`Trainer`].

use super::pretraining::{Progress, WANTED};
use super::{Cutoffs, Landau, Observables, Quasiparticles, Sampler, Settings, Trainer, chains, walkers};
use crate::archive::Archive;
use crate::config::{Group, Values};
use crate::error::{Error, Result};
use crate::estimate::Split;
use crate::gpu::{Gpu, Recording};
use crate::model::occupation::Prior;
use crate::optimize::{Learner, StochasticReconfiguration};
use crate::problem::{ACCEPTANCE, Conclusion, Drawn, Ending, Measured, Parameters, Problem, Walkers, WarmUp};
use crate::sample::Round;

/// What is left before training.
enum Before {
    /// p(K) alone is trained to the ideal gas, whose exact F it approaches from above.
    Pretraining {
        sr: Box<StochasticReconfiguration>,
        progress: Progress,
        step: usize,
    },
    /// Rounds of sampling so far, after which chains have forgotten their random start.
    Thermalisation(usize),
    Nothing,
}

impl Before {
    fn state(&mut self, a: &mut Archive) -> Result<()> {
        let (mut stage, mut at) = match self {
            Before::Nothing => (0usize, 0),
            Before::Thermalisation(round) => (1, *round),
            Before::Pretraining { step, .. } => (2, *step),
        };
        a.value("stage", &mut stage)?;
        a.value("step", &mut at)?;
        match (stage, &mut *self) {
            (0, _) => *self = Before::Nothing,
            (1, _) => *self = Before::Thermalisation(at),
            (_, Before::Pretraining { sr, progress, step }) => {
                *step = at;
                sr.state(a)?;
                progress.state(a)?;
            }
            _ => return Err(Error::User("the run was at its pretraining, which these settings do not have".into())),
        }
        Ok(())
    }
}

struct Gas {
    settings: Settings,
    trainer: Trainer,
    before: Before,
    /// F of every walker since the parameters were frozen, if walkers are chains.
    chains: Split,
    observables: Observables,
}

/// See [`crate::problem::Kind::open`].
pub(super) fn open(gpu: &Gpu, values: &Values, parameters: Option<Parameters>) -> Result<Box<dyn Problem>> {
    let settings = Settings::read(values);
    let fresh = parameters.is_none();
    let mut vectors = parameters.unwrap_or_default().into_iter();
    let mut trainer = Trainer::new(gpu, &settings, vectors.next(), vectors.next())?;
    trainer.start_quasiparticles(vectors.next())?;
    let before = if settings.prior == Prior::None && fresh && settings.pretrain_steps > 0 {
        Before::Pretraining { sr: Box::new(trainer.pretraining()?), progress: Progress::default(), step: 0 }
    } else {
        Before::Thermalisation(0)
    };
    let chunks: Vec<usize> = trainer.chunks().map(|(chunk, _)| chunk.walkers).collect();
    let observables = Observables::new(&trainer.gas, &chunks, settings.displacements);
    Ok(Box::new(Gas { settings, trainer, before, chains: Split::default(), observables }))
}

impl Problem for Gas {
    fn learners(&mut self) -> Vec<&mut Learner> {
        let Trainer { occupation, flow, quasiparticles, .. } = &mut self.trainer;
        [occupation, flow].into_iter().chain(quasiparticles.iter_mut().map(|q| &mut q.learner)).collect()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        self.trainer.state(archive)?;
        archive.schedule(|a| {
            a.part("before", |a| self.before.state(a))?;
            a.part("chains", |a| self.chains.state(a))?;
            a.part("observables", |a| self.observables.state(a))
        })
    }

    fn record_step(&mut self, gpu: &Gpu) -> Result<Recording> {
        self.trainer.record_step(gpu)
    }

    fn shorten(&mut self) {
        self.trainer.sampler.shorten();
    }

    fn remarks(&self) -> Vec<(bool, String)> {
        let gas = &self.trainer.gas;
        let mut remarks: Vec<(bool, String)> =
            Cutoffs::new(&self.settings, gas).warnings().into_iter().map(|warning| (true, warning)).collect();
        if !gas.closed_shell() {
            remarks.push((false, format!("n = {} is an open shell at this twist: the ideal ground state is degenerate", gas.n)));
        }
        remarks
    }

    fn warm_up(&mut self, gpu: &Gpu) -> Result<Option<WarmUp>> {
        match std::mem::replace(&mut self.before, Before::Nothing) {
            Before::Pretraining { sr, progress, step } => self.pretrain(gpu, sr, progress, step).map(Some),
            Before::Thermalisation(round) => self.thermalise(gpu, round),
            Before::Nothing => Ok(None),
        }
    }

    fn draw(&mut self, gpu: &Gpu) -> Result<Drawn> {
        let round = self.trainer.sample(gpu)?;
        let mass = self.trainer.quasiparticles.as_ref().map_or(f64::NAN, Quasiparticles::inverse_mass);
        let values = [(ACCEPTANCE, round.acceptance), ("tau", round.tau), ("width", round.width), ("inverse_mass", mass)];
        Ok(Drawn { fault: fault(&round), values: values.into_iter().map(|(name, v)| (name, v.into())).collect() })
    }

    /// The flow's alone: p(K) is drawn from whatever its parameters are.
    fn take_back(&mut self, gpu: &Gpu) -> Result<f64> {
        self.trainer.take_back(gpu)
    }

    fn measure(&mut self, gpu: &Gpu, learn: bool) -> Result<Measured> {
        let energies = if learn { self.trainer.energies_and_scores(gpu)? } else { self.trainer.energies(gpu)? };
        if learn {
            self.chains.clear();
            self.observables.clear();
        } else {
            self.observables.measure(gpu, &self.trainer, energies.counted)?;
            if self.settings.sampler == Sampler::Metropolis {
                self.chains.push(&walkers::free_energies(&self.trainer, gpu)?);
            }
        }
        Ok(energies.measured(&self.settings))
    }

    fn gradients(&mut self, gpu: &Gpu) -> Result<()> {
        self.trainer.gradients(gpu)
    }

    fn walkers(&mut self, gpu: &Gpu, count: usize) -> Result<Option<Walkers>> {
        walkers::walkers(&self.trainer, gpu, count).map(Some)
    }

    fn conclude(&mut self, gpu: &Gpu, end: &Ending, say: &mut dyn FnMut(&str)) -> Result<Conclusion> {
        let plots = self.observables.plots(&self.settings)?;
        let note = chains::conclude(&self.settings, &mut self.trainer, gpu, end, say)?;
        let r_hat = Some(self.chains.r_hat()).filter(|r| r.is_finite());
        let landau = Landau::new(&self.settings, end.result)?.map(|l| l.words(&self.settings)).transpose()?;
        Ok(Conclusion { notes: note.into_iter().chain(landau).collect(), r_hat, plots, ..Conclusion::default() })
    }
}

fn fault(round: &Round) -> Option<String> {
    (!round.usable()).then(|| {
        format!("the flow is not invertible ({} of {} draws failed, smallest |J| {:.1e})", round.failed, round.walkers, round.smallest)
    })
}

impl Gas {
    fn pretrain(&mut self, gpu: &Gpu, sr: Box<StochasticReconfiguration>, mut progress: Progress, step: usize) -> Result<WarmUp> {
        let total = self.settings.pretrain_steps;
        if step == total || progress.reached() {
            self.before = Before::Thermalisation(0);
            let (excess, error) = progress.average();
            let found = format!("relative entropy to the ideal gas {excess:.1e} ± {error:.1e} nats per electron");
            return Ok(match progress.reached() {
                true => WarmUp::Said(format!("pretrained in {step} steps: {found}")),
                false => WarmUp::Remark(format!(
                    "pretraining has not reached the ideal gas after {total} steps: p(K) has a {found}, {WANTED:.0e} is wanted; give more with pretrain_steps, or a larger batch"
                )),
            });
        }
        let step = step + 1;
        let (energies, refused) = self.trainer.pretrain(gpu, &sr, step)?;
        // relative entropy to the ideal gas, nats per electron
        let (exact, beta, n) = (self.trainer.ideal.free_energy, self.trainer.gas.beta(), self.settings.n as f64);
        let f = energies.free_energy;
        progress.push(beta * (f.mean - exact) / n, beta * f.error / n);
        let measured = Box::new(energies.measured(&self.settings));
        self.before = Before::Pretraining { sr, progress, step };
        Ok(WarmUp::Step { stage: "pretraining", total, measured, refused })
    }

    fn thermalise(&mut self, gpu: &Gpu, round: usize) -> Result<Option<WarmUp>> {
        let s = &self.settings;
        let rounds = if s.sampler == Sampler::Exact { 0 } else { s.therm_steps.div_ceil(s.mc_steps) };
        if round == rounds {
            chains::refuse_still(s, &self.trainer.drawn, (s.training.steps + s.training.eval_steps) * s.mc_steps)?;
            return Ok(None);
        }
        let r = self.trainer.sample(gpu)?;
        self.before = Before::Thermalisation(round + 1);
        let (accepted, width) = (r.acceptance, r.width);
        Ok(Some(WarmUp::Said(format!("thermalising {}/{rounds}: acceptance {accepted:.2}, width {width:.3} rs a0", round + 1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_that_cannot_be_used_say_why() {
        let good = Round { walkers: 5000, smallest: 0.5, ..Round::default() };
        assert_eq!(fault(&good), None);
        let text = fault(&Round { failed: 50, ..good }).unwrap();
        assert!(text.contains("50 of 5000 draws failed, smallest |J| 5.0e-1"), "{text}");
    }
}
