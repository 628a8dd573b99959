//! Naive mean field: the best product of independent spins, a bound F ≥ -ln Z/β at every step.
//!
//! F(m) = E(m) - (1/β) Σ_i H₂((1 + m_i)/2), H₂(x) = -x ln x - (1-x) ln(1-x). Each m_i = tanh β(Σ_j J_ij m_j + h_i) is the exact
//! minimum over itself, so that updates of one spin at a time never raise F.

use super::couplings::{Couplings, Neighbours};
use super::thermodynamics::temperature;
use crate::error::{Error, Result};
use crate::number::philox::{Stream, purpose};
use crate::number::special::ln_2cosh;

/// Largest change of a magnetisation at which a start has converged; F is wrong by its square.
const TOLERANCE: f64 = 1e-10;
/// Sweeps after which a start that still moves is left as it is: a bound all the same.
const SWEEPS: usize = 10_000;

/// The lowest F that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanField {
    /// Of the whole system.
    pub free_energy: f64,
    /// m_i.
    pub magnetisations: Vec<f64>,
}

impl MeanField {
    /// Minimises from `starts` starts: all spins up, then random ones. Frustrated models need several (a glass of 20 spins
    /// about 10); whatever is found is a bound.
    ///
    /// # Errors
    /// [`crate::Error::User`] for a β that is negative or not finite.
    pub fn new(model: &Couplings, beta: f64, starts: usize, seed: u64) -> Result<MeanField> {
        temperature(beta)?;
        let near = model.neighbours();
        let all = (0..starts.max(1)).map(|start| settled(model, &near, beta, first(model.n(), start, seed), SWEEPS));
        Ok(all.min_by(|a, b| a.free_energy.total_cmp(&b.free_energy)).expect("at least one start"))
    }

    /// Goes on from the lowest m of many starts, which another has found, by at most `sweeps` sweeps (at least 1) of each: the
    /// lowest of them.
    ///
    /// # Errors
    /// [`crate::Error::User`] for a β that is negative or not finite, and without n magnetisations in [-1, 1].
    pub fn settle(model: &Couplings, beta: f64, found: &[Vec<f64>], sweeps: usize) -> Result<MeanField> {
        temperature(beta)?;
        if found.is_empty() || found.iter().any(|m| m.len() != model.n() || m.iter().any(|m| !(m.abs() <= 1.0))) {
            return Err(Error::User(format!("mean field: each start has {} magnetisations from -1 to 1", model.n())));
        }
        let near = model.neighbours();
        let fields = |m: &Vec<f64>| m.iter().map(|m| m.atanh()).collect();
        let all = found.iter().map(|m| settled(model, &near, beta, fields(m), sweeps.max(1)));
        Ok(all.min_by(|a, b| a.free_energy.total_cmp(&b.free_energy)).expect("not empty"))
    }

    /// q = Σ m_i²/n.
    pub fn q(&self) -> f64 {
        self.magnetisations.iter().map(|m| m * m).sum::<f64>() / self.magnetisations.len() as f64
    }
}

/// m_i of a start: all up, then random ones.
pub fn start(n: usize, start: usize, seed: u64) -> Vec<f64> {
    first(n, start, seed).iter().map(|a| a.tanh()).collect()
}

/// Local fields of a start: all 1, or artanh of uniform numbers in (-1, 1).
pub(super) fn first(n: usize, start: usize, seed: u64) -> Vec<f64> {
    let stream = Stream { seed, step: 0, purpose: purpose::START, first_walker: start as u32 };
    let random = stream.uniforms().map(|u| (2.0 * u - 1.0).atanh());
    if start == 0 { vec![1.0; n] } else { random.take(n).collect() }
}

/// Updates β(Σ_j J_ij m_j + h_i), one spin at a time, until nothing moves.
fn settled(model: &Couplings, near: &Neighbours, beta: f64, mut fields: Vec<f64>, sweeps: usize) -> MeanField {
    let mut m: Vec<f64> = fields.iter().map(|a| a.tanh()).collect();
    for _ in 0..sweeps {
        let mut moved = 0.0f64;
        for i in 0..m.len() {
            fields[i] = beta * (model.fields()[i] + near.of(i).map(|(j, c)| c * m[j]).sum::<f64>());
            let new = fields[i].tanh();
            moved = moved.max((new - m[i]).abs());
            m[i] = new;
        }
        if moved < TOLERANCE {
            break;
        }
    }
    MeanField { free_energy: free_energy(model, beta, &fields), magnetisations: m }
}

/// F of m_i = tanh a_i; H₂ = ln 2cosh a - a tanh a keeps its digits at |m| = 1.
pub(super) fn free_energy(model: &Couplings, beta: f64, a: &[f64]) -> f64 {
    let m: Vec<f64> = a.iter().map(|a| a.tanh()).collect();
    let pairs: f64 = model.bonds().iter().map(|b| b.coupling * m[b.i] * m[b.j]).sum();
    let singles: f64 = model.fields().iter().zip(&m).map(|(h, m)| h * m).sum();
    // no entropy, and no product of 0 and infinity, at |m| = 1
    let entropy: f64 = a.iter().zip(&m).filter(|(a, _)| a.is_finite()).map(|(a, m)| ln_2cosh(*a) - a * m).sum();
    model.offset() - pairs - singles - entropy / beta
}

/// F per site and magnetisation of a uniform ferromagnet of any size: every site has `degree` neighbours with J > 0.
/// F = -z J m²/2 - H₂/β, magnetised above βzJ = 1. A Hopfield network that retrieves one of its P patterns is one with
/// zJ = 1 - P/n.
pub fn uniform(degree: f64, coupling: f64, beta: f64) -> (f64, f64) {
    let strength = beta * degree * coupling;
    let mut a = if strength > 1.0 { strength } else { 0.0 };
    // down to the largest fixed point; near the transition slowly, where F hardly depends on it
    for _ in 0..1_000_000 {
        let new = strength * a.tanh();
        let moved = (new - a).abs();
        a = new;
        if moved <= 1e-15 * a {
            break;
        }
    }
    let m = a.tanh();
    (-0.5 * degree * coupling * m * m - (ln_2cosh(a) - a * m) / beta, m)
}
