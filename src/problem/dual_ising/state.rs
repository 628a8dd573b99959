//! Fields in training.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::roads;
use super::settings::Roads;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::estimate::Estimate;
use crate::estimate::chains;
use crate::estimate::free_energy::{Averages, Quantity, Weighted};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::free_energy::{FreeEnergy, Samples};
use crate::kernels::renorm::{self, Action, Direction, Flow, Gradient, Logs, Mixed};
use crate::model::renorm::Renorm;
use crate::number::philox::{Stream, purpose};
use crate::optimize::{Learner, Optimisation, Optimizer, Start};
use crate::problem::frozen::Frozen;
use crate::problem::spins::{Annealing, Schedule};
use crate::problem::{Conclusion, Drawn, Ending, Measured, Metropolis, Named, Problem, Reweighted, Training, Walkers};
use crate::system::DualIsing;

/// How fields are trained.
#[derive(Clone, Debug)]
pub struct Options {
    /// q(x) = q(-x).
    pub z2: bool,
    /// The total derivative instead of that along the path.
    pub total: bool,
    /// Share of the training steps in which 1/T rises from 0.
    pub anneal: f64,
    /// Batch (given), seed, steps.
    pub training: Training,
    /// The flow draws y = K'^-½ x, white noise about its mean at given spins, instead of x.
    pub white: bool,
    /// Other ways to ⟨m²⟩.
    pub roads: Roads,
    /// Adam.
    pub optimisation: Optimisation,
}

/// ln N, sums of s and G of the samples with one sign.
pub(super) struct Branch {
    pub normal: Buffer,
    log_det: Buffer,
    pub g: Buffer,
    pub lambda: Buffer,
}

impl Branch {
    fn new(flow: &Flow, samples: usize, sign: &str) -> Branch {
        let result = |name: &str, words: usize| Buffer::result(format!("{name}{sign}"), words);
        Branch {
            normal: result("ln N", samples),
            log_det: result("log-det of patches", flow.patches()),
            g: result("d ln q/dx", samples * flow.model().sites()),
            lambda: result("cotangents of log-det", samples),
        }
    }

    fn logs(&self) -> Logs<'_> {
        Logs { normal: &self.normal, log_det: &self.log_det }
    }
}

/// The dual of the Ising model, and the flow that draws its fields.
pub struct DualField {
    pub(super) dual: DualIsing,
    pub(super) options: Options,
    pub(super) flow: Flow,
    pub(super) action: Action,
    pub(super) learner: Learner,
    sums: FreeEnergy,
    /// What the flow draws, y or x, f32 `[sample][site]`; where the reverse mode has been z again.
    pub drawn: Buffer,
    /// Of the mirror images: z', then -x.
    mirrored: Buffer,
    pub(super) plus: Branch,
    pub(super) minus: Branch,
    share: Buffer,
    /// ln q, f32 `[sample]`.
    pub log_q: Buffer,
    draws: u32,
    annealing: Annealing,
    /// The model at the temperature of the action.
    now: DualIsing,
    /// What is known of the samples since the parameters last changed.
    frozen: Frozen,
}

