//! One electron gas on one device: sample, energies, gradients, update. No logging, no files.

use super::settings::{self, Laplacian, Settings};
use super::{Energies, LocalEnergy, Quasiparticles, beginning};
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::Chunk as Rows;
use crate::kernels::backflow::{Directions, Signs};
use crate::kernels::distinct::DistinctStates;
use crate::kernels::estimators::{self, Baseline, Estimators};
use crate::kernels::occupied;
use crate::model::occupation::Prior;
use crate::network::OccupationKernels;
use crate::number::philox::{Stream, purpose};
use crate::optimize::{Learner, Options, StochasticReconfiguration};
use crate::sample::{Chunk, Metropolis, Round, Sampler};
use crate::system::electron_gas::ElectronGas;
use crate::system::ideal_gas::IdealGas;
use crate::wave_function::WaveFunction;

/// Largest squared step of pretraining in the Fisher norm.
const PRETRAINING_NORM: f64 = 0.1;
/// Damping of pretraining: far below that of training, or rarely occupied orbitals hardly learn.
const PRETRAINING_DAMPING: f64 = 3e-4;

/// Share of Newton's step that step `step` (from 1) of pretraining makes: a few hundred walkers see thousands of
/// parameters through noise, full steps would keep the noise of the last batch, falling ones average over many.
fn pretraining_share(step: usize) -> f64 {
    0.25 * (60.0 / step.max(1) as f64).min(1.0)
}

/// Everything a training step needs, on the device.
pub struct Trainer {
    pub gas: ElectronGas,
    pub ideal: IdealGas,
    pub batch: usize,
    pub chunk: usize,
    pub occupation: Learner,
    pub flow: Learner,
    /// With `prior=quasiparticle`.
    pub quasiparticles: Option<Quasiparticles>,
    settings: Settings,
    occupations: OccupationKernels,
    pub wave: WaveFunction,
    pub sampler: Box<dyn Sampler>,
    pub estimators: Estimators,
    pub energy: LocalEnergy,
    /// Occupied orbitals, u32 `[walker][n]`, ascending.
    pub states: Buffer,
    chunk_states: Vec<Buffer>,
    /// The distinct ones of the states: equal states have equal scores of p(K).
    pub distinct: DistinctStates,
    /// ln p of the states, f32 `[walker]`.
    pub log_probability: Buffer,
    momentum: Buffer,
    ideal_energy: Buffer,
    zeros: Buffer,
    /// Rounds of sampling so far and how the last one went.
    pub drawn: (usize, Round),
    draws: u32,
    /// The scores of the flow are those of the present walkers and parameters.
    scored: bool,
}

/// Directions of the Laplacian of ln|det J|, random ones from `at`.
pub(super) fn directions(s: &Settings, wave: &WaveFunction, at: Stream) -> Directions {
    let signs = Signs { probes: s.probes, at };
    match s.laplacian {
        Laplacian::Exact if wave.flow.has_registers() => Directions::RowsExact,
        Laplacian::Exact => Directions::Exact,
        Laplacian::Probes => Directions::Rows(signs),
        Laplacian::Hutchinson => Directions::Signs(signs),
    }
}

impl Trainer {
    /// Builds models, buffers and samplers for resolved settings (batch and chunk set).
    ///
    /// `occupation`, `flow`: initial parameters (published order); `None`: fresh ones.
    pub fn new(gpu: &Gpu, s: &Settings, occupation: Option<Vec<f32>>, flow: Option<Vec<f32>>) -> Result<Trainer> {
        Trainer::of_gas(gpu, s, s.gas()?, occupation, flow)
    }

