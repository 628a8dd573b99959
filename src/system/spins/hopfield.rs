//! Hopfield networks: J = (1/n) Σ_p ξ^p ξ^pᵀ with zero diagonal (PNAS 79, 2554 (1982), doi 10.1073/pnas.79.8.2554).

use super::couplings::{Couplings, sized};
use super::thermodynamics::{Thermodynamics, temperature};
use crate::error::{Error, Result};
use crate::number::philox::{Stream, purpose};

/// Patterns ξ^p_i = ±1 that a network stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hopfield {
    patterns: Vec<Vec<i8>>,
}

impl Hopfield {
    /// A network of these patterns.
    ///
    /// # Errors
    /// [`Error::User`] for no pattern, patterns of different lengths or fewer than 2 sites, and entries that are not ±1.
    pub fn new(patterns: Vec<Vec<i8>>) -> Result<Hopfield> {
        let wrong = |text: String| Err(Error::User(format!("hopfield: {text}")));
        let Some(first) = patterns.first() else { return wrong("no pattern; give at least one".into()) };
        sized(first.len())?;
        for (p, pattern) in patterns.iter().enumerate() {
            if pattern.len() != first.len() {
                return wrong(format!("pattern {p} has {} entries, pattern 0 has {}; give all the same", pattern.len(), first.len()));
            }
            if let Some(i) = pattern.iter().position(|x| x.abs() != 1) {
                return wrong(format!("pattern {p} has {} at site {i}; entries are 1 or -1", pattern[i]));
            }
        }
        Ok(Hopfield { patterns })
    }

    /// The two orthogonal patterns of every published figure: up on the first half, down on the second; and alternating
    /// every n/4 sites. Any other two orthogonal ones of zero mean give the same numbers.
    ///
    /// # Errors
    /// [`Error::User`] for n not divisible by 4.
    pub fn canonical(n: usize) -> Result<Hopfield> {
        if n == 0 || !n.is_multiple_of(4) {
            return Err(Error::User(format!("hopfield: n = {n}; the two orthogonal patterns need n divisible by 4 (or draw random ones)")));
        }
        let pattern = |block: usize| (0..n).map(|i| 1 - 2 * (i / block % 2) as i8).collect();
        Hopfield::new(vec![pattern(n / 2), pattern(n / 4)])
    }

    /// `count` patterns of independent signs, the same for a seed on every machine.
    ///
    /// # Errors
    /// [`Error::User`] for no pattern and n < 2.
    pub fn random(n: usize, count: usize, seed: u64) -> Result<Hopfield> {
        sized(n)?;
        let pattern = |p: usize| {
            // a pattern a walker: never the numbers of couplings, which are walker 0's
            let stream = Stream { seed, step: 0, purpose: purpose::COUPLINGS, first_walker: 1 + p as u32 };
            (0..n as u32).map(|i| 1 - 2 * (stream.bits(i / 128)[i as usize / 32 % 4] >> (i % 32) & 1) as i8).collect()
        };
        Hopfield::new((0..count).map(pattern).collect())
    }

    /// ξ^p.
    pub fn patterns(&self) -> &[Vec<i8>] {
        &self.patterns
    }

    /// Number of spins.
    pub fn n(&self) -> usize {
        self.patterns[0].len()
    }

    /// J.
    pub fn couplings(&self) -> Couplings {
        let n = self.n();
        let product = |i: usize, j: usize| self.patterns.iter().map(|x| (x[i] * x[j]) as i32).sum::<i32>();
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        Couplings::from_bonds(n, pairs.map(|(i, j)| (i, j, product(i, j) as f64 / n as f64))).expect("patterns make finite couplings")
    }

    /// m_p = Σ_i ξ^p_i s_i/n.
    pub fn overlaps(&self, spins: &[i8]) -> Vec<f64> {
        let overlap = |x: &Vec<i8>| x.iter().zip(spins).map(|(x, s)| (x * s) as i32).sum::<i32>() as f64 / self.n() as f64;
        self.patterns.iter().map(overlap).collect()
    }

    /// The exact joint distribution of the overlaps of two patterns; `None` for another number of patterns.
    ///
    /// The sites where the patterns agree and those where they differ are two groups, whose sums a and b are binomial:
    /// m₁ = (a + b)/n, m₂ = (a - b)/n, E = 1 - (a² + b²)/n.
    ///
    /// # Errors
    /// [`Error::User`] for a β that is negative or not finite.
    pub fn exact(&self, beta: f64) -> Result<Option<Overlaps>> {
        temperature(beta)?;
        let [first, second] = &self.patterns[..] else { return Ok(None) };
        let (n, agree) = (self.n(), first.iter().zip(second).filter(|(a, b)| a == b).count());
        let sums = |size: usize| binomials(size).into_iter().enumerate().map(move |(k, ln)| (2.0 * k as f64 - size as f64, ln));
        let (total, mut cells) = (n as f64, Vec::new());
        for (a, ln_a) in sums(agree) {
            for (b, ln_b) in sums(n - agree) {
                let energy = 1.0 - (a * a + b * b) / total;
                cells.push(([(a + b) / total, (a - b) / total], energy, ln_a + ln_b - beta * energy));
            }
        }
        let top = cells.iter().map(|c| c.2).fold(f64::NEG_INFINITY, f64::max);
        let weight: f64 = cells.iter().map(|c| (c.2 - top).exp()).sum();
        let probability = |c: &([f64; 2], f64, f64)| (c.2 - top).exp() / weight;
        let mean: f64 = cells.iter().map(|c| probability(c) * c.1).sum();
        let variance: f64 = cells.iter().map(|c| probability(c) * (c.1 - mean).powi(2)).sum();
        let thermodynamics =
            Thermodynamics { n, beta, ln_z: top + weight.ln(), energy: Some(mean), heat_capacity: Some(beta * beta * variance) };
        let cells = cells.iter().map(|c| Cell { overlaps: c.0, probability: probability(c) }).collect();
        Ok(Some(Overlaps { thermodynamics, columns: n - agree + 1, cells }))
    }
}

/// ln of the binomial coefficients (size over k), k = 0..=size.
fn binomials(size: usize) -> Vec<f64> {
    let mut row = vec![0.0f64; size + 1];
    // by products of small ratios: symmetric, no large factorials
    for k in 1..=size {
        row[k] = if 2 * k > size { row[size - k] } else { row[k - 1] + ((size - k + 1) as f64 / k as f64).ln() };
    }
    row
}

/// A pair of overlaps that states can have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// (m₁, m₂).
    pub overlaps: [f64; 2],
    /// Of the Boltzmann distribution.
    pub probability: f64,
}

/// The exact ensemble of a network of two patterns.
#[derive(Clone, Debug)]
pub struct Overlaps {
    /// ln Z, ⟨E⟩ and β² Var(E).
    pub thermodynamics: Thermodynamics,
    /// Cells of a row.
    pub columns: usize,
    /// Every pair of overlaps once, row by row of the sum over the sites where the patterns agree.
    pub cells: Vec<Cell>,
}

impl Overlaps {
    /// ⟨f(m₁, m₂)⟩.
    pub fn mean(&self, f: impl Fn(f64, f64) -> f64) -> f64 {
        self.cells.iter().map(|c| c.probability * f(c.overlaps[0], c.overlaps[1])).sum()
    }
}
