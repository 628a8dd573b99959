//! Twin of `hmc_leapfrog` and `hmc_accept`: a trajectory of Hamiltonian Monte Carlo with unit masses.

use super::philox::{philox, uniform4};
use crate::kernels::philox::Stream;

/// `steps` leapfrog steps of length `step` from (q, p), `slope` the gradient of the potential.
pub fn leapfrog(q: &mut [f64], p: &mut [f64], step: f64, steps: usize, slope: impl Fn(&[f64]) -> Vec<f64>) {
    let kick = |p: &mut [f64], q: &[f64], by: f64| p.iter_mut().zip(slope(q)).for_each(|(p, f)| *p -= by * f);
    for k in 0..steps {
        kick(p, q, if k == 0 { 0.5 * step } else { step });
        q.iter_mut().zip(p.iter()).for_each(|(q, p)| *q += step * p);
    }
    kick(p, q, 0.5 * step);
}

/// The number that accepts a trajectory of a chain where it is below e^-change.
pub fn number(at: Stream, chain: u32) -> f64 {
    uniform4(philox(at.key(), [u32::MAX, at.first_walker.wrapping_add(chain), at.step, at.purpose]))[0]
}
