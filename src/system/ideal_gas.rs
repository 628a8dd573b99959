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

impl IdealGas {
    /// Mean occupation of every level: w_j e_(n-1)(all others)/e_n, from sums of positive terms.
    pub fn occupations(&self) -> Vec<f64> {
        let (n, row) = (self.n, self.n + 1);
        let mut before = Growing::new(n, self.beta);
        let mut all = Vec::with_capacity(self.levels.len());
        for (j, level) in self.levels.iter().enumerate() {
            let after = &self.suffix[(j + 1) * row..];
            let others = (0..n).map(|k| before.log_e[k] + after[n - 1 - k]).fold(f64::NEG_INFINITY, log_sum);
            all.push((others - self.beta * level - self.suffix[n]).exp());
            before.add(*level);
        }
        all
    }

    /// Mean products of the occupations of two levels.
    pub fn pairs(&self) -> Pairs {
        let (n, occupations) = (self.n as f64, self.occupations());
        let mut pairs = Pairs { beta: self.beta, levels: self.levels.clone(), alike: vec![0.0; self.levels.len()], occupations };
        pairs.alike = (0..self.levels.len())
            .map(|i| {
                let others = (0..self.levels.len()).filter(|j| *j != i);
                let (same, different): (Vec<usize>, Vec<usize>) = others.partition(|j| pairs.degenerate(i, *j));
                // Σ_(j≠i) ⟨n_i n_j⟩ = (n - 1)⟨n_i⟩, and those of the own level are all one number
                let rest = (n - 1.0) * pairs.occupations[i] - different.iter().map(|j| pairs.of(i, *j)).sum::<f64>();
                if same.is_empty() { 0.0 } else { (rest / same.len() as f64).max(0.0) }
            })
            .collect();
        pairs
    }
}

/// Mean products of occupations ⟨n_i n_j⟩, i ≠ j, of a canonical gas.
#[derive(Clone, Debug)]
pub struct Pairs {
    beta: f64,
    levels: Vec<f64>,
    occupations: Vec<f64>,
    /// With another level of the same energy.
    alike: Vec<f64>,
}

impl Pairs {
    fn degenerate(&self, i: usize, j: usize) -> bool {
        (self.levels[i] - self.levels[j]).abs() <= 1e-9 * self.levels[i].abs().max(self.levels[j].abs())
    }

    /// ⟨n_i n_j⟩ = (w_j ⟨n_i⟩ - w_i ⟨n_j⟩)/(w_j - w_i), which follows from e_k = e_k(without j) + w_j e_(k-1)(without j).
    pub fn of(&self, i: usize, j: usize) -> f64 {
        if self.degenerate(i, j) {
            return self.alike[i];
        }
        let (high, low) = if self.levels[i] > self.levels[j] { (i, j) } else { (j, i) };
        let ratio = (-self.beta * (self.levels[high] - self.levels[low])).exp();
        ((self.occupations[high] - ratio * self.occupations[low]) / (1.0 - ratio)).max(0.0)
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