impl DualField {
    /// Fields at one temperature, drawn by a flow whose parameters begin with `parameters` or fresh.
    ///
    /// # Errors
    /// [`Error::User`] for a flow of another lattice, sizes that make no batch, and another optimiser than Adam.
    pub fn new(gpu: &Gpu, dual: DualIsing, model: Renorm, options: Options, parameters: Option<Vec<f32>>) -> Result<DualField> {
        let (batch, seed) = (options.training.batch, options.training.seed);
        if batch < 2 || model.side != dual.side || options.optimisation.optimizer != Optimizer::Adam {
            let (side, other) = (dual.side, model.side);
            return Err(Error::User(format!(
                "a lattice with L = {side}, a flow with L = {other}, batch {batch} (at least 2), by Adam alone"
            )));
        }
        let flow = Flow::new(&model, batch, gpu.profile)?;
        let table = model.parameters();
        let values = Arc::new(move || parameters.clone().unwrap_or_else(|| model.initial(seed)));
        let start = Start { name: "flow", norm: "grad", prefix: "renorm/", table, values };
        let learner = Learner::of_gradient(&options.optimisation, start).cooled(options.training.steps, options.optimisation.cooling);
        let sites = dual.sites();
        Ok(DualField {
            dual,
            action: Action::new(dual, options.white, batch),
            learner,
            sums: FreeEnergy::new(batch, sites),
            drawn: Buffer::result("drawn fields", batch * sites),
            mirrored: Buffer::result("mirror images", batch * sites),
            plus: Branch::new(&flow, batch, ""),
            minus: Branch::new(&flow, batch, " of mirror images"),
            share: Buffer::result("shares", batch),
            log_q: Buffer::result("ln q", batch),
            flow,
            annealing: Annealing::new(Schedule::Linear, 1.0 / dual.temperature, options.anneal * options.training.steps as f64),
            now: dual,
            options,
            draws: 0,
            frozen: Frozen::new(batch, sites),
        })
    }

    fn batch(&self) -> usize {
        self.options.training.batch
    }

    fn samples(&self) -> Samples<'_> {
        Samples { log_q: &self.log_q, energy: &self.action.energy, magnetisation: &self.action.magnetisation }
    }

    /// The random numbers of a draw.
    fn stream(&self, draw: u32) -> Stream {
        Stream { seed: self.options.training.seed, step: draw, purpose: purpose::LATENT, first_walker: 0 }
    }

    /// Records fresh samples. U, ⟨m²⟩ and a symmetric q are the same for x and -x: none of the two is chosen.
    fn record_draw(&mut self, rec: &mut Recording) {
        let (at, sites) = (self.stream(self.draws), self.dual.sites());
        self.draws += 1;
        rec.phase("sampling");
        self.flow.record_pack(rec, &self.learner.parameters);
        renorm::draw(rec, at, self.batch(), sites, &self.drawn, &self.plus.g, &self.plus.normal);
        self.record_sample(rec);
    }

    /// Records what the flow makes of latent variables, with -z in G.
    pub(super) fn record_sample(&self, rec: &mut Recording) {
        rec.clear(&self.plus.log_det);
        self.flow.record(rec, Direction::Sample(Some(&self.plus.g)), &self.drawn, Some(&self.plus.log_det));
    }

    /// Records the sums of U and ln q.
    fn record_measure(&self, rec: &mut Recording) {
        self.record_log_q(rec);
        rec.phase("averages");
        self.sums.record_averages(rec, self.samples(), 1.0);
        self.sums.record_importance(rec, self.samples(), 1.0);
    }

    /// Records U and ln q of the samples.
    pub(super) fn record_log_q(&self, rec: &mut Recording) {
        let (batch, sites) = (self.batch(), self.dual.sites());
        rec.phase("action");
        self.action.record(rec, &self.drawn);
        if self.options.z2 {
            rec.phase("mirror images");
            rec.copy(&self.drawn, &self.mirrored, batch * sites);
            rec.clear(&self.minus.log_det);
            self.flow.record(rec, Direction::Density(-1.0), &self.mirrored, Some(&self.minus.log_det));
            renorm::base(rec, batch, sites, &self.mirrored, &self.minus.g, &self.minus.normal);
        }
        let minus = self.options.z2.then(|| self.minus.logs());
        renorm::join(rec, batch, sites, self.plus.logs(), minus, &self.log_q, &self.share);
    }

    /// Records d(ln q + U)/dx of the samples times `scale`, in place of the forces: along the path, or of the total derivative.
    pub(super) fn record_cotangents(&self, rec: &mut Recording, total: bool, scale: f64) {
        let (batch, sites, z2) = (self.batch(), self.dual.sites(), self.options.z2);
        if z2 {
            // from their latent variables back, with the slope of ln q
            self.flow.record(rec, Direction::Sample(Some(&self.minus.g)), &self.mirrored, None);
        }
        let of = Mixed {
            g: &self.plus.g,
            share: &self.share,
            log_q: &self.log_q,
            energy: &self.action.energy,
            force: &self.action.force,
            back: &self.minus.g,
            lambda: &self.plus.lambda,
            minus_lambda: &self.minus.lambda,
        };
        renorm::mix(rec, z2, total, batch, sites, scale, of);
    }

    /// Records the gradient of the loss.
    fn record_gradients(&self, rec: &mut Recording) {
        let Options { z2, total, .. } = self.options;
        rec.phase("gradient");
        self.record_cotangents(rec, total, 1.0 / self.batch() as f64);
        let mut pulls = vec![(&self.action.force, &self.plus.lambda, &self.drawn)];
        if z2 && total {
            pulls.push((&self.minus.g, &self.minus.lambda, &self.mirrored));
        }
        for (number, (cotangent, lambda, x)) in pulls.into_iter().enumerate() {
            let sums = if number == 0 { Gradient::New } else { Gradient::More };
            self.flow.record(rec, Direction::Pull(cotangent, lambda, sums), x, None);
        }
        self.flow.record_gradient(rec, &self.learner.gradient);
    }

    /// F per site of a loss with its error, at the temperature of the action.
    fn free_energy(&self, loss: Estimate) -> Estimate {
        let slope = self.now.temperature / self.now.sites() as f64;
        Estimate { value: self.now.free_energy(loss.value), error: slope * loss.error, ..loss }
    }

    /// Sets the temperature of the action.
    fn temper(&mut self, gpu: &Gpu, beta: f64) {
        let at = if beta * self.dual.temperature == 1.0 { self.dual } else { DualIsing { temperature: 1.0 / beta, ..self.dual } };
        if at != self.now {
            self.action.temper(gpu, at);
            self.now = at;
        }
    }

    /// Standard deviation of R in units of F.
    fn spread(&self, averages: &Averages) -> f64 {
        averages.variance(Quantity::Reduced).sqrt() * self.now.temperature / self.now.sites() as f64
    }
}

