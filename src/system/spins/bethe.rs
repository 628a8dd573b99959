//! The Bethe approximation by belief propagation, exact on trees, and no bound elsewhere.
//!
//! Messages u_(i→j) = artanh(tanh βJ_ij tanh a_ij), a_ij = h_i - u_(j→i), h_i = βh^ext_i + Σ_k u_(k→i). At a fixed point
//!
//! -βF = Σ_i { ln 2cosh h_i + Σ_k ln[cosh βJ_ik/cosh u_(k→i)] } - Σ_(i<j) ln Σ_(ss') e^(βJ_ij ss' + a_ij s + a_ji s')/(4 cosh a_ij cosh a_ji).
//!
//! Below the glass transition damped propagation often does not converge: how many starts did is part of the result.
//! Bethe, Proc. R. Soc. A 150, 552 (1935), doi 10.1098/rspa.1935.0122; TAP: Thouless, Anderson, Palmer, Philos. Mag. 35, 593
//! (1977), doi 10.1080/14786437708235992.

use std::f64::consts::LN_2;

use super::couplings::{Couplings, Neighbours};
use super::iteration::{FixedPoint, Iteration, relax};
use super::mean_field::first;
use super::thermodynamics::temperature;
use crate::error::Result;
use crate::number::special::ln_2cosh;

/// Messages that all starts together may send: about a second.
const EFFORT: usize = 30_000_000;

/// artanh(tanh a tanh b), without loss for large arguments.
fn combine(a: f64, b: f64) -> f64 {
    let (sum, difference) = ((a + b).abs(), (a - b).abs());
    let least = a.abs().min(b.abs()).copysign(a * b);
    let (far, near) = ((-2.0 * sum).exp(), (-2.0 * difference).exp());
    least + 0.5 * ((1.0 + far) / (1.0 + near)).ln()
}

/// A model with its messages, each kept where it arrives.
struct Graph<'m> {
    model: &'m Couplings,
    near: Neighbours,
    /// Where the message of the other direction lies.
    reverse: Vec<usize>,
    beta: f64,
}

impl Graph<'_> {
    fn row(&self, i: usize) -> std::ops::Range<usize> {
        self.near.starts[i] as usize..self.near.starts[i + 1] as usize
    }

    /// h_i of the messages that arrive.
    fn fields(&self, arriving: &[f64]) -> Vec<f64> {
        let external = self.model.fields();
        (0..external.len()).map(|i| self.beta * external[i] + arriving[self.row(i)].iter().sum::<f64>()).collect()
    }

    /// Sends every message.
    fn update(&self, arriving: &[f64], new: &mut [f64]) {
        for (i, h) in self.fields(arriving).iter().enumerate() {
            for k in self.row(i) {
                new[self.reverse[k]] = combine(self.beta * self.near.couplings[k], h - arriving[k]);
            }
        }
    }

    /// -βF without the offset, as a function of the a_ij alone, in which it is stationary: what is left of the messages'
    /// movement enters it squared.
    fn exponent(&self, arriving: &[f64]) -> f64 {
        let (fields, mut updated) = (self.fields(arriving), arriving.to_vec());
        let mut total = 0.0;
        for (i, h) in fields.iter().enumerate() {
            for k in self.row(i) {
                let (j, coupling, a) = (self.near.sites[k] as usize, self.beta * self.near.couplings[k], h - arriving[k]);
                let u = combine(coupling, a);
                updated[self.reverse[k]] = u;
                total += ln_2cosh(coupling) - ln_2cosh(u);
                if i < j {
                    let b = fields[j] - arriving[self.reverse[k]];
                    total -= bond(coupling, a, b);
                }
            }
        }
        total + self.fields(&updated).iter().map(|h| ln_2cosh(*h)).sum::<f64>()
    }
}

/// ln Σ_(ss') e^(K ss' + as + bs')/(4 cosh a cosh b).
fn bond(k: f64, a: f64, b: f64) -> f64 {
    let (same, other) = (k + ln_2cosh(a + b), -k + ln_2cosh(a - b));
    same.max(other) + (-(same - other).abs()).exp().ln_1p() - ln_2cosh(a) - ln_2cosh(b)
}

/// Belief propagation, damped where it must be, from up to `starts` starts: all messages up, then random ones; fewer where these
/// take longer than about a second.
///
/// # Errors
/// [`crate::Error::User`] for a β that is negative or not finite.
pub fn propagate(model: &Couplings, beta: f64, starts: usize, seed: u64) -> Result<Iteration> {
    temperature(beta)?;
    let near = model.neighbours();
    // both ends of a bond, in the order in which neighbours lie
    let (mut reverse, mut next) = (vec![0; near.sites.len()], near.starts.clone());
    for b in model.bonds() {
        let [from, to] = [b.i, b.j].map(|site| {
            next[site] += 1;
            next[site] as usize - 1
        });
        (reverse[from], reverse[to]) = (to, from);
    }
    let graph = Graph { model, near, reverse, beta };
    let messages = graph.reverse.len();
    Ok(Iteration::run(starts, EFFORT / messages.max(1), |start, sweeps| {
        let mut arriving = first(messages, start, seed);
        let (made, converged) = relax(&mut arriving, sweeps, |old, new| graph.update(old, new));
        let point = || FixedPoint {
            free_energy: model.offset() - graph.exponent(&arriving) / beta,
            magnetisations: graph.fields(&arriving).iter().map(|h| h.tanh()).collect(),
        };
        (made, converged.then(point))
    }))
}

/// F of the whole system where all messages vanish: -βF = n ln 2 + Σ ln cosh βJ_ij. `None` in a field.
pub fn paramagnetic(model: &Couplings, beta: f64) -> Option<f64> {
    let bonds: f64 = model.bonds().iter().map(|b| ln_2cosh(beta * b.coupling) - LN_2).sum();
    model.is_even().then(|| model.offset() - (model.n() as f64 * LN_2 + bonds) / beta)
}

/// F of the whole system by the equation of Thouless, Anderson and Palmer at zero magnetisation:
/// -βF = n ln 2 + (β²/2) Σ J_ij². `None` in a field.
pub fn thouless_anderson_palmer(model: &Couplings, beta: f64) -> Option<f64> {
    let squares: f64 = model.bonds().iter().map(|b| b.coupling * b.coupling).sum();
    model.is_even().then(|| model.offset() - (model.n() as f64 * LN_2 + 0.5 * beta * beta * squares) / beta)
}

/// F per site and magnetisation of a uniform ferromagnet of any size: every site has `degree` neighbours with J > 0, and all
/// messages are u = artanh(tanh βJ tanh (z-1)u). The square lattice is magnetised above β = ln 2/2.
pub fn uniform(degree: usize, coupling: f64, beta: f64) -> (f64, f64) {
    let (z, k) = (degree as f64, beta * coupling);
    let mut u = if k.tanh() * (z - 1.0) > 1.0 { k } else { 0.0 };
    for _ in 0..1_000_000 {
        let new = combine(k, (z - 1.0) * u);
        let moved = (new - u).abs();
        u = new;
        if moved < 1e-15 {
            break;
        }
    }
    let a = (z - 1.0) * u;
    let exponent = ln_2cosh(z * u) + z * (ln_2cosh(k) - ln_2cosh(u)) - 0.5 * z * bond(k, a, a);
    (-exponent / beta, (z * u).tanh())
}
