//! The canonical ideal Fermi gas: n fermions, of one species or of several (spins), on given one-particle levels.
//!
//! Everything follows from the elementary symmetric polynomials e_k of the Boltzmann weights
//! w_j = exp(-beta E_j). They are summed in log space, where all terms are positive: no cancellation,
//! unlike in the recursion over alternating power sums (Borrmann, Franke, J. Chem. Phys. 98, 2484
//! (1993), doi 10.1063/1.464180), which needs hundreds of digits.

use std::ops::Range;

use crate::error::{Error, Result};

/// Exact thermodynamics, in the units of the levels (k_B = 1).
#[derive(Clone, Debug)]
pub struct IdealGas {
    /// Number of fermions.
    pub n: usize,
    /// Inverse temperature, 1 / energy.
    pub beta: f64,
    /// Levels E_j, of one species after the other.
    pub levels: Vec<f64>,
    /// F = -ln Z / beta.
    pub free_energy: f64,
    /// Mean total energy.
    pub energy: f64,
    /// S = beta (E - F), in k_B.
    pub entropy: f64,
    species: Vec<Species>,
}

/// Fermions that no others can tell from one another, on levels of their own.
#[derive(Clone, Debug)]
struct Species {
    n: usize,
    /// Places of its levels, and of its fermions among those of all species.
    levels: Range<usize>,
    first: usize,
    /// ln e_k(w_j, w_(j+1), ...) at j (n + 1) + k, j counted from its first level.
    suffix: Vec<f64>,
}

impl Species {
    /// ln Z.
    fn log_sum(&self) -> f64 {
        self.suffix[self.n]
    }
}

/// What [`IdealGas::bias`] gives orbitals that can never be chosen.
pub const FORBIDDEN: f64 = -1e30;

impl IdealGas {
    /// Sums the gas of `n` fermions on `levels` at inverse temperature `beta`; O(n x levels).
    /// The relative error of F and E is about 1e-15.
    pub fn new(levels: &[f64], n: usize, beta: f64) -> Result<Self> {
        Self::of_species(levels, &[n], beta)
    }

    /// The same of several species, spins for example, each with its number of fermions on as many levels of its own: the levels
    /// of one after those of the other. Nothing but the temperature is common to them, so Z is a product.
    pub fn of_species(levels: &[f64], numbers: &[usize], beta: f64) -> Result<Self> {
        let m = levels.len() / numbers.len().max(1);
        if let Some(n) = numbers.iter().copied().chain(numbers.is_empty().then_some(0)).find(|n| *n == 0 || *n > m) {
            return Err(Error::User(format!("ideal gas: n = {n} fermions on {m} levels; n must lie between 1 and the number of levels")));
        }
        if !(beta.is_finite() && beta > 0.0) {
            return Err(Error::User(format!("ideal gas: beta = {beta}; the inverse temperature must be positive and finite")));
        }
        if let Some(bad) = levels.iter().find(|e| !e.is_finite()) {
            return Err(Error::User(format!("ideal gas: a level of energy {bad}; levels must be finite")));
        }
        let (mut species, mut energy, mut log_sum, mut first) = (Vec::new(), 0.0, 0.0, 0);
        for (s, &n) in numbers.iter().enumerate() {
            let (row, own) = (n + 1, s * m..(s + 1) * m);
            let mut suffix = vec![0.0; (m + 1) * row];
            let mut growing = Growing::new(n, beta);
            suffix[m * row..].copy_from_slice(&growing.log_e);
            for j in (0..m).rev() {
                growing.add(levels[own.start + j]);
                suffix[j * row..(j + 1) * row].copy_from_slice(&growing.log_e);
            }
            energy += growing.mean[n];
            log_sum += suffix[n];
            species.push(Species { n, levels: own, first, suffix });
            first += n;
        }
        let free_energy = -log_sum / beta;
        Ok(IdealGas { n: first, beta, levels: levels.to_vec(), free_energy, energy, entropy: beta * (energy - free_energy), species })
    }

