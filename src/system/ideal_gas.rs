//! The canonical ideal Fermi gas: n spinless fermions on given one-particle levels.
//!
//! Everything follows from the elementary symmetric polynomials e_k of the Boltzmann weights
//! w_j = exp(-beta E_j). They are summed in log space, where all terms are positive: no cancellation,
//! unlike in the recursion over alternating power sums (Borrmann, Franke, J. Chem. Phys. 98, 2484
//! (1993), doi 10.1063/1.464180), which needs hundreds of digits.

use crate::error::{Error, Result};

/// Exact thermodynamics, in the units of the levels (k_B = 1).
#[derive(Clone, Debug)]
pub struct IdealGas {
    /// Number of fermions.
    pub n: usize,
    /// Inverse temperature, 1 / energy.
    pub beta: f64,
    /// Levels E_j.
    pub levels: Vec<f64>,
    /// F = -ln Z / beta.
    pub free_energy: f64,
    /// Mean total energy.
    pub energy: f64,
    /// S = beta (E - F), in k_B.
    pub entropy: f64,
    /// ln e_k(w_j, w_(j+1), ...) at j (n + 1) + k.
    suffix: Vec<f64>,
}

/// What [`IdealGas::bias`] gives orbitals that can never be chosen.
pub const FORBIDDEN: f64 = -1e30;

impl IdealGas {
    /// Sums the gas of `n` fermions on `levels` at inverse temperature `beta`; O(n x levels).
    /// The relative error of F and E is about 1e-15.
    pub fn new(levels: &[f64], n: usize, beta: f64) -> Result<Self> {
        let m = levels.len();
        if n == 0 || n > m {
            return Err(Error::User(format!("ideal gas: n = {n} fermions on {m} levels; n must lie between 1 and the number of levels")));
        }
        if !(beta.is_finite() && beta > 0.0) {
            return Err(Error::User(format!("ideal gas: beta = {beta}; the inverse temperature must be positive and finite")));
        }
        if let Some(bad) = levels.iter().find(|e| !e.is_finite()) {
            return Err(Error::User(format!("ideal gas: a level of energy {bad}; levels must be finite")));
        }
        let row = n + 1;
        let mut suffix = vec![0.0; (m + 1) * row];
        let mut growing = Growing::new(n, beta);
        suffix[m * row..].copy_from_slice(&growing.log_e);
        for j in (0..m).rev() {
            growing.add(levels[j]);
            suffix[j * row..(j + 1) * row].copy_from_slice(&growing.log_e);
        }
        let (energy, free_energy) = (growing.mean[n], -suffix[n] / beta);
        Ok(IdealGas { n, beta, levels: levels.to_vec(), free_energy, energy, entropy: beta * (energy - free_energy), suffix })
    }

    /// The gas of as many quasi-particles with the levels `scale` E_j: an effective mass 1/`scale`.
    ///
    /// # Errors
    /// [`Error::User`] for a scale that is no positive number.
    pub fn scaled(&self, scale: f64) -> Result<IdealGas> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Error::User(format!("ideal gas: levels times {scale}; the scale must be positive and finite")));
        }
        IdealGas::new(&self.levels.iter().map(|e| scale * e).collect::<Vec<_>>(), self.n, self.beta)
    }

    /// ln of the exact probability of n occupied levels.
    pub fn log_probability(&self, state: &[usize]) -> f64 {
        -self.beta * state.iter().map(|&j| self.levels[j]).sum::<f64>() - self.suffix[self.n]
    }

    /// Logits (n x levels, row-major) whose softmax over s_(i-1) < j <= levels - n + i is the exact
    /// conditional probability that the i-th occupied level is j, given the one before it:
    /// -beta E_j + ln e_(n-i-1)(w_(j+1), ...). The largest of each row is 0, so that the likely
    /// choices keep all digits in float32; levels outside every window have [`FORBIDDEN`].
    pub fn bias(&self) -> Vec<f64> {
        let (m, n) = (self.levels.len(), self.n);
        let mut table = vec![FORBIDDEN; n * m];
        for (i, row) in table.chunks_mut(m).enumerate() {
            for (j, v) in row.iter_mut().enumerate().take(m - n + i + 1).skip(i) {
                *v = self.suffix[(j + 1) * (n + 1) + n - i - 1] - self.beta * self.levels[j];
            }
            let most = row.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            row[i..=m - n + i].iter_mut().for_each(|v| *v -= most);
        }
        table
    }
}

/// The gases of 0 to n fermions on levels that are added one by one.
#[derive(Clone, Debug)]
pub(super) struct Growing {
    beta: f64,
    /// ln e_k of the weights so far, k = 0..=n.
    pub log_e: Vec<f64>,
    /// Mean energy of k fermions.
    pub mean: Vec<f64>,
    levels: usize,
}

impl Growing {
    pub fn new(n: usize, beta: f64) -> Self {
        let mut log_e = vec![f64::NEG_INFINITY; n + 1];
        log_e[0] = 0.0;
        Growing { beta, log_e, mean: vec![0.0; n + 1], levels: 0 }
    }

    /// Adds a level: e_k becomes e_k + w e_(k-1).
    pub fn add(&mut self, level: f64) {
        self.levels += 1;
        // downwards in k: entry k - 1 is still that of the levels before
        for k in (1..self.log_e.len().min(self.levels + 1)).rev() {
            let with = self.log_e[k - 1] - self.beta * level;
            let sum = log_sum(self.log_e[k], with);
            let taken = (with - sum).exp();
            self.log_e[k] = sum;
            self.mean[k] = (1.0 - taken) * self.mean[k] + taken * (self.mean[k - 1] + level);
        }
    }
}

/// ln(exp a + exp b).
fn log_sum(a: f64, b: f64) -> f64 {
    let (high, low) = (a.max(b), a.min(b));
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
