//! The inverse problem: couplings from correlations C_ij = ⟨s_i s_j⟩ of spins without magnetisation, by moment matching.
//!
//! ln likelihood rises along β (C_data - C_model), C_model those of the present couplings: from a network that is trained along with
//! them, by importance weights, so that an imperfect network makes noise and no bias. The likelihood has one maximum, at which
//! C_model = C_data. Wu, Wang, Zhang, Phys. Rev. Lett. 122, 080602 (2019), doi 10.1103/PhysRevLett.122.080602.

use super::settings::{MASKED, TEMPERATURE, derive};
use super::{Energy, Network, Options, Spins};
use crate::config::System;
use crate::error::{Error, Result};
use crate::gpu::{Buffer, Gpu, Recording};
use crate::kernels::couplings::{Dense, Observables};
use crate::kernels::{Chunk, couplings};
use crate::optimize::OPTIMISATION;
use crate::problem::{Problem, TRAINING};
use crate::system::spins::Correlations;

/// Settings of the inverse problem of given correlations.
pub static SYSTEM: System = System {
    name: "inverse",
    keys: &[TEMPERATURE, MASKED, TRAINING, OPTIMISATION],
    derive: |resolved| derive(resolved, true),
    ..super::SYSTEM
};

/// Couplings that are learned: their table is rewritten between steps.
struct Learned {
    sites: usize,
    dense: Dense,
}

impl Energy for Learned {
    fn sites(&self) -> usize {
        self.sites
    }

    fn even(&self) -> bool {
        true
    }

    fn table(&self) -> Option<&Buffer> {
        Some(&self.dense.table)
    }

    fn record(&self, rec: &mut Recording, chunk: Chunk, spins: &Buffer, out: Observables) {
        self.dense.record(rec, chunk, spins, out);
    }
}

/// Adam of the couplings. The square of the gradient is remembered for 100 steps: of 1000, as is usual, the first and largest
/// ones would hold back all others.
const RATE: f64 = 0.01;
const MEMORY: (f64, f64) = (0.9, 0.99);
/// Effective samples of a batch below which its correlations are noise, and the couplings wait for the network.
const EFFECTIVE: f64 = 20.0;

/// What was found.
pub struct Inverse {
    /// J, n x n, symmetric with zero diagonal.
    pub couplings: Vec<f64>,
    /// C_model of these couplings by importance weights, n x n.
    pub correlations: Vec<f64>,
    /// Effective share of the samples behind them.
    pub ess: f64,
    /// Steps in which the couplings waited.
    pub waited: usize,
}

/// What a step tells.
pub struct Progress {
    /// From 1.
    pub step: usize,
    /// Root mean square of C_data - C_model off the diagonal, noise of a batch included.
    pub residual: f64,
    /// Effective share of the samples.
    pub ess: f64,
}

impl Inverse {
    /// Learns for the steps of `options.training`, one of the network and one of the couplings each, from J = 0; the couplings'
    /// steps shrink in the second half. Then measures `eval_steps` batches, at least one.
    ///
    /// # Errors
    /// [`Error::User`] for networks of other spins and more spins than [`crate::kernels::two_point::MOST`]; [`Error::Numerics`]
    /// where no sample counts; those of the device.
    pub fn learn(gpu: &Gpu, data: &Correlations, network: Network, options: Options, tell: &mut dyn FnMut(Progress)) -> Result<Inverse> {
        let (n, training) = (data.n(), options.training.clone());
        let dense = Dense::new(n, &vec![0.0; n * n], &[], training.chunk)?;
        let table = dense.table.clone();
        // its own β stays: that of the couplings rises with them
        let options = Options { anneal: 0.0, z2: true, ..options };
        let mut spins = Spins::new(gpu, Box::new(Learned { sites: n, dense }), network, options, None)?;
        let mut ascent = Ascent::new(n);
        let mut waited = 0;
        for step in 1..=training.steps {
            spins.draw(gpu)?;
            spins.measure(gpu, true)?;
            let (model, weighted) = spins.two_point(gpu)?;
            spins.gradients(gpu)?;
            for learner in spins.learners() {
                learner.update(gpu)?.map_or(Ok(()), Err)?;
            }
            let effective = weighted.effective();
            tell(Progress { step, residual: residual(data, &model), ess: effective / training.batch as f64 });
            if !(effective >= EFFECTIVE) {
                waited += 1;
                continue;
            }
            // falls evenly over the second half
            let left = 2.0 * (1.0 - (step - 1) as f64 / training.steps as f64);
            ascent.step(data, &model, RATE * left.min(1.0));
            gpu.write(&table, &couplings::table(n, &ascent.couplings, &[])?);
        }
        let (mut sum, mut total, mut first) = (vec![0.0; n * n], 0.0, None);
        let batches = training.eval_steps.max(1);
        for _ in 0..batches {
            spins.draw(gpu)?;
            spins.measure(gpu, false)?;
            let (model, weighted) = spins.two_point(gpu)?;
            // a batch's sum of weights, relative to that of the first
            let log_z = weighted.log_z().value;
            let weight = (log_z - *first.get_or_insert(log_z)).exp();
            sum.iter_mut().zip(&model).for_each(|(s, c)| *s += weight * c);
            total += weight;
        }
        let correlations: Vec<f64> = sum.iter().map(|s| s / total).collect();
        if correlations.iter().any(|c| !c.is_finite()) {
            return Err(Error::Numerics(
                "inverse problem: no sample of the network counts; use a smaller learning_rate or more steps".into(),
            ));
        }
        let ess = spins.effective_share().unwrap_or(f64::NAN);
        Ok(Inverse { couplings: ascent.couplings, correlations, ess, waited })
    }
}

/// Adam along C_data - C_model, on pairs i < j.
struct Ascent {
    n: usize,
    couplings: Vec<f64>,
    moments: Vec<[f64; 2]>,
    steps: i32,
}

impl Ascent {
    fn new(n: usize) -> Ascent {
        Ascent { n, couplings: vec![0.0; n * n], moments: vec![[0.0; 2]; n * n], steps: 0 }
    }

    fn step(&mut self, data: &Correlations, model: &[f64], rate: f64) {
        self.steps += 1;
        let (b1, b2) = MEMORY;
        let (rest1, rest2) = (1.0 - b1.powi(self.steps), 1.0 - b2.powi(self.steps));
        for i in 0..self.n {
            for j in i + 1..self.n {
                let at = i * self.n + j;
                let g = data.values()[at] - model[at];
                let [m, v] = &mut self.moments[at];
                (*m, *v) = (b1 * *m + (1.0 - b1) * g, b2 * *v + (1.0 - b2) * g * g);
                let moved = rate * (*m / rest1) / ((*v / rest2).sqrt() + 1e-8);
                // as the device holds it
                let value = (self.couplings[at] + moved) as f32 as f64;
                self.couplings[at] = value;
                self.couplings[j * self.n + i] = value;
            }
        }
    }
}

/// Root mean square of C_data - C_model over pairs of different spins.
pub fn residual(data: &Correlations, model: &[f64]) -> f64 {
    let n = data.n();
    let pairs = (0..n * n).filter(|at| at / n != at % n);
    (pairs.map(|at| (data.values()[at] - model[at]).powi(2)).sum::<f64>() / (n * (n - 1)) as f64).sqrt()
}
