//! R of spins that a network did not draw.

use super::super::pictures::{self, pictures};
use super::{Observables, Spins};
use crate::error::{Error, Result};
use crate::estimate::free_energy::Weighted;
use crate::estimate::{Estimate, Plot};
use crate::gpu::{Gpu, Recording};
use crate::kernels::two_point::{self, TwoPoint};
use crate::kernels::{Chunk, z2};
use crate::problem::Walkers;

/// Spins of a batch up to which they are read back for pictures.
const PICTURED: usize = 1 << 24;

impl Spins {
    /// Number of spins n.
    pub fn sites(&self) -> usize {
        self.sites
    }

    /// C_ij = ⟨s_i s_j⟩ over e^{-βE}/Z, n x n, from the samples that were measured last and their importance weights; and the sums
    /// of these.
    ///
    /// # Errors
    /// [`Error::User`] for more spins than [`two_point::MOST`].
    pub fn two_point(&mut self, gpu: &Gpu) -> Result<(Vec<f64>, Weighted)> {
        if self.sites > two_point::MOST {
            return Err(Error::User(format!("correlations of {} spins; they are computed of {} at the most", self.sites, two_point::MOST)));
        }
        let (training, n) = (&self.options.training, self.sites);
        let products = self.products.take().unwrap_or_else(|| TwoPoint::new(training.batch, n, training.chunk));
        let mut rec = Recording::new();
        rec.phase("correlations");
        products.record(&mut rec, &self.spins, self.samples(), &self.sums.weighted, self.measured_at);
        gpu.run(&rec)?;
        let centre: Vec<f32> = gpu.read(&self.sums.centre)?;
        let weighted = Weighted::finish(&centre, &gpu.read::<f32>(&self.sums.weighted)?);
        let mean = products.finish(&gpu.read(&products.products)?);
        self.products = Some(products);
        Ok((if let Some(images) = &self.images { images.mean(&mean) } else { mean }, weighted))
    }

    /// Adds the two-point function of the present samples, on a lattice, and correlations of bonds that are alike.
    pub(super) fn measure_correlations(&mut self, gpu: &Gpu) -> Result<()> {
        if self.apart.is_empty() {
            return Ok(());
        }
        let (c, weighted) = self.two_point(gpu)?;
        let n = self.sites;
        let mean = |set: &Vec<(usize, usize)>| set.iter().map(|(i, j)| c[i * n + j]).sum::<f64>() / set.len() as f64;
        let mut means: Vec<f64> = self.apart.iter().map(mean).collect();
        means.extend(self.alike.iter().map(|(i, j)| c[i * n + j]));
        // of equal batches, the sum of weights is Z's estimate times their size
        self.frozen.add_correlations(weighted.log_z().value, &means);
        Ok(())
    }

    /// Over e^{-βE}/Z since the parameters were frozen: C(r) at distances 0, 1, …, and ⟨s s'⟩ of bonds that are alike.
    pub(super) fn correlations(&self) -> (Vec<Estimate>, Vec<Estimate>) {
        let mut distances = self.frozen.correlations();
        let bonds = distances.split_off(self.apart.len().min(distances.len()));
        (distances, bonds)
    }

    /// Effective sample size over samples since the parameters were frozen.
    pub fn effective_share(&self) -> Option<f64> {
        self.frozen.sums().map(|(averages, weighted)| weighted.effective() / averages.counted() as f64)
    }

    /// R = ln q + βE of given states, ±1 `[state][n]`, of the whole system and in nats; β of the options.
    ///
    /// # Errors
    /// [`Error::User`] for numbers that make no states, [`Error::Numerics`] for an R that is not finite.
    pub fn reduced(&mut self, gpu: &Gpu, states: &[f32]) -> Result<Vec<f64>> {
        let (n, batch, beta) = (self.sites, self.options.training.batch, self.options.beta);
        if !states.len().is_multiple_of(n) {
            return Err(Error::User(format!("{} numbers are no states of {n} spins", states.len())));
        }
        let mut all = Vec::with_capacity(states.len() / n);
        for states in states.chunks(batch * n) {
            gpu.write(&self.spins, states);
            let mut rec = Recording::new();
            self.record_given(&mut rec, states.len() / n);
            gpu.run(&rec)?;
            let count = states.len() / n;
            let (log_q, energy): (Vec<f32>, Vec<f32>) = (gpu.read_words(self.log_q(), count)?, gpu.read_words(&self.energies, count)?);
            all.extend(log_q.iter().zip(&energy).map(|(l, e)| *l as f64 + beta * (*e as f64 + self.energy.offset())));
        }
        match all.iter().position(|r: &f64| !r.is_finite()) {
            Some(at) => Err(Error::Numerics(format!("R of state {at} is {}: the network gives it no probability", all[at]))),
            None => Ok(all),
        }
    }

