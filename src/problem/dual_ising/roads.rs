//! Other ways to ⟨m²⟩ than samples of the flow and their weights: Wolff clusters of the spins, which know nothing of fields, and
//! Hamiltonian Monte Carlo of many chains in the fields and in the latent variables.
//!
//! In the fields V = U; in latent variables V(z) = U(x(z)) + ln q(x(z)) - ln N(z), the standard normal potential where q is
//! exact. With a symmetric q and x = ±f(z), the sign drawn afresh, x has the density e^{-U}, because its two preimages add up to
//! q; V and m² do not depend on the sign. Latent variables are where the chains of the published code go, too.

use super::state::DualField;
use crate::error::Result;
use crate::estimate::Estimate;
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::hmc::{COLUMNS, Chains, Potential};
use crate::kernels::renorm::{self, Direction, Gradient};
use crate::number::philox::{Stream, purpose};
use crate::number::statistics::{Running, chains_time};
use crate::problem::Metropolis;
use crate::system::wolff;

/// Leapfrog steps of a trajectory.
const STEPS: usize = 8;
/// Length of the first ones: masses and noise at given spins are 1.
const LENGTH: f64 = 0.2;
/// Accepted share that lengths are tuned to.
const TARGET: f64 = 0.8;

/// By `clusters` of them.
pub(super) fn clusters(field: &DualField, clusters: usize) -> Metropolis {
    let (means, tau) = wolff::squares(field.dual.side, field.dual.temperature, clusters, field.options.training.seed);
    // every cluster flips
    Metropolis { values: [("m2", Estimate::new(means.mean, means.error()))].into(), acceptance: 1.0, tau }
}

/// By `trajectories` of as many chains as the batch has samples, which begin with samples of the flow and tune the length of
/// their steps in a third as many before. The error is that of the spread of the chains.
pub(super) fn hamiltonian(field: &mut DualField, gpu: &Gpu, latent: bool, trajectories: usize) -> Result<Metropolis> {
    let (batch, sites) = (field.options.training.batch, field.dual.sites());
    let chains = Chains::new(batch, sites);
    let first_walker = if latent { batch as u32 } else { 0 };
    let at = |step: usize| Stream { seed: field.options.training.seed, step: step as u32, purpose: purpose::HAMILTONIAN, first_walker };
    let at: Vec<Stream> = (0..=trajectories + trajectories / 3).map(at).collect();
    let mut rec = Recording::new();
    field.record_start(&mut rec, at[0], latent, &chains.position);
    gpu.run(&rec)?;
    let (mut length, mut moved) = (LENGTH, Running::default());
    let mut series = Vec::with_capacity(trajectories * batch);
    for (number, at) in at.iter().enumerate().skip(1) {
        let mut rec = Recording::new();
        field.record_momenta(&mut rec, Some(*at), &chains);
        field.record_potential(&mut rec, latent, &chains.position);
        chains.record_end(&mut rec, *at, potential(field, latent), true);
        for step in 0..STEPS {
            let kick = if step == 0 { 0.5 * length } else { length };
            chains.record_leapfrog(&mut rec, &field.action.force, [kick, length], latent);
            field.record_potential(&mut rec, latent, &chains.position);
        }
        chains.record_leapfrog(&mut rec, &field.action.force, [0.5 * length, 0.0], latent);
        field.record_momenta(&mut rec, None, &chains);
        chains.record_end(&mut rec, *at, potential(field, latent), false);
        gpu.run(&rec)?;
        let state: Vec<f32> = gpu.read_words(&chains.state, COLUMNS * batch)?;
        let accepted = state.chunks_exact(COLUMNS).map(|c| f64::from(c[2])).sum::<f64>() / batch as f64;
        if number <= trajectories / 3 {
            length *= (accepted - TARGET).exp();
        } else {
            moved.push(accepted);
            series.extend(state.chunks_exact(COLUMNS).map(|c| f64::from(c[1])));
        }
    }
    let mut means = Running::default();
    for chain in 0..batch {
        means.push(series.iter().skip(chain).step_by(batch).sum::<f64>() / trajectories as f64);
    }
    let m2 = Estimate::new(means.mean, means.error());
    Ok(Metropolis { values: [("m2", m2)].into(), acceptance: moved.mean, tau: chains_time(&series, batch) })
}

fn potential(field: &DualField, latent: bool) -> Potential<'_> {
    Potential {
        energy: &field.action.energy,
        latent: latent.then_some((&field.log_q, &field.plus.normal)),
        magnetisation: &field.action.magnetisation,
    }
}

impl DualField {
    /// Records where chains begin: in latent variables of samples of the flow, or in their fields.
    fn record_start(&self, rec: &mut Recording, at: Stream, latent: bool, position: &Buffer) {
        let (batch, sites) = (self.options.training.batch, self.dual.sites());
        rec.phase("start of the chains");
        self.flow.record_pack(rec, &self.learner.parameters);
        renorm::draw(rec, at, batch, sites, &self.drawn, &self.plus.g, &self.plus.normal);
        if !latent {
            self.flow.record(rec, Direction::Sample(None), &self.drawn, None);
        }
        rec.copy(&self.drawn, position, batch * sites);
    }

    /// Records fresh momenta and ln N of them, or ln N of those that are there.
    fn record_momenta(&self, rec: &mut Recording, at: Option<Stream>, chains: &Chains) {
        let (batch, sites) = (self.options.training.batch, self.dual.sites());
        rec.phase("momenta");
        // nobody reads these before they are written again
        let unused = &self.minus.g;
        match at {
            Some(at) => renorm::draw(rec, at, batch, sites, &chains.momentum, unused, &chains.kinetic),
            None => renorm::base(rec, batch, sites, &chains.momentum, unused, &chains.kinetic),
        }
    }

    /// Records the potential at the coordinates, and its slope but for that of ln N(z), into the buffer of forces.
    fn record_potential(&self, rec: &mut Recording, latent: bool, position: &Buffer) {
        let (batch, sites) = (self.options.training.batch, self.dual.sites());
        rec.phase("potential");
        rec.copy(position, &self.drawn, batch * sites);
        if !latent {
            return self.action.record(rec, &self.drawn);
        }
        renorm::base(rec, batch, sites, &self.drawn, &self.plus.g, &self.plus.normal);
        self.record_sample(rec);
        self.record_log_q(rec);
        self.record_cotangents(rec, false, 1.0);
        let pull = Direction::Pull(&self.action.force, &self.plus.lambda, Gradient::Unasked);
        self.flow.record(rec, pull, &self.drawn, None);
    }
}
