//! Spins in training.

mod given;
mod kept;

use super::mean_fields::mean_fields;
use super::oracle::pairs;
use super::pictures::Subject;
use super::symmetry::Images;
use super::{Annealing, Energy, Network, Observables, Options, alike};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::estimate::Estimate;
use crate::estimate::free_energy::{Averages, Quantity, Weighted};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::Chunk;
use crate::kernels::bernoulli::Factors;
use crate::kernels::fields::Fields;
use crate::kernels::free_energy::{FreeEnergy, Samples};
use crate::kernels::made_bits::{self, OneLayer};
use crate::kernels::two_point::{self, TwoPoint};
use crate::kernels::z2::{self, Logarithms};
use crate::network::{Autoregressive, Pass};
use crate::number::philox::{Stream, purpose};
use crate::optimize::{Learner, Optimizer, Options as Sr, Start};
use crate::problem::frozen::Frozen;
use crate::problem::{Baselines, Conclusion, Drawn, Ending, Measured, Metropolis, Named, Problem, Reweighted, Walkers};
use crate::system::spins::{Boundary, Couplings};

/// Spins with an energy, and the network that draws them.
pub struct Spins {
    options: Options,
    sites: usize,
    energy: Box<dyn Energy>,
    network: Autoregressive,
    /// Its logits hold the fields of the spins drawn before.
    fields: bool,
    /// Draws, ln q0 of both signs and energies in one launch, where there is such a one.
    bits: Option<OneLayer>,
    learner: Learner,
    sums: FreeEnergy,
    chunks: Vec<Chunk>,
    /// f32 ±1 `[sample][n]`.
    pub spins: Buffer,
    /// ln q0 of the samples as they are, and of their mirror images; f32 `[sample]`.
    plus: Buffer,
    minus: Buffer,
    /// ln q, f32 `[sample]`.
    pub log_q: Buffer,
    /// E and M, f32 `[sample]`.
    pub energies: Buffer,
    magnetisations: Buffer,
    forward: Buffer,
    backward: Buffer,
    one: Buffer,
    /// Other images of the samples than mirror images.
    images: Option<Images>,
    draws: u32,
    annealing: Annealing,
    /// The same energy on the host, for what mean fields make of it.
    couplings: Option<Couplings>,
    subject: Subject,
    /// Pairs of sites of a lattice 0, 1, … apart, whose correlations are measured.
    apart: Vec<Vec<(usize, usize)>>,
    /// Bonds of a periodic one, which are all alike.
    alike: Vec<(usize, usize)>,
    /// The mirror images as the network last saw them, if that was all of them.
    pass: Option<Pass>,
    /// β of R when it was last measured.
    measured_at: f64,
    /// For correlations, once they are asked for.
    products: Option<TwoPoint>,
    /// Standard deviation of E and effective share of the samples last measured.
    seen: (f64, f64),
    /// What is known of the samples since the parameters last changed.
    frozen: Frozen,
    /// Whether the samples drawn last are gone: a run was restored after them.
    gone: bool,
}

impl Spins {
    /// Spins of an energy, drawn by `network`, whose parameters begin with `parameters` or fresh.
    ///
    /// # Errors
    /// [`Error::User`] for a network of other spins, for z2 where the energy is not even, and for sizes that make no batch.
    pub fn new(
        gpu: &Gpu,
        energy: Box<dyn Energy>,
        network: impl Into<Network>,
        options: Options,
        parameters: Option<Vec<f32>>,
    ) -> Result<Spins> {
        let network: Network = network.into();
        let start = network.clone();
        let Network { layers, table, one_layer, .. } = network;
        let (n, batch, chunk) = (energy.sites(), options.training.batch, options.training.chunk);
        let inputs = crate::network::sites(&layers)?;
        if inputs != n || batch < 2 || !(1..=batch).contains(&chunk) {
            return Err(Error::User(format!("{n} spins, a network of {inputs}, batch {batch} (at least 2) in chunks of {chunk}")));
        }
        if options.z2 && !energy.even() {
            return Err(Error::User("z2: the energy is not even in the spins (a field?)".into()));
        }
        let permuted = Some(&options.images).filter(|images| !images.is_empty());
        let images = permuted.map(|permutations| Images::new(n, batch, permutations, options.z2)).transpose()?;
        let count = table.len();
        let (seed, s) = (options.training.seed, &options.optimisation);
        let values = std::sync::Arc::new(move || parameters.clone().unwrap_or_else(|| start.start(seed)));
        let start = Start { name: "network", norm: "grad", prefix: "q/", table, values };
        let learner = match s.optimizer {
            Optimizer::Sr => Learner::of_scores(s, start, batch, 1, Sr::default())?,
            Optimizer::Adam => Learner::of_gradient(s, start),
        };
        let result = |name: &str, words: usize| Buffer::result(name, words);
        Ok(Spins {
            sites: n,
            bits: one_layer
                .filter(|_| images.is_none() && energy.table().is_some())
                .and_then(|made| OneLayer::new(&made, chunk, gpu.profile).ok())
                .map(|bits| if energy.even() { bits.without_fields() } else { bits }),
            network: Autoregressive::new(&layers, count, chunk, gpu.profile)?,
            fields: false,
            learner: learner.cooled(options.training.steps, options.optimisation.cooling),
            sums: FreeEnergy::new(batch, n),
            chunks: (0..batch).step_by(chunk).map(|first| Chunk { first, count: chunk.min(batch - first) }).collect(),
            spins: result("spins", batch * n),
            plus: result("ln q0", batch),
            minus: result("ln q0 of mirror images", batch),
            log_q: result("ln q", batch),
            energies: result("energies", batch),
            magnetisations: result("magnetisations", batch),
            forward: result("forward factors", batch),
            backward: result("backward factors", batch),
            one: Buffer::filled("one", 4, || vec![1.0f32; 4]),
            images,
            annealing: Annealing::new(options.schedule, options.beta, options.anneal * options.training.steps as f64),
            energy,
            options,
            draws: 0,
            couplings: None,
            subject: Subject::default(),
            apart: Vec::new(),
            alike: Vec::new(),
            pass: None,
            measured_at: 0.0,
            products: None,
            seen: (f64::NAN, 0.0),
            frozen: Frozen::new(batch, n),
            gone: false,
        })
    }

