//! Twin of `ewald`: the sum over pairs as written, without the structure factor.

use std::f64::consts::PI;

use super::special::erfc;
use crate::system::Ewald;

/// V of `x` (n x dim, box side `length`) in Ry/rs²: cosines pair by pair.
pub fn potential(tables: &Ewald, x: &[f64], rs: f64, length: f64) -> f64 {
    let dim = tables.dim;
    let n = x.len() / dim;
    let mut sum = 0.0;
    for i in 0..n {
        for j in 0..i {
            let r: Vec<f64> = (0..dim)
                .map(|c| {
                    let r = (x[i * dim + c] - x[j * dim + c]) / length;
                    r - r.round()
                })
                .collect();
            let distance = r.iter().map(|v| v * v).sum::<f64>().sqrt();
            sum += erfc(tables.kappa * distance) / distance + tables.g0;
            for (g, w) in tables.vectors.iter().zip(&tables.coefficients) {
                let turns: f64 = r.iter().zip(g).map(|(r, g)| r * *g as f64).sum();
                // G and -G
                sum += 2.0 * w * (2.0 * PI * turns).cos();
            }
        }
    }
    2.0 * rs / length * sum + n as f64 * rs / length * tables.xi
}
