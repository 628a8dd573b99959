//! Twin of `newton`: damped Newton iteration for z(x) = ζ.

use super::metropolis::fold;

/// A walker's iteration.
#[derive(Clone, Debug, PartialEq)]
pub struct Walker {
    pub x: Vec<f64>,
    pub base: Vec<f64>,
    pub step: Vec<f64>,
    /// Smallest residual so far.
    pub residual: f64,
    pub factor: f64,
    pub halvings: usize,
    pub converged: bool,
    /// Largest |entry of J⁻¹| at the solution.
    pub largest: f64,
}

/// x = 2 ζ - z(ζ).
pub fn start(zeta: &[f64], z: &[f64]) -> Walker {
    let x: Vec<f64> = zeta.iter().zip(z).map(|(s, z)| if z.is_finite() { 2.0 * s - z } else { *s }).collect();
    Walker { base: x.clone(), step: vec![0.0; x.len()], x, residual: 1e30, factor: 1.0, halvings: 0, converged: false, largest: 0.0 }
}

/// One step from z and J⁻¹ (row-major) at x.
pub fn newton(w: &mut Walker, zeta: &[f64], z: &[f64], inverse: &[f64], length: f64, tolerance: f64) {
    if w.converged {
        return;
    }
    let size = zeta.len();
    let f: Vec<f64> = z.iter().zip(zeta).map(|(z, s)| z - s).collect();
    let r = f.iter().fold(0.0f64, |m, v| m.max(if v.is_finite() { v.abs() } else { 1e30 }));
    if r < tolerance {
        w.converged = true;
        w.residual = r;
        w.largest = inverse.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        return;
    }
    if r < w.residual || w.halvings >= 2 {
        let step: Vec<f64> = (0..size).map(|c| (0..size).map(|q| inverse[c * size + q] * f[q]).sum()).collect();
        let longest = step.iter().fold(1e-30f64, |m, v| m.max(if v.is_finite() { v.abs() } else { 1e30 }));
        w.step = step.into_iter().map(|v| if v.is_finite() { v } else { 0.0 }).collect();
        w.factor = (0.25 * length / longest).min(1.0);
        w.base = w.x.clone();
        w.residual = r;
        w.halvings = 0;
    } else {
        w.factor *= 0.5;
        w.halvings += 1;
    }
    w.x = w.base.iter().zip(&w.step).map(|(b, s)| b - w.factor * s).collect();
}

/// The result: folded x, or ζ where the iteration failed.
pub fn finish(w: &Walker, zeta: &[f64], length: f64) -> Vec<f64> {
    let x = if w.converged { &w.x } else { zeta };
    x.iter().map(|v| fold(*v, length)).collect()
}