impl Problem for DualField {
    fn learners(&mut self) -> Vec<&mut Learner> {
        vec![&mut self.learner]
    }

    fn state(&mut self, a: &mut Archive) -> Result<()> {
        self.learner.state(a)?;
        a.value("draws", &mut self.draws)?;
        a.schedule(|a| {
            self.annealing.state(a)?;
            a.part("frozen", |a| self.frozen.state(a))
        })
    }

    fn record_step(&mut self, gpu: &Gpu) -> Result<Recording> {
        let mut rec = Recording::new();
        self.record_draw(&mut rec);
        self.record_measure(&mut rec);
        self.record_gradients(&mut rec);
        self.learner.record_update(&mut rec, gpu)?;
        Ok(rec)
    }

    fn draw(&mut self, gpu: &Gpu) -> Result<Drawn> {
        let mut rec = Recording::new();
        self.record_draw(&mut rec);
        gpu.run(&rec)?;
        Ok(Drawn { fault: None, values: Named::default() })
    }

    fn measure(&mut self, gpu: &Gpu, learn: bool) -> Result<Measured> {
        let beta = if learn { self.annealing.beta() } else { 1.0 / self.dual.temperature };
        self.temper(gpu, beta);
        let mut rec = Recording::new();
        self.record_measure(&mut rec);
        if !learn {
            // of the draw before
            let at = Stream { purpose: purpose::METROPOLIS, ..self.stream(self.draws.wrapping_sub(1)) };
            self.frozen.record(&mut rec, at, self.samples(), &self.sums.centre, 1.0);
        }
        gpu.run(&rec)?;
        let centre: Vec<f32> = gpu.read(&self.sums.centre)?;
        let averages = Averages::finish(&centre, &gpu.read::<f32>(&self.sums.partial)?);
        let weighted = Weighted::finish(&centre, &gpu.read::<f32>(&self.sums.weighted)?);
        let loss = averages.mean(Quantity::Reduced);
        let values: Named<Estimate> = [
            ("F", self.free_energy(loss)),
            ("loss", loss),
            ("m2", averages.mean(Quantity::Square)),
            ("std_r", self.spread(&averages).into()),
            ("ess", (weighted.effective() / averages.counted() as f64).into()),
            ("beta", beta.into()),
        ]
        .into();
        let measured = Measured { values, counted: averages.counted(), failed: averages.failed() };
        if learn {
            self.frozen.clear();
        } else {
            self.frozen.add(gpu, &centre, averages, weighted)?;
        }
        Ok(measured)
    }

