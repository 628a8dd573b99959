//! Twin of the kernels of masked networks (`spin_rows`, `prelu`, `bernoulli`, `masked_outer`, `ancestral`): logits, ln q0, its
//! score, vector-Jacobian products and draws, entry by entry.

use super::philox::{philox, uniform4};
use super::special::log_sigmoid;
use crate::kernels::philox::Stream;
use crate::model::made::Made;

/// A model with its parameters.
pub struct Twin<'a> {
    pub model: &'a Made,
    pub parameters: &'a [f64],
}

/// An entry of a masked matrix: row and column (unit i channels + c), and its word of the parameters.
type Entry = (usize, usize, usize);

impl Twin<'_> {
    /// Place of a leaf of linear layer `k`.
    fn place(&self, k: usize, leaf: &str) -> Option<usize> {
        self.model.parameters().get(&format!("made/layer{k:02}/{leaf}")).map(|l| l.offset)
    }

    /// Channels of a site that enter and leave linear layer `k`.
    fn channels(&self, k: usize) -> (usize, usize) {
        let (w, d) = (self.model.width, self.model.depth);
        (if k == 0 { 1 } else { w }, if k + 1 == d { 1 } else { w })
    }

    /// Allowed entries of linear layer `k`, in the order in which they are stored.
    fn entries(&self, k: usize) -> Vec<Entry> {
        let (inputs, outputs) = self.channels(k);
        let mut word = self.place(k, "w").unwrap_or(0);
        let mut entries = Vec::new();
        for i in 0..self.model.sites {
            for c in 0..outputs {
                for j in 0..if k == 0 { i } else { i + 1 } {
                    for d in 0..inputs {
                        entries.push((i * outputs + c, j * inputs + d, word));
                        word += 1;
                    }
                }
            }
        }
        entries
    }

    /// Activation behind linear layer `k`: value, derivative, derivative by the slope.
    fn activation(&self, k: usize, unit: usize, x: f64) -> [f64; 3] {
        match self.place(k, "slope") {
            Some(_) if x > 0.0 => [x, 1.0, 0.0],
            Some(at) => [self.parameters[at + unit] * x, self.parameters[at + unit], x],
            None => [x.tanh(), 1.0 - x.tanh().powi(2), 0.0],
        }
    }

    /// Inputs of every linear layer, and its outputs before an activation.
    fn pass(&self, spins: &[f64]) -> Vec<[Vec<f64>; 2]> {
        let mut x = spins.to_vec();
        let mut all = Vec::new();
        for k in 0..self.model.depth {
            let units = self.model.sites * self.channels(k).1;
            let mut y: Vec<f64> = (0..units).map(|u| self.place(k, "b").map_or(0.0, |b| self.parameters[b + u])).collect();
            for (row, column, word) in self.entries(k) {
                y[row] += self.parameters[word] * x[column];
            }
            let next = y.iter().enumerate().map(|(u, v)| self.activation(k, u, *v)[0]).collect();
            all.push([std::mem::replace(&mut x, next), y]);
        }
        all
    }

    pub fn logits(&self, spins: &[f64]) -> Vec<f64> {
        self.pass(spins).pop().map_or(Vec::new(), |[_, logits]| logits)
    }

    /// ln q0(s).
    pub fn log_q(&self, spins: &[f64]) -> f64 {
        self.logits(spins).iter().zip(spins).map(|(l, s)| log_sigmoid(s * l)).sum()
    }

    /// Gradients of Σ d_i logit_i by the parameters and by the spins.
    pub fn vjp(&self, spins: &[f64], d: &[f64]) -> [Vec<f64>; 2] {
        let mut gradient = vec![0.0; self.parameters.len()];
        let mut d = d.to_vec();
        for (k, [x, y]) in self.pass(spins).into_iter().enumerate().rev() {
            if k + 1 < self.model.depth {
                for (u, (d, y)) in d.iter_mut().zip(&y).enumerate() {
                    let [_, slope, by_slope] = self.activation(k, u, *y);
                    if let Some(at) = self.place(k, "slope") {
                        gradient[at + u] = *d * by_slope;
                    }
                    *d *= slope;
                }
            }
            if let Some(at) = self.place(k, "b") {
                gradient[at..at + d.len()].copy_from_slice(&d);
            }
            let mut by_x = vec![0.0; x.len()];
            for (row, column, word) in self.entries(k) {
                gradient[word] = d[row] * x[column];
                by_x[column] += d[row] * self.parameters[word];
            }
            d = by_x;
        }
        [gradient, d]
    }

    /// d ln q0 / d theta: d ln q0 / d logit_i = (1 + s_i)/2 - sigmoid(logit_i).
    pub fn score(&self, spins: &[f64]) -> Vec<f64> {
        let d: Vec<f64> = self.logits(spins).iter().zip(spins).map(|(l, s)| 0.5 * (1.0 + s) - log_sigmoid(*l).exp()).collect();
        let [score, _] = self.vjp(spins, &d);
        score
    }

    /// The spins of sample `walker` of a stream, and how far the closest random number was from the other choice.
    pub fn draw(&self, at: Stream, walker: u32) -> (Vec<f64>, f64) {
        let mut spins = vec![0.0; self.model.sites];
        let mut margin = 1.0_f64;
        for i in 0..spins.len() {
            let up = log_sigmoid(self.logits(&spins)[i]).exp();
            let counter = [i as u32, at.first_walker.wrapping_add(walker), at.step, at.purpose];
            let u = uniform4(philox([at.seed as u32, (at.seed >> 32) as u32], counter))[0];
            spins[i] = if u < up { 1.0 } else { -1.0 };
            margin = margin.min((u - up).abs());
        }
        (spins, margin)
    }
}