    /// Pictures of the samples drawn last, if parameters are frozen and the couplings known.
    pub(super) fn pictures(&self, gpu: &Gpu) -> Result<Vec<Plot>> {
        let (batch, beta) = (self.options.training.batch, self.options.beta);
        let Some(model) = self.couplings.as_ref().filter(|m| self.frozen.sums().is_some() && batch * m.n() <= PICTURED) else {
            return Ok(Vec::new());
        };
        let (log_q, energies): (Vec<f32>, Vec<f32>) = (gpu.read_words(self.log_q(), batch)?, gpu.read_words(&self.energies, batch)?);
        let reduced = log_q.iter().zip(&energies).map(|(l, e)| *l as f64 + beta * *e as f64).collect();
        let spins: Vec<f32> = gpu.read_words(&self.spins, batch * model.n())?;
        let spins = if let Some(images) = &self.images { images.spread(&spins) } else { spins };
        let (weighted, _) = self.correlations();
        pictures(model, beta, &self.subject, &pictures::Samples { spins, energies, reduced, even: self.options.z2, weighted })
    }

    /// See [`crate::Problem::walkers`]: `spins`, `ln q` and `E`, which leaves out what the energy's offset is.
    pub(super) fn some(&self, gpu: &Gpu, count: usize) -> Result<Walkers> {
        let (n, batch) = (self.sites, self.options.training.batch);
        let wide = |words: Vec<f32>| words.into_iter().map(f64::from).collect::<Vec<f64>>();
        let (log_q, energies) = (wide(gpu.read_words(self.log_q(), batch)?), wide(gpu.read_words(&self.energies, batch)?));
        let spins = wide(gpu.read_words(&self.spins, batch * n)?);
        let usable: Vec<usize> = (0..batch).filter(|w| log_q[*w].is_finite() && energies[*w].is_finite()).collect();
        let chosen = Walkers::chosen(&usable, count);
        let column = |all: &[f64]| chosen.iter().map(|w| all[*w]).collect::<Vec<f64>>();
        let rows = chosen.iter().flat_map(|w| spins[w * n..][..n].to_vec()).collect();
        let numbers = [("spins", rows), ("ln q", column(&log_q)), ("E", column(&energies))];
        Ok(Walkers { count: chosen.len(), numbers: numbers.into() })
    }

    /// Records ln q and E of the first `count` states of the batch.
    fn record_given(&mut self, rec: &mut Recording, count: usize) {
        self.pass = None;
        self.count_fields(self.options.beta);
        self.network.record_pack(rec, &self.learner.parameters);
        for chunk in &self.chunks {
            let Some(count) = count.checked_sub(chunk.first).filter(|c| *c > 0) else { break };
            let chunk = Chunk { count: count.min(chunk.count), ..*chunk };
            self.energy.record(rec, chunk, &self.spins, Observables { energy: &self.energies, magnetisation: &self.magnetisations });
            self.network.record_log_q(rec, chunk, 1.0, &self.spins, &self.plus);
            if self.options.z2 && self.images.is_none() {
                self.network.record_log_q(rec, chunk, -1.0, &self.spins, &self.minus);
            }
        }
        if let Some(images) = &self.images {
            let chunks: Vec<Chunk> = self.chunks.iter().copied().filter(|chunk| chunk.first < count).collect();
            images.record_log_q(rec, &self.network, &chunks, &self.spins, &self.plus, &self.log_q);
        } else if self.options.z2 {
            z2::record_join(rec, count, self.logs(), &self.log_q);
        }
    }
}
