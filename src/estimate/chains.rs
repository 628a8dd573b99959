//! Means over Markov chains that know nothing of each other, from sums over each of them.
//!
//! The error of their mean follows from how far the means of the chains are apart, whatever their autocorrelation; the time
//! that goes with it is τ = error² N/variance, N counted times: 1 for independent ones.

use super::Estimate;
use super::average::MEMORIES;
use crate::archive::Archive;
use crate::error::Result;
use crate::kernels::independence::COLUMNS;

/// Sums of one chain: times, moves accepted, and Σ x, Σ x² of E and m².
type Sums = [f64; 6];

/// Independence Metropolis over some batches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chains {
    chains: Vec<Sums>,
    centre: [f64; 2],
}

/// What is averaged over chains; m = M/n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// E.
    Energy,
    /// m².
    Square,
}

impl Chains {
    /// Adds a batch's rows of sums about `centre`, as [`crate::kernels::independence`] leaves them.
    pub fn add(&mut self, centre: &[f32], rows: &[f32]) {
        let centre = [centre[2] as f64, centre[5] as f64];
        if self.chains.is_empty() {
            self.chains = vec![[0.0; 6]; rows.len() / COLUMNS];
            self.centre = centre;
        }
        for (chain, row) in self.chains.iter_mut().zip(rows.chunks_exact(COLUMNS)) {
            let row: [f64; 6] = std::array::from_fn(|k| row[k] as f64);
            chain[0] += row[0];
            chain[1] += row[1];
            // about the first centre: x - c = (x - c') + d
            for x in 0..2 {
                let (d, at) = (centre[x] - self.centre[x], 2 + 2 * x);
                chain[at] += row[at] + d * row[0];
                chain[at + 1] += row[at + 1] + d * (2.0 * row[at] + d * row[0]);
            }
        }
    }

    /// All sums.
    pub fn state(&mut self, a: &mut Archive) -> Result<()> {
        let mut count = self.chains.len();
        a.value("chains", &mut count)?;
        self.chains.resize(count, [0.0; 6]);
        a.numbers("chain_sums", self.chains.iter_mut().flatten().chain(&mut self.centre))
    }

    fn total(&self, column: usize) -> f64 {
        self.chains.iter().map(|c| c[column]).sum()
    }

    /// Mean over all chains. Its error is a lower bound where they are shorter than [`MEMORIES`] τ.
    pub fn mean(&self, q: Quantity) -> Estimate {
        let (at, count, chains) = (2 + 2 * q as usize, self.total(0), self.chains.len() as f64);
        let shift = self.total(at) / count;
        let apart: f64 = self.chains.iter().map(|c| (c[at] - c[0] * shift).powi(2)).sum();
        let error = (apart * chains / (chains - 1.0)).sqrt() / count;
        let at_least = !(self.length() >= MEMORIES * self.time(q, error));
        Estimate { at_least, ..Estimate::new(self.centre[q as usize] + shift, error) }
    }

    /// τ of a quantity, in proposals.
    pub fn tau(&self, q: Quantity) -> f64 {
        self.time(q, self.mean(q).error)
    }

    fn time(&self, q: Quantity, error: f64) -> f64 {
        let (at, count) = (2 + 2 * q as usize, self.total(0));
        let variance = self.total(at + 1) / count - (self.total(at) / count).powi(2);
        if variance > 0.0 { error * error * count / variance } else { 1.0 }
    }

    /// Times counted of a chain.
    pub fn length(&self) -> f64 {
        self.total(0) / self.chains.len() as f64
    }

    /// Accepted share of the proposals.
    pub fn acceptance(&self) -> f64 {
        self.total(1) / self.total(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::statistics::tests::Noise;

    /// 64 chains x' = φ x + … of variance 4 about -200, in three batches about other centres: mean within four errors, τ to
    /// four times its own error of √(2/63), and error bars that say when chains are too short.
    #[test]
    fn chains_tell_their_error_and_their_time() {
        for (phi, tau) in [(0.0, 1.0), (0.6, 4.0), (0.9, 19.0)] {
            let (mut noise, length) = (Noise(7), 900);
            let series: Vec<Vec<f64>> = (0..64).map(|_| noise.chain(phi, length)).collect();
            let mut chains = Chains::default();
            for (batch, centre) in [-200.0f32, -199.0, -204.0].into_iter().enumerate() {
                let mut given = [0.0f32; 20];
                (given[2], given[5]) = (centre, 0.25);
                let row = |x: &Vec<f64>| {
                    let values = x[300 * batch..][..300].iter().map(|v| -200.0 + 2.0 * v - centre as f64);
                    let (first, second) = values.fold((0.0, 0.0), |(a, b), d| (a + d, b + d * d));
                    [300.0, 150.0, first as f32, second as f32, 30.0, 3.0, 0.0, 0.0]
                };
                chains.add(&given, &series.iter().flat_map(row).collect::<Vec<f32>>());
            }
            let mean = chains.mean(Quantity::Energy);
            let expected = (4.0 * tau / (64.0 * length as f64)).sqrt();
            assert!((mean.value + 200.0).abs() < 4.0 * expected, "φ = {phi}: {mean:?}");
            assert!((mean.error / expected - 1.0).abs() < 0.4, "φ = {phi}: {mean:?} for {expected}");
            assert!((chains.tau(Quantity::Energy) / tau - 1.0).abs() < 4.0 * (2.0_f64 / 63.0).sqrt());
            assert_eq!((chains.acceptance(), chains.length()), (0.5, 900.0));
            assert!(!mean.at_least);
            let square = chains.mean(Quantity::Square);
            assert!((square.value - 0.35).abs() < 1e-6 && square.error < 1e-6, "{square:?}");
        }
        // chains that stay where they begin
        let mut stuck = Chains::default();
        let mut noise = Noise(3);
        let rows: Vec<f32> =
            noise.chain(0.0, 64).iter().flat_map(|v| [50.0, 1.0, 50.0 * *v as f32, 50.0 * (v * v) as f32, 0.0, 0.0, 0.0, 0.0]).collect();
        stuck.add(&[0.0; 20], &rows);
        assert!(stuck.mean(Quantity::Energy).at_least && (stuck.tau(Quantity::Energy) / 50.0 - 1.0).abs() < 0.05);
        assert!(Chains::default().mean(Quantity::Energy).value.is_nan());
    }
}