    fn gradients(&mut self, gpu: &Gpu) -> Result<()> {
        let mut rec = Recording::new();
        self.record_gradients(&mut rec);
        gpu.run(&rec)?;
        self.annealing.advance(self.learner.updates() + 1, f64::NAN, 1.0);
        Ok(())
    }

    fn walkers(&mut self, gpu: &Gpu, count: usize) -> Result<Option<Walkers>> {
        let (n, batch) = (self.dual.sites(), self.batch());
        let wide = |words: Vec<f32>| words.into_iter().map(f64::from).collect::<Vec<f64>>();
        // of x, not of y: both by ln|det M|
        let of_x = |words: Vec<f32>, by: f64| wide(words).into_iter().map(|v| v + by).collect::<Vec<f64>>();
        let constant = self.action.constant();
        let (log_q, energies) =
            (of_x(gpu.read_words(&self.log_q, batch)?, constant), of_x(gpu.read_words(&self.action.energy, batch)?, -constant));
        let x = wide(gpu.read_words(&self.action.x, batch * n)?);
        let usable: Vec<usize> = (0..batch).filter(|w| log_q[*w].is_finite() && energies[*w].is_finite()).collect();
        let chosen = Walkers::chosen(&usable, count);
        let column = |all: &[f64]| chosen.iter().map(|w| all[*w]).collect::<Vec<f64>>();
        let rows = chosen.iter().flat_map(|w| x[w * n..][..n].to_vec()).collect();
        Ok(Some(Walkers { count: chosen.len(), numbers: [("x", rows), ("ln q", column(&log_q)), ("U", column(&energies))].into() }))
    }

    fn conclude(&mut self, gpu: &Gpu, end: &Ending, say: &mut dyn FnMut(&str)) -> Result<Conclusion> {
        let Some((averages, weighted)) = self.frozen.sums() else { return Ok(Conclusion::default()) };
        let log_z = weighted.log_z();
        let least = Estimate { value: -log_z.value, ..log_z };
        let values = [("F", self.free_energy(least)), ("loss", least), ("m2", weighted.mean(Quantity::Square))].into();
        let ess = weighted.effective() / averages.counted() as f64;
        let metropolis = self.frozen.chains().map(|(all, [_, square])| Metropolis {
            values: [("m2", square)].into(),
            acceptance: all.acceptance(),
            tau: all.tau(chains::Quantity::Square),
        });
        let reweighted = Some(Reweighted { values, ess, std_r: self.spread(&averages) });
        let mut ways = BTreeMap::new();
        let Roads { clusters, trajectories } = self.options.roads;
        if clusters > 0 {
            ways.insert("wolff".to_string(), roads::clusters(self, clusters));
        }
        if trajectories > 0 && !end.stopped {
            say("Hamiltonian Monte Carlo");
            // in latent variables last: it leaves fields, U and ln q of the same samples
            for (name, latent) in [("hmc", false), ("latent_hmc", true)] {
                ways.insert(name.to_string(), roads::hamiltonian(self, gpu, latent, trajectories)?);
            }
        }
        Ok(Conclusion { reweighted, metropolis, roads: ways, ..Conclusion::default() })
    }
}