    /// With the fields of these couplings in the logits; for networks that were trained with them.
    ///
    /// # Errors
    /// [`Error::User`] for other spins.
    pub fn with_fields(self, model: &Couplings) -> Result<Spins> {
        let bonds = model.bonds().iter().map(|b| (b.i, b.j, b.coupling));
        let network = self.network.with_fields(Fields::new(model.n(), bonds, model.fields()))?;
        Ok(Spins { network, fields: true, ..self })
    }

    /// The logits from now on are those at β.
    fn count_fields(&mut self, beta: f64) {
        if self.fields {
            self.network.count_fields(2.0 * beta);
        }
    }

    /// With couplings of the same energy, of which the end of a run gives the mean-field values.
    pub fn beside(self, model: Couplings) -> Spins {
        Spins { couplings: Some(model), ..self }
    }

    /// With what a model is beside its couplings, which come first: pictures at the end of a run show it.
    pub fn pictured(self, subject: Subject) -> Spins {
        let lattice = subject.lattice.filter(|_| self.sites <= two_point::MOST);
        let torus = self.couplings.as_ref().filter(|_| lattice.is_some_and(|(_, boundary)| boundary == Boundary::Periodic));
        let alike = torus.map_or(Vec::new(), |m| m.bonds().iter().map(|b| (b.i, b.j)).collect());
        Spins { apart: lattice.map_or(Vec::new(), pairs), alike, subject, ..self }
    }

    fn log_q(&self) -> &Buffer {
        if self.options.z2 || self.images.is_some() { &self.log_q } else { &self.plus }
    }

