//! The quasi-particle prior of p(K): the canonical gas of ε_k = c k², whose c follows the local energies.
//!
//! For a given flow the best p(K) is Boltzmann's distribution of E_K = ⟨E_loc⟩ in state K. To leading order E_K is a constant
//! and Σ ε_k of quasi-particles (Landau), which have exact conditional probabilities as the ideal gas has: the logits of the
//! network are added to theirs, so ln p stays exact and F a bound whatever c is. c = m/m* is the slope of E_loc over Σ k².

use std::sync::Arc;

use super::Energies;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::model::parameters::Table;
use crate::optimize::{Learner, Start};
use crate::system::IdealGas;

/// What the prior's parameters are called in files.
pub const PREFIX: &str = "prior/";
/// What a step leaves of the sums before it: c is an average over some 20 steps, in which the flow changes little.
const KEPT: f64 = 0.95;
/// c stays between these: a batch of a few walkers can give any slope.
const RANGE: (f64, f64) = (0.05, 20.0);

/// Slopes of several steps, each by its error; earlier ones fade.
#[derive(Clone, Copy, Debug, Default)]
struct Fit {
    /// Sum of 1/error².
    weight: f64,
    /// Sum of slope/error².
    sum: f64,
    /// Standard deviation of β Σ k² in the last batch: the length of dc in the Fisher norm is this many times |dc|.
    spread: f64,
}

impl Fit {
    fn add(&mut self, batch: &Energies, beta: f64) {
        let weight = batch.energy_slope.error.powi(-2);
        // equal states say nothing of a slope; no error at all is that of an ideal gas
        if weight.is_nan() {
            return;
        }
        let weight = weight.min(1e12);
        self.weight = KEPT * self.weight + weight;
        self.sum = KEPT * self.sum + weight * batch.energy_slope.value;
        self.spread = beta * batch.ideal.variance.sqrt();
    }

    /// From c towards the mean slope, no further than √max_norm in the Fisher norm: of a poor flow slopes are steep, and a p(K)
    /// that has followed one has too few states left to tell another.
    fn step(&self, c: f64, max_norm: f64) -> f64 {
        let slope = self.sum / self.weight;
        if !slope.is_finite() {
            return 0.0;
        }
        let longest = max_norm.sqrt() / self.spread;
        (slope.clamp(RANGE.0, RANGE.1) - c).clamp(-longest, longest)
    }
}

/// The one parameter.
pub fn table() -> Table {
    Table::new(vec![(format!("{PREFIX}inverse_mass"), vec![1])])
}

/// The prior in training.
pub struct Quasiparticles {
    /// c, a vector of one.
    pub learner: Learner,
    ideal: IdealGas,
    /// c of the present logits.
    current: f64,
    fit: Fit,
    /// Longest squared step in the Fisher norm, as of the networks.
    max_norm: f64,
}

impl Quasiparticles {
    /// Beside the ideal gas of the same orbitals, from c given or from 1.
    ///
    /// # Errors
    /// [`Error::User`] for a c that is no positive number.
    pub fn new(ideal: &IdealGas, max_norm: f64, given: Option<Vec<f32>>) -> Result<Quasiparticles> {
        if let Some(c) = given.iter().flatten().find(|c| !(c.is_finite() && **c > 0.0)) {
            return Err(Error::User(format!("{PREFIX}inverse_mass = {c}: m/m* of the quasi-particle prior must be positive")));
        }
        let values = Arc::new(move || given.clone().unwrap_or_else(|| vec![1.0]));
        let start = Start { name: "prior", norm: "step_prior", prefix: PREFIX, table: table(), values };
        Ok(Quasiparticles { learner: Learner::of_step(start), ideal: ideal.clone(), current: f64::NAN, fit: Fit::default(), max_norm })
    }

    /// c of the present logits.
    pub fn inverse_mass(&self) -> f64 {
        self.current
    }

    /// Logits of the gas for the present parameter ([`IdealGas::bias`]), if it has changed.
    ///
    /// # Errors
    /// [`crate::Error::User`] for a parameter that is no positive number.
    pub fn changed(&mut self, gpu: &Gpu) -> Result<Option<Vec<f64>>> {
        let now = self.learner.values(gpu)?.first().map_or(f64::NAN, |c| f64::from(*c));
        if now == self.current {
            return Ok(None);
        }
        let bias = self.ideal.scaled(now)?.bias();
        self.current = now;
        Ok(Some(bias))
    }

    /// Takes in the averages of a batch.
    pub fn fit(&mut self, batch: &Energies) {
        self.fit.add(batch, self.ideal.beta);
    }

    /// The step from the present c to the slope of the recent steps, into the learner's gradient.
    pub fn gradient(&self, gpu: &Gpu) {
        gpu.write(&self.learner.gradient, &[self.fit.step(self.current, self.max_norm) as f32]);
    }

    /// What the next step goes on from.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        self.learner.state(a)?;
        a.part("fit", |a| {
            a.value("weight", &mut self.fit.weight)?;
            a.value("sum", &mut self.fit.sum)?;
            a.value("spread", &mut self.fit.spread)
        })
    }
}