    /// The same for a gas whose orbital table is given.
    pub fn of_gas(gpu: &Gpu, s: &Settings, gas: ElectronGas, occupation: Option<Vec<f32>>, flow: Option<Vec<f32>>) -> Result<Trainer> {
        let ideal = gas.ideal()?;
        let (batch, chunk) = (s.training.batch, s.training.chunk);
        let model = s.occupation(&gas);
        let quasiparticles =
            (s.prior == Prior::Quasiparticle).then(|| Quasiparticles::new(&ideal, s.optimisation.max_norm, None)).transpose()?;
        let bias = match s.prior {
            // of orbitals of one spin all windows allow the choice
            Prior::None => (gas.down() > 0).then(|| ideal.windows()),
            _ => Some(ideal.bias()),
        };
        let occupations = OccupationKernels::new(&model, chunk, &gas.labels(), bias.as_deref(), gpu)?;
        let wave = WaveFunction::new(gpu, &gas, s.backflow(), chunk)?;
        let sampler: Box<dyn Sampler> = match s.sampler {
            settings::Sampler::Exact => Box::new(beginning::exact(s, &gas)?),
            settings::Sampler::Metropolis => Box::new(Metropolis::new(beginning::chains(s, &gas))?),
        };
        let momentum = Buffer::result("total momentum", batch * gas.dim);
        let cooled = |learner: Learner| learner.cooled(s.training.steps, s.optimisation.cooling);
        let options = Options { gauge: s.gauge, dim: gas.dim, ..Options::default() };
        Ok(Trainer {
            batch,
            chunk,
            occupation: cooled(Learner::of_scores(&s.optimisation, beginning::occupation(s, &gas, occupation), batch, 1, options)?),
            flow: cooled(Learner::of_scores(&s.optimisation, beginning::flow(s, flow), batch, 2, options)?).with_momenta(&momentum),
            quasiparticles,
            settings: s.clone(),
            occupations,
            wave,
            chunk_states: sampler.chunks().iter().map(|c| Buffer::new("states of a chunk", c.walkers * gas.n)).collect(),
            sampler,
            estimators: Estimators::new(batch),
            energy: LocalEnergy::new(&gas, (s.kappa, s.gmax as u32), chunk)?,
            states: Buffer::result("states", batch * gas.n),
            distinct: DistinctStates::new(batch, gas.n),
            log_probability: Buffer::result("ln p", batch),
            momentum,
            ideal_energy: Buffer::result("ideal energy", 4 * batch),
            zeros: Buffer::filled("zeros", batch, move || vec![0.0f32; batch]),
            gas,
            ideal,
            drawn: Default::default(),
            draws: 0,
            scored: false,
        })
    }