    fn samples(&self) -> Samples<'_> {
        Samples { log_q: self.log_q(), energy: &self.energies, magnetisation: &self.magnetisations }
    }

    fn logs(&self) -> Logarithms<'_> {
        Logarithms { plus: &self.plus, minus: &self.minus }
    }

    /// The random numbers of a draw.
    fn stream(&self, draw: u32) -> Stream {
        Stream { seed: self.options.training.seed, step: draw, purpose: purpose::SPINS, first_walker: 0 }
    }

    /// Records fresh samples. Those of a symmetric q stand for all of their images, each as likely: what is measured, ln q and
    /// its gradient among it, tells none from another.
    fn record_draw(&mut self, rec: &mut Recording) {
        let at = self.stream(self.draws);
        self.draws += 1;
        (self.pass, self.gone) = (None, false);
        self.count_fields(self.annealing.beta());
        rec.phase("sampling");
        self.network.record_pack(rec, &self.learner.parameters);
        for chunk in &self.chunks {
            match (&self.bits, self.energy.table()) {
                (Some(bits), Some(table)) => {
                    let out = made_bits::Outputs {
                        spins: &self.spins,
                        plus: &self.plus,
                        minus: &self.minus,
                        energy: &self.energies,
                        magnetisation: &self.magnetisations,
                    };
                    bits.record(rec, at, *chunk, &self.learner.parameters, table, self.network.factor(), out);
                }
                _ => self.network.record_sample(rec, at, *chunk, &self.learner.parameters, &self.spins, &self.plus),
            }
        }
    }

    /// Records energies, ln q and the sums of both.
    fn record_measure(&mut self, rec: &mut Recording, beta: f64) {
        if self.bits.is_none() {
            rec.phase("energies");
            let out = Observables { energy: &self.energies, magnetisation: &self.magnetisations };
            self.chunks.iter().for_each(|chunk| self.energy.record(rec, *chunk, &self.spins, out));
        }
        if let Some(images) = &self.images {
            rec.phase("images");
            images.record_log_q(rec, &self.network, &self.chunks, &self.spins, &self.plus, &self.log_q);
        } else if self.options.z2 {
            rec.phase("mirror images");
            if self.bits.is_none() {
                let passes = self.chunks.iter().map(|chunk| self.network.record_log_q(rec, *chunk, -1.0, &self.spins, &self.minus));
                self.pass = passes.last().filter(|_| self.chunks.len() == 1);
            }
            z2::record_join(rec, self.options.training.batch, self.logs(), &self.log_q);
        }
        rec.phase("averages");
        self.sums.record_averages(rec, self.samples(), beta);
        self.sums.record_importance(rec, self.samples(), beta);
    }

    /// Records the gradient of β F.
    fn record_gradients(&mut self, rec: &mut Recording, beta: f64) {
        rec.phase("gradient");
        let batch = self.options.training.batch;
        // the unbiased mean over samples, each against the mean of the others
        self.sums.record_factors(rec, self.samples(), beta, 1.0 / batch as f64);
        if self.options.optimisation.optimizer == Optimizer::Sr {
            return self.record_scores(rec);
        }
        let factors = Factors { buffer: &self.sums.factors, first: 0, step: 1 };
        if let Some(images) = &self.images {
            return images.record_gradient(rec, &self.network, &self.chunks, &self.spins, factors, &self.learner.gradient);
        }
        let mut signs: Vec<(f32, &Buffer)> = vec![(1.0, &self.sums.factors)];
        if self.options.z2 {
            z2::record_split(rec, batch, self.logs(), factors, &self.forward, &self.backward);
            signs = vec![(-1.0, &self.backward), (1.0, &self.forward)];
        }
        if let (Some(bits), [_]) = (&self.bits, &self.chunks[..]) {
            let (f, g) = if self.options.z2 { (&self.forward, Some(&self.backward)) } else { (&self.sums.factors, None) };
            return bits.record_gradient(rec, batch, f, g, &self.learner.gradient);
        }
        let mut more = false;
        if let Some(pass) = self.pass.take() {
            self.network.record_gradient_of(rec, pass, &self.spins, &self.backward, &self.learner.gradient, false);
            signs.remove(0);
            more = true;
        }
        for chunk in &self.chunks {
            for (sign, factors) in &signs {
                self.network.record_gradient(rec, *chunk, *sign, &self.spins, factors, &self.learner.gradient, more);
                more = true;
            }
        }
    }

    /// The same by way of the scores of every sample, which stochastic reconfiguration needs.
    fn record_scores(&self, rec: &mut Recording) {
        let (batch, scores) = (self.options.training.batch, &self.learner.scores);
        let ones = Factors { buffer: &self.one, first: 0, step: 0 };
        if let Some(images) = &self.images {
            images.record_scores(rec, &self.network, &self.chunks, &self.spins, ones, scores);
            return self.learner.record_gradient(rec, &self.sums.factors, 1.0);
        }
        if self.options.z2 {
            // the shares that the two signs have of a score
            z2::record_split(rec, batch, self.logs(), ones, &self.forward, &self.backward);
        }
        for chunk in &self.chunks {
            if self.options.z2 {
                for (sign, factors, adds) in [(1.0, &self.forward, false), (-1.0, &self.backward, true)] {
                    self.network.record_weighted_scores(rec, *chunk, sign, &self.spins, factors, scores, chunk.first, adds);
                }
            } else {
                self.network.record_scores(rec, *chunk, 1.0, &self.spins, scores, chunk.first);
            }
        }
        self.learner.record_gradient(rec, &self.sums.factors, 1.0);
    }

    /// An energy per site with what the device leaves out.
    fn whole(&self, e: Estimate) -> Estimate {
        Estimate { value: e.value + self.energy.offset() / self.sites as f64, ..e }
    }

    /// Standard deviation of R/(β n) from sample to sample: 0 where q is exact.
    fn spread(&self, averages: &Averages, beta: f64) -> f64 {
        averages.variance(Quantity::Reduced).sqrt() / (beta * self.sites as f64)
    }

    /// Averages per site; F is that at the β of R.
    fn measured(&self, averages: &Averages, weighted: &Weighted, beta: f64) -> Measured {
        let n = self.sites as f64;
        let per = |q: Quantity, factor: f64| {
            let Estimate { value, error, .. } = averages.mean(q);
            Estimate::new(factor * value, factor.abs() * error)
        };
        let values: Named<Estimate> = [
            ("F", self.whole(per(Quantity::Reduced, 1.0 / (beta * n)))),
            ("E", self.whole(per(Quantity::Energy, 1.0 / n))),
            ("S", per(Quantity::LogQ, -1.0 / n)),
            ("m2", averages.mean(Quantity::Square)),
            ("std_r", self.spread(averages, beta).into()),
            ("ess", (weighted.effective() / averages.counted() as f64).into()),
            ("beta", beta.into()),
        ]
        .into();
        Measured { values, counted: averages.counted(), failed: averages.failed() }
    }

    /// A mean over the exact distribution, per site where it is extensive.
    fn reweighted(&self, averages: &Averages, weighted: &Weighted) -> Reweighted {
        let (n, beta) = (self.sites as f64, self.options.beta);
        let scaled = |e: Estimate, factor: f64| Estimate::new(factor * e.value, factor.abs() * e.error);
        let means = [
            ("F", self.whole(scaled(weighted.log_z(), -1.0 / (beta * n)))),
            ("E", self.whole(scaled(weighted.mean(Quantity::Energy), 1.0 / n))),
            ("m2", weighted.mean(Quantity::Square)),
        ];
        let values = means.into_iter().chain(self.frozen.observables(self.sites, beta)).collect();
        Reweighted { values, ess: weighted.effective() / averages.counted() as f64, std_r: self.spread(averages, beta) }
    }

    /// The same by chains whose moves the samples are.
    fn metropolis(&self) -> Option<Metropolis> {
        let (chains, [energy, square]) = self.frozen.chains()?;
        let n = self.sites as f64;
        let energy = Estimate { value: energy.value / n, error: energy.error / n, ..energy };
        let values = [("E", self.whole(energy)), ("m2", square)].into();
        Some(Metropolis { values, acceptance: chains.acceptance(), tau: chains.tau(crate::estimate::chains::Quantity::Energy) })
    }
}