    /// The gas of as many quasi-particles with the levels `scale` E_j: an effective mass 1/`scale`.
    ///
    /// # Errors
    /// [`Error::User`] for a scale that is no positive number.
    pub fn scaled(&self, scale: f64) -> Result<IdealGas> {
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Error::User(format!("ideal gas: levels times {scale}; the scale must be positive and finite")));
        }
        let numbers: Vec<usize> = self.species.iter().map(|s| s.n).collect();
        IdealGas::of_species(&self.levels.iter().map(|e| scale * e).collect::<Vec<_>>(), &numbers, self.beta)
    }

    /// ln of the exact probability of n occupied levels, of each species as many as it has fermions.
    pub fn log_probability(&self, state: &[usize]) -> f64 {
        -self.beta * state.iter().map(|&j| self.levels[j]).sum::<f64>() - self.species.iter().map(Species::log_sum).sum::<f64>()
    }

    /// Logits (n x levels, row-major) whose softmax over s_(i-1) < j <= levels - n + i is the exact
    /// conditional probability that the i-th occupied level is j, given the one before it:
    /// -beta E_j + ln e_(n-i-1)(w_(j+1), ...), n and levels those of its species. The largest of each row is 0, so that the likely
    /// choices keep all digits in float32; levels outside every window, those of other species among them, have [`FORBIDDEN`].
    pub fn bias(&self) -> Vec<f64> {
        self.table(|s, i, j| s.suffix[(j + 1) * (s.n + 1) + s.n - i - 1] - self.beta * self.levels[s.levels.start + j])
    }

    /// The same table for logits of no prior: 0 where a level can be chosen, else [`FORBIDDEN`].
    pub fn windows(&self) -> Vec<f64> {
        self.table(|_, _, _| 0.0)
    }

    /// n x levels: `logit` of fermion i and level j of a species, less the largest of its row.
    fn table(&self, logit: impl Fn(&Species, usize, usize) -> f64) -> Vec<f64> {
        let all = self.levels.len();
        let mut table = vec![FORBIDDEN; self.n * all];
        for s in &self.species {
            let m = s.levels.len();
            for (i, row) in table[s.first * all..][..s.n * all].chunks_mut(all).enumerate() {
                let window = &mut row[s.levels.start + i..=s.levels.start + m - s.n + i];
                window.iter_mut().enumerate().for_each(|(j, v)| *v = logit(s, i, i + j));
                let most = window.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                window.iter_mut().for_each(|v| *v -= most);
            }
        }
        table
    }
}

impl IdealGas {
    /// Mean occupation of every level: w_j e_(n-1)(all others)/e_n, from sums of positive terms.
    pub fn occupations(&self) -> Vec<f64> {
        let of = |s: &Species| {
            let (n, row) = (s.n, s.n + 1);
            let mut before = Growing::new(n, self.beta);
            let mut all = Vec::with_capacity(s.levels.len());
            for (j, level) in self.levels[s.levels.clone()].iter().enumerate() {
                let after = &s.suffix[(j + 1) * row..];
                let others = (0..n).map(|k| before.log_e[k] + after[n - 1 - k]).fold(f64::NEG_INFINITY, log_sum);
                all.push((others - self.beta * level - s.log_sum()).exp());
                before.add(*level);
            }
            all
        };
        self.species.iter().flat_map(of).collect()
    }

    /// Mean products of the occupations of two levels.
    pub fn pairs(&self) -> Pairs {
        let count = self.levels.len();
        let species = (0..self.species.len()).flat_map(|s| vec![s; self.species[s].levels.len()]).collect();
        let occupations = self.occupations();
        let mut pairs = Pairs { beta: self.beta, levels: self.levels.clone(), species, alike: vec![0.0; count], occupations };
        pairs.alike = (0..count)
            .map(|i| {
                let own = &self.species[pairs.species[i]];
                let others = own.levels.clone().filter(|j| *j != i);
                let (same, different): (Vec<usize>, Vec<usize>) = others.partition(|j| pairs.degenerate(i, *j));
                // Σ_(j≠i) ⟨n_i n_j⟩ = (n - 1)⟨n_i⟩, and those of the own level are all one number
                let rest = (own.n as f64 - 1.0) * pairs.occupations[i] - different.iter().map(|j| pairs.of(i, *j)).sum::<f64>();
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
    /// Which species each level is of.
    species: Vec<usize>,
    occupations: Vec<f64>,
    /// With another level of the same energy and species.
    alike: Vec<f64>,
}

impl Pairs {
    fn degenerate(&self, i: usize, j: usize) -> bool {
        (self.levels[i] - self.levels[j]).abs() <= 1e-9 * self.levels[i].abs().max(self.levels[j].abs())
    }

    /// Whether fermions on them are of one species.
    pub fn alike(&self, i: usize, j: usize) -> bool {
        self.species[i] == self.species[j]
    }

    /// ⟨n_i n_j⟩ = (w_j ⟨n_i⟩ - w_i ⟨n_j⟩)/(w_j - w_i), which follows from e_k = e_k(without j) + w_j e_(k-1)(without j); those of
    /// two species are independent.
    pub fn of(&self, i: usize, j: usize) -> f64 {
        if !self.alike(i, j) {
            return self.occupations[i] * self.occupations[j];
        }
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