    /// The chunks of the batch with the states of their walkers.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (&Chunk, &Buffer)> {
        self.sampler.chunks().iter().zip(&self.chunk_states)
    }

    fn rows(chunk: &Chunk) -> Rows {
        Rows { first: chunk.first, count: chunk.walkers }
    }

    /// Random numbers of the present draw, from the first walker on.
    fn stream(&self, purpose: u32) -> Stream {
        Stream { seed: self.settings.training.seed, step: self.draws, purpose, first_walker: 0 }
    }

    /// Random numbers that move electrons of a chunk of the present draw.
    pub(super) fn displacements(&self, chunk: &Chunk) -> Stream {
        self.stream(purpose::DISPLACEMENT).skip(chunk.first)
    }

    /// Begins with another quasi-particle prior, if the settings have one.
    ///
    /// # Errors
    /// As [`Quasiparticles::new`].
    pub fn start_quasiparticles(&mut self, given: Option<Vec<f32>>) -> Result<()> {
        if self.quasiparticles.is_some() {
            self.quasiparticles = Some(Quasiparticles::new(&self.ideal, self.settings.optimisation.max_norm, given)?);
        }
        Ok(())
    }

    /// The prior's logits as its parameter says, before p(K) is used.
    fn renew_prior(&mut self, gpu: &Gpu) -> Result<()> {
        let Some(quasiparticles) = &mut self.quasiparticles else { return Ok(()) };
        quasiparticles.changed(gpu)?.map_or(Ok(()), |bias| self.occupations.set_bias(gpu, &bias))
    }

    /// Records a fresh set of occupied states for the whole batch.
    fn record_states(&mut self, rec: &mut Recording) {
        rec.phase("occupation sampling");
        self.occupations.record_pack(rec, &self.occupation.parameters);
        for (chunk, states) in self.sampler.chunks().iter().zip(&self.chunk_states) {
            self.occupations.record_sample(rec, self.stream(purpose::OCCUPATION), Self::rows(chunk), &self.states, &self.log_probability);
            rec.copy_range(&self.states, chunk.first * self.gas.n, states, 0, chunk.walkers * self.gas.n);
        }
        occupied::record(rec, &self.gas, self.batch, &self.states, &self.wave.orbitals, &self.momentum, &self.ideal_energy);
        self.distinct.record(rec, &self.states);
        self.scored = false;
        self.draws += 1;
    }

    /// Reads how many states are distinct: as many rows have the scores of p(K).
    fn count_states(&mut self, gpu: &Gpu) -> Result<()> {
        let rows = self.distinct.count(gpu)?;
        self.occupation.share_rows(rows);
        Ok(())
    }

    /// Records fresh states and a round of sampling of the positions.
    pub fn record_sample(&mut self, rec: &mut Recording) -> Result<()> {
        self.record_states(rec);
        self.wave.flow.record_pack(rec, &self.flow.parameters);
        self.sampler.record(rec, &self.wave, &self.chunk_states)
    }

    /// Records local energies, batch averages and gradient weights of the present walkers.
    pub fn record_energies(&self, rec: &mut Recording) {
        self.record_energies_and(rec, false);
    }

    /// The same, and with `scores` those of the flow, which share the work of the local energies.
    fn record_energies_and(&self, rec: &mut Recording, scores: bool) {
        self.wave.flow.record_pack(rec, &self.flow.parameters);
        for index in 0..self.chunk_states.len() {
            rec.phase("local energy");
            self.record_chunk_energies(rec, index);
            if scores {
                self.record_chunk_scores(rec, index);
            }
        }
        rec.phase("local energy");
        self.record_averages(rec);
    }

    /// Directions of the Laplacian of ln|det J| in a chunk.
    fn directions(&self, chunk: &Chunk) -> Directions {
        directions(&self.settings, &self.wave, self.stream(purpose::PROBES).skip(chunk.first))
    }

    /// Records the flow's scores of a chunk right after its local energies.
    fn record_chunk_scores(&self, rec: &mut Recording, index: usize) {
        rec.phase("flow scores");
        let chunk = &self.sampler.chunks()[index];
        self.wave.record_scores(rec, &chunk.x, chunk.walkers, self.directions(chunk), &self.flow.scores, chunk.first);
    }

    /// Records averages and weights of the whole batch from the records of all chunks.
    pub(crate) fn record_averages(&self, rec: &mut Recording) {
        self.estimators.record_averages(rec, &self.ideal_energy, self.settings.baseline, self.settings.clip);
    }

    /// Records local energies of one chunk; its intermediate results stay in the buffers until the next.
    pub(crate) fn record_chunk_energies(&self, rec: &mut Recording, index: usize) {
        let (chunk, states) = (&self.sampler.chunks()[index], &self.chunk_states[index]);
        self.wave.record_derivatives(rec, &chunk.x, states, chunk.walkers, self.directions(chunk));
        self.sampler.record_leave_out(rec, index, &self.wave.log_psi);
        self.energy.record(rec, &self.wave, &chunk.x, chunk.walkers);
        let records = self.energy.chunk(&self.wave, chunk.first, chunk.walkers, &self.log_probability);
        self.estimators.record_energies(rec, records, self.gas.beta());
    }

    /// Replaces the walkers: x `[walker][n][d]` (rs a0), states `[walker][n]` ascending; computes their ln p.
    pub fn load(&mut self, gpu: &Gpu, x: &[f32], states: &[u32]) -> Result<()> {
        self.renew_prior(gpu)?;
        let n = self.gas.n;
        self.scored = false;
        gpu.write(&self.states, states);
        self.sampler.load(gpu, x);
        let mut rec = Recording::new();
        self.occupations.record_pack(&mut rec, &self.occupation.parameters);
        self.wave.flow.record_pack(&mut rec, &self.flow.parameters);
        for (chunk, buffer) in self.sampler.chunks().iter().zip(&self.chunk_states) {
            gpu.write(buffer, &states[chunk.first * n..][..chunk.walkers * n]);
            self.occupations.record_logp(&mut rec, Self::rows(chunk), &self.states, &self.log_probability);
        }
        occupied::record(&mut rec, &self.gas, self.batch, &self.states, &self.wave.orbitals, &self.momentum, &self.ideal_energy);
        self.distinct.record(&mut rec, &self.states);
        gpu.run(&rec)?;
        self.count_states(gpu)
    }

    /// Records the scores of p(K): a row for each distinct state, times the root of the number of its walkers.
    fn record_occupation_scores(&self, rec: &mut Recording) {
        rec.phase("occupation scores");
        let (d, scores) = (&self.distinct, &self.occupation.scores);
        for chunk in self.occupations.chunks(self.occupation.rows()) {
            self.occupations.record_scaled_scores(rec, chunk, &d.states, &d.factors, scores, chunk.first);
        }
    }

    /// Records the scores of p(K) of every walker in place of those of the distinct states.
    pub fn record_walker_scores(&self, rec: &mut Recording) {
        for chunk in self.sampler.chunks() {
            self.occupations.record_scores(rec, Self::rows(chunk), &self.states, &self.occupation.scores, chunk.first);
        }
    }

    fn record_occupation_gradient(&self, rec: &mut Recording, scale: f64) {
        rec.phase("gradient");
        self.distinct.record_weights(rec, self.occupation.rows(), &self.estimators.weights, 4);
        self.occupation.record_gradient(rec, &self.distinct.weights, scale);
    }

    /// Records the scores of both networks; those of the flow unless they came with the energies.
    pub fn record_scores(&self, rec: &mut Recording) {
        self.record_occupation_scores(rec);
        if self.scored {
            return;
        }
        rec.phase("flow scores");
        for (index, (chunk, states)) in self.sampler.chunks().iter().zip(&self.chunk_states).enumerate() {
            // scores need no trace: one probe is the least
            let directions = match self.directions(chunk) {
                Directions::RowsExact => Directions::Rows(Signs { probes: 1, at: self.stream(purpose::PROBES).skip(chunk.first) }),
                other => other,
            };
            self.wave.record_derivatives(rec, &chunk.x, states, chunk.walkers, directions);
            self.record_chunk_scores(rec, index);
        }
    }

    /// Records the gradients of both networks from scores and weights.
    pub fn record_gradients(&self, rec: &mut Recording) {
        self.record_occupation_gradient(rec, 1.0);
        self.flow.record_weights(rec, self.wave.profile, &self.estimators.flow_weights);
        self.flow.record_gradient(rec, &self.estimators.flow_weights, 1.0);
    }

    /// Draws new walkers. Unless [`Round::usable`], the flow is to be taken back ([`Trainer::take_back`]).
    pub fn sample(&mut self, gpu: &Gpu) -> Result<Round> {
        self.renew_prior(gpu)?;
        let mut rec = Recording::new();
        self.record_states(&mut rec);
        self.wave.flow.record_pack(&mut rec, &self.flow.parameters);
        gpu.run(&rec)?;
        self.count_states(gpu)?;
        let round = self.sampler.draw(gpu, &self.wave, &self.chunk_states)?;
        self.drawn = (self.drawn.0 + 1, round);
        if round.usable() {
            self.flow.keep(gpu)?;
        }
        Ok(round)
    }

    /// Draws exactly from now on, whatever the settings say: what chains have given can be compared with it.
    pub(crate) fn draw_exactly(&mut self) -> Result<()> {
        self.sampler = Box::new(beginning::exact(&self.settings, &self.gas)?);
        Ok(())
    }

    /// What the next step goes on from.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        self.occupation.state(a)?;
        self.flow.state(a)?;
        self.quasiparticles.as_mut().map_or(Ok(()), |q| q.state(a))?;
        a.value("draws", &mut self.draws)?;
        a.part("sampler", |a| self.sampler.state(a))?;
        let (rounds, last) = &mut self.drawn;
        a.schedule(|a| {
            a.value("rounds", rounds)?;
            a.part("last_round", |a| last.state(a))
        })
    }

    /// Undoes the flow's updates since the last usable draws, whose parameters are restored, and halves its steps,
    /// which then grow by 2 % an update. Returns the factor of the next step.
    pub fn take_back(&mut self, gpu: &Gpu) -> Result<f64> {
        self.flow.take_back(gpu)
    }

    /// Averages over the present walkers.
    pub fn energies(&self, gpu: &Gpu) -> Result<Energies> {
        let mut rec = Recording::new();
        self.record_energies(&mut rec);
        gpu.run(&rec)?;
        self.averages(gpu)
    }

    /// The same before [`Trainer::update`]: the flow's scores are made on the way, for a fraction of what they cost alone.
    pub fn energies_and_scores(&mut self, gpu: &Gpu) -> Result<Energies> {
        let mut rec = Recording::new();
        self.record_energies_and(&mut rec, true);
        gpu.run(&rec)?;
        self.scored = true;
        let energies = self.averages(gpu)?;
        self.quasiparticles.iter_mut().for_each(|q| q.fit(&energies));
        Ok(energies)
    }

    fn averages(&self, gpu: &Gpu) -> Result<Energies> {
        Ok(Energies::finish(&gpu.read(&self.estimators.centre)?, &gpu.read(&self.estimators.partial)?))
    }

    /// Gradients of both networks from the present walkers and energies.
    pub fn gradients(&mut self, gpu: &Gpu) -> Result<()> {
        let mut rec = Recording::new();
        self.record_scores(&mut rec);
        self.record_gradients(&mut rec);
        self.scored = false;
        self.quasiparticles.iter().for_each(|q| q.gradient(gpu));
        gpu.run(&rec)
    }

    /// Gradients, then one update of each network; says why not, if not.
    pub fn update(&mut self, gpu: &Gpu) -> Result<Option<Error>> {
        self.gradients(gpu)?;
        let mut refused = self.occupation.update(gpu)?.or(self.flow.update(gpu)?);
        if let Some(prior) = &mut self.quasiparticles {
            refused = refused.or(prior.learner.update(gpu)?);
        }
        Ok(refused)
    }

    /// What makes the steps of [`Trainer::pretrain`]: stochastic reconfiguration, whatever trains later.
    pub fn pretraining(&self) -> Result<StochasticReconfiguration> {
        let options = Options { damping: PRETRAINING_DAMPING, max_norm: PRETRAINING_NORM, ..Options::default() };
        self.occupation.another("pretraining", options)
    }

    /// Step `step` (from 1) of p(K) towards the ideal gas, whose F = E\[ln p/β + Σ k²\] has no variance at the end; no clipping.
    ///
    /// The gradient is that of β F, the relative entropy to the ideal gas plus a constant: its curvature at the
    /// minimum is the Fisher matrix itself, so that a full step is Newton's at every temperature. A share of it is made.
    pub fn pretrain(&mut self, gpu: &Gpu, sr: &StochasticReconfiguration, step: usize) -> Result<(Energies, Option<Error>)> {
        let mut rec = Recording::new();
        self.record_states(&mut rec);
        let records = estimators::Chunk {
            first: 0,
            walkers: self.batch,
            kinetic: &self.ideal_energy,
            potential: &self.zeros,
            log_amplitude: &self.zeros,
            log_probability: &self.log_probability,
            probability_first: 0,
        };
        self.estimators.record_energies(&mut rec, records, self.gas.beta());
        self.estimators.record_averages(&mut rec, &self.ideal_energy, Baseline::Mean, 1e6);
        gpu.run(&rec)?;
        self.count_states(gpu)?;
        let mut rec = Recording::new();
        self.record_occupation_scores(&mut rec);
        self.record_occupation_gradient(&mut rec, pretraining_share(step) * self.gas.beta());
        gpu.run(&rec)?;
        Ok((self.averages(gpu)?, self.occupation.update_by(gpu, sr)?))
    }

    /// Everything one training step records, phase by phase, for listings and benchmarks.
    ///
    /// How many states are distinct is not known before they are drawn: scores have as many rows as the last draw had
    /// states and a quarter more (before the first draw: one a walker). Rows past the last state are 0.
    pub fn record_step(&mut self, gpu: &Gpu) -> Result<Recording> {
        let rows = self.occupation.rows();
        self.occupation.share_rows(rows + rows / 4);
        let mut rec = Recording::new();
        self.record_sample(&mut rec)?;
        self.flow.record_keep(&mut rec);
        self.record_energies_and(&mut rec, true);
        self.record_occupation_scores(&mut rec);
        self.record_gradients(&mut rec);
        self.occupation.record_update(&mut rec, gpu)?;
        self.flow.record_update(&mut rec, gpu)?;
        Ok(rec)
    }
}
