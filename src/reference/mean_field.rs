//! Twin of `mean_field`.

use super::philox::{philox, uniform4};
use crate::kernels::philox::Stream;

/// Spins with couplings `[n][n]` and fields `[n]`.
pub struct Starts<'a> {
    pub couplings: &'a [f64],
    pub fields: &'a [f64],
    pub beta: f64,
    pub starts: usize,
    pub sweeps: usize,
}

/// H of a spin of magnetisation m.
fn entropy(m: f64) -> f64 {
    [0.5 * (1.0 + m), 0.5 * (1.0 - m)].into_iter().filter(|x| *x > 0.0).map(|x| -x * x.ln()).sum()
}

impl Starts<'_> {
    fn field(&self, m: &[f64], i: usize) -> f64 {
        let n = self.fields.len();
        (0..n).map(|j| self.couplings[i * n + j] * m[j]).sum()
    }

    /// m of one start, and βF.
    pub fn run(&self, at: Stream, start: usize) -> (Vec<f64>, f64) {
        let n = self.fields.len();
        let number = |i: usize| {
            let walker = at.first_walker.wrapping_add(start as u32);
            uniform4(philox(at.key(), [i as u32 / 4, walker, at.step, at.purpose]))[i % 4]
        };
        let mut m: Vec<f64> = (0..n).map(|i| if start == 0 { 1.0 } else { 2.0 * number(i) - 1.0 }).collect();
        let quenched = (1.0 - start as f64 / self.starts as f64).powi(2);
        let rising = (3 * self.sweeps / 4).max(1) as f64;
        for sweep in 1..=self.sweeps {
            let risen = (sweep as f64 / rising).min(1.0);
            for i in 0..n {
                m[i] = (self.beta * (quenched + (1.0 - quenched) * risen) * (self.field(&m, i) + self.fields[i])).tanh();
            }
        }
        let of = |i: usize| -0.5 * self.beta * m[i] * (self.field(&m, i) + 2.0 * self.fields[i]) - entropy(m[i]);
        let exponent = (0..n).map(of).sum();
        (m, exponent)
    }
}