impl Problem for Spins {
    fn learners(&mut self) -> Vec<&mut Learner> {
        vec![&mut self.learner]
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        self.keep(archive)
    }

    fn record_step(&mut self, gpu: &Gpu) -> Result<Recording> {
        let mut rec = Recording::new();
        self.record_draw(&mut rec);
        self.record_measure(&mut rec, self.options.beta);
        self.record_gradients(&mut rec, self.options.beta);
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
        let beta = if learn { self.annealing.beta() } else { self.options.beta };
        self.measured_at = beta;
        let mut rec = Recording::new();
        self.record_measure(&mut rec, beta);
        if !learn {
            // of the draw before
            let at = Stream { purpose: purpose::METROPOLIS, ..self.stream(self.draws.wrapping_sub(1)) };
            self.frozen.record(&mut rec, at, self.samples(), &self.sums.centre, beta);
        }
        gpu.run(&rec)?;
        let centre: Vec<f32> = gpu.read(&self.sums.centre)?;
        let averages = Averages::finish(&centre, &gpu.read::<f32>(&self.sums.partial)?);
        let weighted = Weighted::finish(&centre, &gpu.read::<f32>(&self.sums.weighted)?);
        let measured = self.measured(&averages, &weighted, beta);
        self.seen = (averages.variance(Quantity::Energy).sqrt(), weighted.effective() / averages.counted() as f64);
        if learn {
            self.frozen.clear();
        } else {
            self.frozen.add(gpu, &centre, averages, weighted)?;
            self.measure_correlations(gpu)?;
        }
        Ok(measured)
    }

    fn gradients(&mut self, gpu: &Gpu) -> Result<()> {
        let mut rec = Recording::new();
        self.record_gradients(&mut rec, self.annealing.beta());
        gpu.run(&rec)?;
        let (deviation, ess) = self.seen;
        self.annealing.advance(self.learner.updates() + 1, deviation, ess);
        Ok(())
    }

    fn walkers(&mut self, gpu: &Gpu, count: usize) -> Result<Option<Walkers>> {
        self.some(gpu, count).map(Some)
    }

    fn conclude(&mut self, gpu: &Gpu, _end: &Ending, say: &mut dyn FnMut(&str)) -> Result<Conclusion> {
        self.draw_again(gpu)?;
        let reweighted = self.frozen.sums().map(|(averages, weighted)| self.reweighted(&averages, &weighted));
        let metropolis = self.metropolis();
        let (two_point, bonds) = self.correlations();
        let seed = self.options.training.seed;
        let baselines = match &self.couplings {
            Some(model) => {
                say("mean fields");
                mean_fields(gpu, model, self.options.beta, seed)?
            }
            None => Baselines::new(),
        };
        Ok(Conclusion {
            reweighted,
            metropolis,
            two_point,
            baselines,
            plots: self.pictures(gpu)?,
            notes: alike::remark(&bonds).into_iter().collect(),
            ..Conclusion::default()
        })
    }
}
