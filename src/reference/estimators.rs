//! Twin of `energies`, `moments`, `means`, `baseline` and `weights`.

use super::complex::Complex;

/// Averages of a batch about its own means; only walkers all of whose numbers are finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Averages {
    pub counted: usize,
    pub left_out: usize,
    /// Re K, Im K, V, ln p, Re E, Im E, F, mixed K.
    pub mean: [f64; 8],
    /// Mean squared deviations, same order.
    pub variance: [f64; 8],
    /// mean |F - mean F|.
    pub spread_f: f64,
    /// mean |E - mean Re E|.
    pub spread_e: f64,
}

/// Record of a walker: Re K, Im K, V, ln p, Re E, Im E, F, mixed K.
pub fn record(kinetic: Complex, mixed: f64, potential: f64, log_probability: f64, beta: f64) -> [f64; 8] {
    let energy = kinetic.re + potential;
    [kinetic.re, kinetic.im, potential, log_probability, energy, kinetic.im, log_probability / beta + energy, mixed]
}

/// Averages of the finite records.
pub fn averages(records: &[[f64; 8]]) -> Averages {
    let good: Vec<&[f64; 8]> = records.iter().filter(|r| r.iter().all(|v| v.is_finite())).collect();
    let count = good.len() as f64;
    let mean: [f64; 8] = std::array::from_fn(|c| good.iter().map(|r| r[c]).sum::<f64>() / count);
    Averages {
        counted: good.len(),
        left_out: records.len() - good.len(),
        mean,
        variance: std::array::from_fn(|c| good.iter().map(|r| (r[c] - mean[c]).powi(2)).sum::<f64>() / count),
        spread_f: good.iter().map(|r| (r[6] - mean[6]).abs()).sum::<f64>() / count,
        spread_e: good.iter().map(|r| (r[4] - mean[4]).hypot(r[5])).sum::<f64>() / count,
    }
}

/// Complex clip in lexicographic order (real part first), as `min(max(z, low), high)`.
pub fn clip(z: Complex, low: f64, high: f64) -> Complex {
    let less = |a: Complex, b: Complex| a.re < b.re || (a.re == b.re && a.im < b.im);
    let (low, high) = (Complex::new(low, 0.0), Complex::new(high, 0.0));
    let z = if less(z, low) { low } else { z };
    if less(high, z) { high } else { z }
}

/// The line b = energy + slope (T - ideal), T = Σ k² of a walker's state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    pub slope: f64,
    /// Mean of Re E.
    pub energy: f64,
    /// Mean of T.
    pub ideal: f64,
    /// mean |E - b|.
    pub spread: f64,
}

impl Line {
    pub fn at(&self, ideal: f64) -> f64 {
        self.energy + self.slope * (ideal - self.ideal)
    }
}

/// Least squares of Re E of the finite records by T (`fit`), or their mean; slope 0 where T hardly differs.
pub fn baseline(records: &[[f64; 8]], ideal: &[f64], fit: bool) -> Line {
    let good: Vec<(&[f64; 8], &f64)> = records.iter().zip(ideal).filter(|(r, _)| r.iter().all(|v| v.is_finite())).collect();
    let mean = |value: &dyn Fn(&[f64; 8], f64) -> f64| good.iter().map(|(r, t)| value(r, **t)).sum::<f64>() / good.len() as f64;
    let (energy, ideal) = (mean(&|r, _| r[4]), mean(&|_, t| t));
    let variance = mean(&|_, t| (t - ideal).powi(2));
    let covariance = mean(&|r, t| (t - ideal) * (r[4] - energy));
    let differ = fit && variance.sqrt() > 64.0 * f32::EPSILON as f64 * ideal;
    let line = Line { slope: if differ { covariance / variance } else { 0.0 }, energy, ideal, spread: 0.0 };
    Line { spread: mean(&|r, t| (r[4] - line.at(t)).hypot(r[5])), ..line }
}

/// Least squares of a column of the finite records over T: slope and its error; not a number where T hardly differs.
pub fn slope(records: &[[f64; 8]], ideal: &[f64], column: usize) -> (f64, f64) {
    let good: Vec<(f64, f64)> =
        records.iter().zip(ideal).filter(|(r, _)| r.iter().all(|v| v.is_finite())).map(|(r, t)| (r[column], *t)).collect();
    let count = good.len() as f64;
    let (y, t) = (good.iter().map(|g| g.0).sum::<f64>() / count, good.iter().map(|g| g.1).sum::<f64>() / count);
    let spread: f64 = good.iter().map(|g| (g.1 - t).powi(2)).sum();
    if (spread / count).sqrt() <= 64.0 * f32::EPSILON as f64 * t {
        return (f64::NAN, f64::NAN);
    }
    let slope = good.iter().map(|g| (g.0 - y) * (g.1 - t)).sum::<f64>() / spread;
    let residual: f64 = good.iter().map(|g| (g.0 - y - slope * (g.1 - t)).powi(2)).sum();
    // the mean of squares over count - 2 degrees of freedom
    (slope, (residual / (count - 2.0) / spread).sqrt())
}

/// Weights of d ln p, Re d ln Ψ, Im d ln Ψ, and 1 (0 for a walker left out) of a walker with Σ k² = `ideal`.
pub fn weights(r: &[f64; 8], ideal: f64, a: &Averages, line: &Line, width: f64) -> [f64; 4] {
    if !r.iter().all(|v| v.is_finite()) {
        return [0.0; 4];
    }
    let f = r[6].clamp(a.mean[6] - width * a.spread_f, a.mean[6] + width * a.spread_f);
    let e = clip(Complex::new(r[4] - line.at(ideal), r[5]), -width * line.spread, width * line.spread);
    let b = a.counted as f64;
    [(f - a.mean[6]) / b, 2.0 * e.re / b, 2.0 * e.im / b, 1.0]
}
