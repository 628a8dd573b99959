//! Twin of `tempering_sweep` and `tempering_swap`.

use super::couplings::energy;
use super::philox::{philox, uniform4};
use crate::kernels::philox::Stream;

/// Couplings and chains `[rung][ladder]` of spins ±1.
pub struct Chains<'a> {
    pub couplings: &'a [f64],
    pub fields: &'a [f64],
    pub betas: &'a [f64],
    pub ladders: usize,
    pub spins: Vec<Vec<f64>>,
}

impl Chains<'_> {
    pub fn energy(&self, chain: usize) -> f64 {
        energy(&self.spins[chain], self.couplings, self.fields)
    }

    /// A sweep and its exchanges; how far the closest random number was from the other choice.
    pub fn sweep(&mut self, at: Stream) -> f64 {
        let mut margin = 1.0_f64;
        let mut yes = |counter: u32, chain: usize, number: usize, p: f64| {
            let walker = at.first_walker.wrapping_add(chain as u32);
            let u = uniform4(philox(at.key(), [counter, walker, at.step, at.purpose]))[number];
            margin = margin.min((u - p.min(1.0)).abs());
            u < p
        };
        for chain in 0..self.spins.len() {
            for i in 0..self.fields.len() {
                let before = self.energy(chain);
                self.spins[chain][i] *= -1.0;
                let p = (-self.betas[chain / self.ladders] * (self.energy(chain) - before)).exp();
                if !yes(i as u32 / 4, chain, i % 4, p) {
                    self.spins[chain][i] *= -1.0;
                }
            }
        }
        for r in (at.step as usize % 2..self.betas.len() - 1).step_by(2) {
            for a in r * self.ladders..(r + 1) * self.ladders {
                let b = a + self.ladders;
                let p = ((self.betas[r] - self.betas[r + 1]) * (self.energy(a) - self.energy(b))).exp();
                if yes(u32::MAX, a, 0, p) {
                    self.spins.swap(a, b);
                }
            }
        }
        margin
    }
}
