//! Wolff clusters: states of the ferromagnetic Ising model on an L x L torus, J = k_B = 1.
//!
//! From a random site on, parallel neighbours join a cluster with 1 - e^{-2/T} a bond; all its spins flip. Critical slowing down
//! is all but gone. Wolff, Phys. Rev. Lett. 62, 361 (1989), doi 10.1103/PhysRevLett.62.361.

use crate::number::philox::{Stream, purpose};
use crate::number::statistics::{Running, chains_time};

/// Chains of [`squares`].
const CHAINS: usize = 16;

/// One chain.
pub struct Wolff<N> {
    side: usize,
    /// Of a parallel neighbour to join.
    joins: f64,
    /// ±1, row-major.
    pub spins: Vec<i8>,
    numbers: N,
    border: Vec<usize>,
}

impl<N: Iterator<Item = f64>> Wolff<N> {
    /// All spins up; `numbers` uniform in (0, 1).
    pub fn new(side: usize, temperature: f64, numbers: N) -> Wolff<N> {
        Wolff { side, joins: -(-2.0 / temperature).exp_m1(), spins: vec![1; side * side], numbers, border: Vec::new() }
    }

    fn number(&mut self) -> f64 {
        // streams of numbers do not end
        self.numbers.next().unwrap_or(0.5)
    }

    /// Flips a cluster and gives its size.
    pub fn step(&mut self) -> usize {
        let (side, n) = (self.side, self.spins.len());
        let seed = ((self.number() * n as f64) as usize).min(n - 1);
        let was = self.spins[seed];
        self.spins[seed] = -was;
        self.border.push(seed);
        let mut size = 0;
        while let Some(i) = self.border.pop() {
            size += 1;
            let (row, column) = (i / side * side, i % side);
            for j in [row + (column + 1) % side, row + (column + side - 1) % side, (i + side) % n, (i + n - side) % n] {
                if self.spins[j] == was && self.number() < self.joins {
                    self.spins[j] = -was;
                    self.border.push(j);
                }
            }
        }
        size
    }

    /// m².
    pub fn square(&self) -> f64 {
        let sum: i64 = self.spins.iter().map(|s| i64::from(*s)).sum();
        (sum as f64 / self.spins.len() as f64).powi(2)
    }
}

/// Means of m² of 16 chains, and its autocorrelation time, in clusters; `clusters` of them in all,
/// after a fifth as many.
pub fn squares(side: usize, temperature: f64, clusters: usize, seed: u64) -> (Running, f64) {
    let length = (clusters / CHAINS).max(4);
    let mut series = vec![0.0; length * CHAINS];
    let mut means = Running::default();
    for chain in 0..CHAINS {
        let at = Stream { seed, step: 0, purpose: purpose::CLUSTERS, first_walker: chain as u32 };
        let mut w = Wolff::new(side, temperature, at.uniforms());
        (0..length / 5).for_each(|_| _ = w.step());
        for t in 0..length {
            w.step();
            series[t * CHAINS + chain] = w.square();
        }
        means.push((0..length).map(|t| series[t * CHAINS + chain]).sum::<f64>() / length as f64);
    }
    // lags up to a few hundred tell the time
    let told = length.min(4000) * CHAINS;
    (means, chains_time(&series[..told], CHAINS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::DualIsing;
    use crate::system::dual_ising::CRITICAL;

    const DATA: &str = include_str!("../../kernels-tests/data/dual_ising.json");

    /// ⟨m²⟩ of 60 digits on both sides of the critical point, and errors of the size that τ asks for.
    #[test]
    fn clusters_have_the_exact_magnetisation() {
        let rows = serde_json::from_str::<serde_json::Value>(DATA).unwrap()["rows"].as_array().unwrap().clone();
        let mut checked = 0;
        for row in rows.iter().filter(|r| r["M2_per_site_sq"].is_number()) {
            let (side, t, want) =
                (row["L"].as_u64().unwrap() as usize, row["T"].as_f64().unwrap(), row["M2_per_site_sq"].as_f64().unwrap());
            let (got, tau) = squares(side, t, 60_000, 5);
            assert!((got.mean - want).abs() < 4.5 * got.error(), "L = {side}, T = {t}: {got:?} instead of {want}");
            assert!(got.error() < 0.004 && (0.1..10.0).contains(&tau), "L = {side}, T = {t}: {got:?}, τ {tau}");
            checked += 1;
        }
        assert!(checked > 3, "{checked}");
    }

    /// Fields of the clusters' spins, x = K' s + √K' ξ, have their ⟨m²⟩.
    #[test]
    fn fields_of_clusters_have_it_too() {
        let dual = DualIsing::new(8, CRITICAL).unwrap();
        let at = Stream { seed: 3, step: 0, purpose: purpose::START, first_walker: 0 };
        let (mut w, mut noise) = (Wolff::new(8, CRITICAL, at.uniforms()), at.skip(1).normals());
        let mut means = Running::default();
        for _ in 0..40 {
            let mut block = Running::default();
            for _ in 0..100 {
                (0..5).for_each(|_| _ = w.step());
                let s: Vec<f64> = w.spins.iter().map(|s| f64::from(*s)).collect();
                let xi: Vec<f64> = noise.by_ref().take(64).collect();
                block.push(dual.square(&dual.fields(&s, &xi)));
            }
            means.push(block.mean);
        }
        assert!((means.mean - 0.646_911_575).abs() < 4.5 * means.error() && means.error() < 0.02, "{means:?}");
    }
}
